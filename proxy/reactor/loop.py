# ruff: noqa: N803 - Twisted's interfaces name these arguments, and callers may use the names
"""The reactor: Twisted's asyncio reactor on a uvloop loop, with uvloop's own streams and cheaper timers.

UDP, processes, threads and `addReader` stay Twisted's code on `loop.add_reader`; the six methods that make TCP and UNIX
streams hand out `proxy.reactor.stream.Stream` instead.
"""

from __future__ import annotations

import asyncio
import contextvars
import socket
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, cast

import uvloop
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.base import DelayedCall, ReactorBase
from twisted.internet.error import UnsupportedAddressFamily
from twisted.internet.interfaces import IConnector, IListeningPort, IReactorProcess, IReactorSocket, IReactorUNIX
from twisted.internet.main import installReactor
from twisted.python import context
from twisted.python.log import ILogContext
from zope.interface import implementer

from proxy.reactor.dialing import TCPConnector, UNIXConnector
from proxy.reactor.logcontext import LogContext
from proxy.reactor.outbox import Outbox
from proxy.reactor.piping import Pipe, most_pipes
from proxy.reactor.ports import TCPPort, UNIXPort, adopt
from proxy.reactor.signals import ReapOnSIGCHLD, SignalPair
from proxy.reactor.stream import Stream

__all__ = ["READ_BYTES", "UvloopReactor", "install"]

#: The longest `dataReceived`: 64 KiB, as with Twisted's own transports, and what mostly stands before them. A
#: response of 64 KiB with its head is read at once then (measured: 80 against 92 µs through a proxy). uvloop's own
#: buffer is 250 kB, which is no faster.
READ_BYTES = 68 * 1024

# libuv counts whole milliseconds and uvloop rounds to the nearest: half of one more never wakes too early.
_ROUND_UP_SECONDS = 0.0005


class _SharedBuffer(dict[int, memoryview]):
    """The one read buffer of a reactor, by whatever size uvloop suggests.

    uvloop calls ``get_buffer(size)`` before each read. Looking the size up in a dict does that without a Python frame.
    """

    def __init__(self, buffer: memoryview) -> None:
        super().__init__()
        self._buffer = buffer

    def __missing__(self, size: int) -> memoryview:
        return self.setdefault(size, self._buffer)


