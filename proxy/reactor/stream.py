"""One connected stream: a Twisted transport in front, a uvloop transport behind.

The object is both the `asyncio.BufferedProtocol` that uvloop calls (snake_case methods) and the `ITCPTransport` that
Twisted protocols call (camelCase methods). uvloop does `recv`, `send` and polling in C; this module keeps what
Twisted promises and asyncio does not: the order and moment of every notification, half-close, push and pull producers,
and the reason a connection was lost. `twisted.internet.tcp.Connection` is the standard for all of it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, cast

from twisted.internet import error
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    ILoggingContext,
    IProducer,
    IProtocol,
    IPullProducer,
    IPushProducer,
    ISystemHandle,
    ITCPTransport,
    ITLSTransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from proxy.reactor.attach import attach
from proxy.reactor.startls import start_tls

if TYPE_CHECKING:
    from proxy.reactor.loop import UvloopReactor

__all__ = ["HIGH_WATER_BYTES", "Input", "Output", "Stream"]

#: More than this waiting to be sent pauses a push producer: Twisted's own `FileDescriptor.bufferSize`.
HIGH_WATER_BYTES = 65536

# Up to this, the pieces of a turn are joined; beyond, copying costs more than giving uvloop a list of pieces.
_JOIN_BYTES = 16384

# Twisted's reactors share one failure for each kind of end: making one costs more than the rest of the closing.
_DONE = Failure(error.ConnectionDone())
_LOST = Failure(error.ConnectionLost())

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger: on, 0 seconds

_log = Logger()


class Output(Enum):
    """What becomes of bytes written to a stream."""

    OPEN = auto()  # they are sent
    ENDING = auto()  # loseWriteConnection() was called: they are sent, then our side ends
    ENDED = auto()  # our side has ended: they are dropped
    DROPPED = auto()  # abortConnection() was called: they are dropped, and so is what was waiting


class Input(Enum):
    """What becomes of bytes the peer sends."""

    FLOWING = auto()  # they reach the protocol
    PAUSED = auto()  # they wait in the kernel
    ENDED = auto()  # there are none: the peer has ended its side


@implementer(
    ITLSTransport,
    ITCPTransport,
    ISystemHandle,
    IConsumer,
    IPushProducer,
    IHalfCloseableDescriptor,
    ILoggingContext,
)
class Stream:
    """A connected TCP or UNIX stream; subclasses know its addresses.

    `protocol` is the Twisted protocol and may be replaced at any time (`startTLS` does). `connected`, `disconnecting`
    and `disconnected` mean what they mean on Twisted's transports.
    """

    __slots__ = (
        "__dict__",  # not allocated until somebody hangs something on the transport
        "__weakref__",
        "_blocked",
        "_input",
        "_output",
        "_queue",
        "_queued",
        "_unsent",
        "_uv",
        "_waiting",
        "connected",
        "disconnected",
        "disconnecting",
        "producer",
        "producerPaused",
        "protocol",
        "reactor",
        "socket",
        "streamingProducer",
    )

    TLS = False
    bufferSize = HIGH_WATER_BYTES
    _tlsClientDefault = False

    def __init__(self, sock: socket.socket, protocol: Any, reactor: UvloopReactor) -> None:
        self.reactor = reactor
        self.protocol = protocol
        self.socket = sock
        self.connected = 1
        self.disconnected = 0
        self.disconnecting = 0
        self.producer: IProducer | None = None
        self.producerPaused = False
        self.streamingProducer = False
        self._input = Input.FLOWING
        self._output = Output.OPEN
        self._queue: list[bytes] = []  # written since the last flush
        self._queued = 0  # bytes in _queue
        self._unsent = 0  # bytes that the kernel did not take and uvloop keeps
        self._blocked = False  # uvloop keeps such bytes: resume_writing() comes when they are sent
        self._waiting = False  # in the outbox
        self._uv: asyncio.Transport | None = None  # until connection_made()
        attach(reactor.loop, self, sock)
        reactor.streams.add(self)

    @property
    def reading(self) -> bool:
        """Whether data from the peer would be delivered."""
        return self._input is Input.FLOWING

    @property
    def writing(self) -> bool:
        """Whether there is something to send."""
        return self._waiting or self._blocked

    # What uvloop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._uv = cast(asyncio.Transport, transport)
        # uvloop tries the kernel first; a high-water mark of 0 makes it report every remainder, and its end.
        self._uv.set_write_buffer_limits(0)

    @property
    def get_buffer(self) -> Callable[[int], memoryview]:
        """Where uvloop reads to. It asks for this method once per connection and calls it for every read."""
        return self.reactor.get_buffer

    def buffer_updated(self, size: int) -> None:
        reactor = self.reactor
        reactor.serving = self
        try:
            self.protocol.dataReceived(reactor.received[:size].tobytes())
        except BaseException:  # noqa: BLE001 - logged; whatever a protocol raises ends its connection only
            self._fail()

    def eof_received(self) -> bool:
        self._input = Input.ENDED
        if not self.disconnected:
            self.reactor.serving = self
            try:
                self.readConnectionLost(_DONE)
            except BaseException:  # noqa: BLE001 - logged
                self._fail()
        return True  # when to close is ours to decide

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        self._unsent = 0
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        # After our own abort() there is nobody left to tell; otherwise a read or a write has failed.
        self.lose()

    # What the outbox calls

    def flush(self) -> None:
        """Send what was written since the last flush, then see to whoever waits for all to be sent."""
        self._waiting = False
        if self._blocked or self.disconnected or self._output is Output.DROPPED:
            return
        if self._uv is None:
            self._schedule()  # the outbox was due before connection_made()
            return
        self.reactor.serving = self
        try:
            if self._queue:
                self._send(self._uv)
                if self._blocked:
                    return
            if self.producer is not None or self.disconnecting or self._output is Output.ENDING:
                self._drained(self._uv)
        except BaseException:  # noqa: BLE001 - logged
            self._fail()

    def _send(self, uv: asyncio.Transport) -> None:
        queue, queued = self._queue, self._queued
        self._queue = []
        self._queued = 0
        if len(queue) == 1:
            uv.write(queue[0])
        elif queued <= _JOIN_BYTES:
            uv.write(b"".join(queue))
        else:
            uv.writelines(queue)
        if self._blocked:
            self._unsent = uv.get_write_buffer_size()

    def _drained(self, uv: asyncio.Transport) -> None:
        if uv.is_closing():
            return  # the write failed: connection_lost() is on its way
        if self.producer is not None and (self.producerPaused or not self.streamingProducer):
            self.producerPaused = False
            cast(IPullProducer, self.producer).resumeProducing()
        elif self.disconnecting:
            self.connectionLost(_DONE)
        elif self._output is Output.ENDING:
            self._output = Output.ENDED
            self._end_output()

    def _end_output(self) -> None:
        self._shutdown(socket.SHUT_WR)
        half_closeable = IHalfCloseableProtocol(self.protocol, None)
        if half_closeable is not None:
            half_closeable.writeConnectionLost()

    # ITransport

    def write(self, data: bytes) -> None:
        """Send `data` at the end of this loop turn. Dropped if the connection, or our side of it, has ended."""
        if not isinstance(data, bytes):
            raise TypeError("Data must be bytes")
        if not data or not self.connected or self._output is Output.ENDED:
            return
        self._queue.append(data)
        self._queued += len(data)
        if not self._waiting:
            self._schedule()
        if self.producer is not None and self.streamingProducer and self._queued + self._unsent > self.bufferSize:
            self.producerPaused = True
            cast(IPushProducer, self.producer).pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """As `write`, for all the pieces of `data` in order."""
        pieces = list(data)
        for piece in pieces:
            if not isinstance(piece, bytes):
                raise TypeError("Data must be bytes")
        self.write(b"".join(pieces))

    def _schedule(self) -> None:
        """Have `flush` called: at the end of the turn or, if uvloop still has unsent bytes, after these."""
        if not self._waiting and not self._blocked:
            self._waiting = True
            self.reactor.outbox.add(self)

    def loseConnection(self) -> None:
        """Close when everything written is sent and no producer has more."""
        if not self.connected or self.disconnecting:
            return
        if self._output is Output.ENDED:
            self.connectionLost(_DONE)
        else:
            self.stopReading()
            self.disconnecting = 1
            self._schedule()

    def loseWriteConnection(self) -> None:
        """End our side of the connection when everything written is sent; the peer's side stays open."""
        if self._output is Output.OPEN:
            self._output = Output.ENDING
            self._schedule()

    def abortConnection(self) -> None:
        """Drop what waits to be sent and reset the connection. The protocol hears of it in a later turn."""
        if self.disconnected or self._output is Output.DROPPED:
            return
        self.stopReading()
        self._output = Output.DROPPED
        self.reactor.loop.call_soon(self.lose, Failure(error.ConnectionAborted()))

    def getHost(self) -> IAddress:
        raise NotImplementedError

    def getPeer(self) -> IAddress:
        raise NotImplementedError

    # The end

    def readConnectionLost(self, reason: Failure) -> None:
        """The peer has ended its side: the end of the connection, unless the protocol knows half-close."""
        half_closeable = IHalfCloseableProtocol(self.protocol, None)
        if half_closeable is None:
            self.connectionLost(reason)
        else:
            half_closeable.readConnectionLost()

    def writeConnectionLost(self, reason: Failure) -> None:
        self.connectionLost(reason)

    def connectionLost(self, reason: Failure) -> None:
        """Close the socket and tell the producer and the protocol; once, whoever calls first."""
        if self.disconnected:
            return
        self.disconnected = 1
        self.connected = 0
        self.reactor.streams.discard(self)
        self._input = Input.ENDED
        self._queue.clear()
        self._queued = 0
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        self._close(reset=isinstance(reason.value, error.ConnectionAborted))
        protocol: IProtocol = self.protocol
        try:
            protocol.connectionLost(reason)
        finally:
            self.protocol = None  # which referred to us

    def _close(self, reset: bool) -> None:
        # The peer hears of it now, even where another process or descriptor shares the socket. uvloop closes
        # the descriptor in this turn's last step.
        if reset:
            try:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            except OSError:
                pass  # it is dead already
        else:
            self._shutdown(socket.SHUT_RDWR)
        if self._uv is None:
            self.reactor.loop.call_soon(self._abort)  # connection_made() is queued before it
        else:
            self._uv.abort()

    def _abort(self) -> None:
        if self._uv is not None:
            self._uv.abort()

    def _shutdown(self, how: int) -> None:
        try:
            self.socket.shutdown(how)
        except OSError:
            pass  # the peer has reset the connection: whoever reads hears of it

    def lose(self, reason: Failure = _LOST) -> None:
        """`connectionLost` for callers that have nobody to raise to."""
        self.reactor.serving = self
        try:
            self.connectionLost(reason)
        except BaseException:  # noqa: BLE001 - logged
            _log.failure("while telling a protocol that its connection is lost")

    def _fail(self) -> None:
        """The protocol or producer has raised: log it, and end the connection for that reason."""
        reason = Failure()
        _log.failure("Unhandled Error", failure=reason)
        self.lose(reason)

    # IPushProducer: of the peer's bytes

    def pauseProducing(self) -> None:
        """Deliver no more data, from this moment on."""
        self.stopReading()

    def resumeProducing(self) -> None:
        if self.connected and not self.disconnecting:
            self.startReading()

    def stopProducing(self) -> None:
        self.loseConnection()

    def stopReading(self) -> None:
        if self._input is Input.FLOWING:
            self._input = Input.PAUSED
            self._apply_input()

    def startReading(self) -> None:
        if self._input is Input.PAUSED and self._output is not Output.DROPPED:
            self._input = Input.FLOWING
            self._apply_input()

    def _apply_input(self) -> None:
        if self._uv is None:
            # connection_made() is queued before it, and the loop does not poll in between.
            self.reactor.loop.call_soon(self._apply_input)
        elif self._input is Input.FLOWING:
            self._uv.resume_reading()
        else:
            self._uv.pause_reading()

    # IConsumer

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Pause `producer` while more than `bufferSize` bytes wait, and resume it when all are sent.

        A pull producer (`streaming` false) is asked for more whenever all is sent. Raises `RuntimeError` if another
        producer is registered.
        """
        if self.producer is not None:
            raise RuntimeError(
                f"Cannot register producer {producer}, because producer {self.producer} was never unregistered."
            )
        if self.disconnected:
            producer.stopProducing()
            return
        self.producer = producer
        self.streamingProducer = streaming
        if not streaming:
            cast(IPullProducer, producer).resumeProducing()

    def unregisterProducer(self) -> None:
        self.producer = None
        if self.connected and self.disconnecting:
            self._schedule()

    def stopConsuming(self) -> None:
        self.unregisterProducer()
        self.loseConnection()

    # ITCPTransport, ISystemHandle

    def getHandle(self) -> socket.socket:
        return self.socket

    def fileno(self) -> int:
        """The descriptor, -1 when it is closed."""
        return self.socket.fileno()

    def getTcpNoDelay(self) -> bool:
        """True unless switched off: uvloop switches it on. Twisted's own transports start with it off."""
        return bool(self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)
        except OSError:
            _log.failure("while setting TCP_NODELAY")

    def getTcpKeepAlive(self) -> bool:
        return bool(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)

    # ITLSTransport

    def startTLS(self, contextFactory: Any, normal: bool = True) -> None:
        """Put Twisted's TLS between the protocol and this stream; `normal` false swaps client and server."""
        start_tls(self, contextFactory, normal)

    # ILoggingContext

    def logPrefix(self) -> str:
        """What log entries made while this stream is served begin with."""
        return self.protocol_name()

    def protocol_name(self) -> str:
        """The name by which the protocol wants to be logged."""
        if ILoggingContext.providedBy(self.protocol):
            return cast(ILoggingContext, self.protocol).logPrefix()
        return type(self.protocol).__name__