@implementer(IReactorUNIX, IReactorSocket, IReactorProcess)
class UvloopReactor(AsyncioSelectorReactor):
    """A reactor on `loop`, a uvloop event loop; on a new one if none is given.

    `streams` are those connected, `pipes` join some of them (`most_pipes` at a time), `outbox` has those with
    something to send at the end of the turn, and `serving` is the one whose event the last was. What any of them
    receives, uvloop reads into `received`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.loop = loop if loop is not None else uvloop.new_event_loop()
        # Timers and producers of everybody run in this one, not in that of whoever happened to wake them.
        self._context = contextvars.copy_context()
        self.outbox = Outbox(partial(self.loop.call_soon, context=self._context))
        self.streams: set[Stream] = set()
        self.pipes: set[Pipe] = set()
        self.most_pipes = most_pipes()
        self.serving: Any = None
        self.received = memoryview(bytearray(READ_BYTES))
        self.get_buffer = _SharedBuffer(self.received).__getitem__
        self._wake_at = -inf  # seconds() at which _run_due() is scheduled; inf: it is not; -inf: at once
        self._waking: asyncio.Handle = self.loop.call_soon(self._run_due, context=self._context)
        self._woken = False  # a thread has asked for _run_due() already
        super().__init__(self.loop)

    # Streams

    def listenTCP(self, port: Any, factory: Any, backlog: int = 50, interface: str = "") -> IListeningPort:
        listening = TCPPort(port, factory, backlog, interface, self)
        listening.startListening()
        return listening

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30.0, bindAddress: Any = None
    ) -> IConnector:
        connector = TCPConnector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

    def listenUNIX(
        self, address: Any, factory: Any, backlog: int = 50, mode: int = 0o666, wantPID: int = 0
    ) -> IListeningPort:
        listening = UNIXPort(address, factory, backlog, mode, self, wantPID)
        listening.startListening()
        return listening

    def connectUNIX(self, address: Any, factory: Any, timeout: float = 30, checkPID: int = 0) -> IConnector:
        connector = UNIXConnector(address, factory, timeout, self, checkPID)
        connector.connect()
        return connector

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Any) -> IListeningPort:
        self._check_family(addressFamily)
        if addressFamily == socket.AF_UNIX:
            listening = UNIXPort._fromListeningDescriptor(self, fileDescriptor, factory)
        else:
            listening = TCPPort._fromListeningDescriptor(self, fileDescriptor, addressFamily, factory)
        listening.startListening()
        return cast(IListeningPort, listening)

    def adoptStreamConnection(self, fileDescriptor: int, addressFamily: int, factory: Any) -> Any:
        self._check_family(addressFamily)
        return adopt(fileDescriptor, addressFamily, factory, self)

    def _check_family(self, family: int) -> None:
        if family not in self._supportedAddressFamilies:
            raise UnsupportedAddressFamily(family)

    # A stream is no descriptor to poll, but code that takes a connection away from its transport treats it as one.

    def addReader(self, reader: Any) -> None:
        if isinstance(reader, Stream):
            reader.startReading()
        else:
            super().addReader(reader)

    def removeReader(self, reader: Any) -> None:
        if isinstance(reader, Stream):
            reader.stopReading()
        else:
            super().removeReader(reader)

    def getReaders(self) -> list[Any]:
        return [*super().getReaders(), *(stream for stream in self.streams if stream.reading)]

    def getWriters(self) -> list[Any]:
        return [*super().getWriters(), *(stream for stream in self.streams if stream.writing)]

    def removeAll(self) -> list[Any]:
        """Stop polling, and return whom for. A stream that is paused and has nothing to send is not polled."""
        streams = [stream for stream in self.streams if stream.reading or stream.writing]
        for stream in streams:
            stream.stopReading()
        self.streams.difference_update(streams)
        return [*super().removeAll(), *streams]

    def disconnectAll(self) -> None:
        """Lose all connections; those that are paused, too, which Twisted's other reactors forget."""
        super().disconnectAll()
        for stream in list(self.streams):
            stream.lose()

    # Timers: Twisted's heap of delayed calls, and one uvloop timer for the earliest of them

    def callLater(self, delay: float, callable: Callable[..., Any], *args: Any, **kw: Any) -> DelayedCall:
        call = ReactorBase.callLater(self, delay, callable, *args, **kw)
        if call.time < self._wake_at:
            self._wake_in(delay, call.time)
        return call

    def _moveCallLaterSooner(self, delayedCall: DelayedCall) -> None:
        ReactorBase._moveCallLaterSooner(self, delayedCall)
        if delayedCall.time < self._wake_at:
            self._wake_in(delayedCall.time - self.seconds(), delayedCall.time)

    def _wake_in(self, delay: float, at: float) -> None:
        self._waking.cancel()
        if delay <= 0:
            self._wake_at = -inf
            self._waking = self.loop.call_soon(self._run_due, context=self._context)
        else:
            self._wake_at = at
            self._waking = self.loop.call_later(delay + _ROUND_UP_SECONDS, self._run_due, context=self._context)

    def _run_due(self) -> None:
        self._waking.cancel()  # this may be a wake-up by another thread, with the timer still to come
        self._wake_at = -inf  # whatever is scheduled meanwhile is looked at below
        self._woken = False  # before the queue is: whoever comes later wakes the loop again
        self.serving = None
        try:
            self.runUntilCurrent()
        finally:
            self._wake_at = inf
            delay = self.timeout()
            if delay is not None:
                self._wake_in(delay, self.seconds() + delay)

    # Threads

    def callFromThread(  # type: ignore[override] # Twisted's own reactors disagree on the name of the first argument
        self, callable: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        """Call `callable` in the reactor thread, soon. From any thread, and from signal handlers."""
        self.threadCallQueue.append((callable, args, kwargs))
        if not self._woken:
            self.wakeUp()

    def wakeUp(self) -> None:
        self._woken = True
        self.loop.call_soon_threadsafe(self._run_due, context=self._context)

    # Running

    def run(self, installSignalHandlers: bool = True) -> None:
        self.startRunning(installSignalHandlers=installSignalHandlers)
        try:
            if self._started:  # a startup trigger may have called crash()
                context.call({ILogContext: LogContext(self)}, self.loop.run_forever)
        finally:
            self._signals.uninstall()

    def crash(self) -> None:
        ReactorBase.crash(self)
        if self.loop.is_running():
            self.loop.stop()

    def iterate(self, delay: float = 0.0) -> None:
        """Run the loop for `delay` seconds; for one turn if that is 0. Not from within the running reactor."""
        end = self.loop.call_later(delay, self.loop.stop) if delay > 0 else self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        end.cancel()  # something else has stopped it

    def _signalsFactory(self) -> SignalPair:
        return SignalPair(ReactorBase._signalsFactory(self), ReapOnSIGCHLD(self.callFromThread))


def install() -> None:
    """Make a `UvloopReactor` the global reactor. Every Twisted reactor's module has this function."""
    installReactor(UvloopReactor())
