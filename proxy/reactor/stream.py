"""One connected stream: a Twisted transport in front, a uvloop transport behind.

The object is both the `asyncio.Protocol` that uvloop calls (snake_case methods) and the `ITCPTransport`
that Twisted protocols call (camelCase methods). uvloop does `recv`, `send` and polling in C; this module keeps
what Twisted promises and asyncio does not: the order and moment of every notification, half-close, push and
pull producers, and the reason a connection was lost.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable
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

if TYPE_CHECKING:
    from proxy.reactor.loop import UvloopReactor

__all__ = ["HIGH_WATER_BYTES", "Stream"]

#: More than this waiting to be sent pauses a push producer; Twisted's own `FileDescriptor.bufferSize`.
HIGH_WATER_BYTES = 65536

# Twisted's reactors share one failure for each clean and unclean end: making one costs more than the rest
# of the closing.
_DONE = Failure(error.ConnectionDone())
_LOST = Failure(error.ConnectionLost())

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger: on, 0 seconds

_log = Logger()


class Output(Enum):
    """What becomes of bytes written to a stream."""

    OPEN = auto()  # they are sent
    ENDING = auto()  # loseWriteConnection was called: sent, then our side of the connection ends
    ENDED = auto()  # our side has ended: they are dropped
    DROPPED = auto()  # abortConnection was called: dropped, whatever was still waiting too


class Input(Enum):
    """What becomes of bytes the peer sends."""

    FLOWING = auto()  # they reach the protocol
    PAUSED = auto()  # they wait in the kernel
    ENDED = auto()  # there are none: the peer has ended its side


@implementer(
    ITLSTransport, ITCPTransport, ISystemHandle, IConsumer, IPushProducer, IHalfCloseableDescriptor, ILoggingContext
)
class Stream:
    """A connected TCP or UNIX stream.

    `protocol` is the Twisted protocol and may be replaced at any time (`startTLS` does). The flags
    `connected`, `disconnecting` and `disconnected` mean what they mean on Twisted's own transports.
    """

    __slots__ = (
        "__dict__",  # empty, hence not allocated, until somebody hangs something on the transport
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

    def __init__(self, sock: socket.socket, protocol: IProtocol, reactor: UvloopReactor) -> None:
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
        self._queue: list[bytes] = []  # written this turn, or while uvloop was blocked
        self._queued = 0  # bytes in _queue
        self._unsent = 0  # bytes uvloop holds because the kernel did not take them
        self._blocked = False  # uvloop holds unsent bytes: resume_writing() comes when it does not
        self._waiting = False  # in the outbox
        self._uv: asyncio.Transport | None = None  # until connection_made()
        attach(reactor.loop, self, sock)
        reactor.streams.add(self)

    def __repr__(self) -> str:
        state = "disconnected" if self.disconnected else "disconnecting" if self.disconnecting else "connected"
        return f"<{type(self).__name__} {state} {self._input.name} {self._output.name} queued={self._queued}>"

    @property
    def reading(self) -> bool:
        """Whether data from the peer would be delivered."""
        return self._input is Input.FLOWING

    @property
    def writing(self) -> bool:
        """Whether there is data to send."""
        return self._waiting or self._blocked

    # What uvloop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._uv = cast(asyncio.Transport, transport)
        # uvloop tries the kernel first; with a high-water mark of 0 it reports every remainder, and its end.
        self._uv.set_write_buffer_limits(0)

    def data_received(self, data: bytes) -> None:
        try:
            self.protocol.dataReceived(data)
        except BaseException:  # noqa: BLE001 - logged; whatever a protocol raises ends its connection only
            self._fail()

    def eof_received(self) -> bool:
        self._input = Input.ENDED
        if not self.disconnected:
            try:
                self.readConnectionLost(_DONE)
            except BaseException:  # noqa: BLE001 - logged
                self._fail()
        return True  # closing is ours to decide

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        self._unsent = 0
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.disconnected:
            self._lose(_LOST)

    # What the outbox calls

    def flush(self) -> None:
        """Send what was written since the last flush, then see to whoever waited for the buffer to drain."""
        self._waiting = False
        if self._blocked or self.disconnected or self._output is Output.DROPPED:
            return
        try:
            if self._queue:
                self._send()
                if self._blocked or self._closing():
                    return
            self._drained()
        except BaseException:  # noqa: BLE001 - logged
            self._fail()

    def _send(self) -> None:
        assert self._uv is not None
        queue, self._queue = self._queue, []
        self._queued = 0
        self._uv.write(queue[0] if len(queue) == 1 else b"".join(queue))
        if self._blocked:
            self._unsent = self._uv.get_write_buffer_size()

    def _closing(self) -> bool:
        # True after a failed send: uvloop calls connection_lost() soon.
        return self._uv is not None and self._uv.is_closing()

    def _drained(self) -> None:
        if self.producer is not None and (self.producerPaused or not self.streamingProducer):
            self.producerPaused = False
            cast(IPullProducer, self.producer).resumeProducing()
        elif self.disconnecting:
            self.connectionLost(_DONE)
        elif self._output is Output.ENDING:
            self._output = Output.ENDED
            self._end_output()

    def _end_output(self) -> None:
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the peer is gone: the next read says so
        half_closeable = IHalfCloseableProtocol(self.protocol, None)
        if half_closeable is not None:
            half_closeable.writeConnectionLost()

    # ITransport

    def write(self, data: bytes) -> None:
        """Send `data` at the end of this loop turn; dropped once the connection or our side of it has ended."""
        if not isinstance(data, bytes):
            raise TypeError("Data must be bytes")
        if not data or not self.connected or self._output is Output.ENDED:
            return
        self._queue.append(data)
        self._queued += len(data)
        if not self._waiting:
            self._schedule()
        if self.producer is not None:
            self._maybe_pause_producer()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """As `write`, for all the pieces of `data` in order."""
        self.write(b"".join(data))

    def _schedule(self) -> None:
        if not self._waiting:
            self._waiting = True
            self.reactor.outbox.add(self)

    def _maybe_pause_producer(self) -> None:
        if self.streamingProducer and self._queued + self._unsent > self.bufferSize:
            self.producerPaused = True
            cast(IPushProducer, self.producer).pauseProducing()

    def loseConnection(self) -> None:
        """Close when everything written is sent and no producer has more."""
        if not self.connected or self.disconnecting:
            return
        if self._output is Output.ENDED:
            self.connectionLost(_DONE)
        else:
            self._stop_reading()
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
        self._output = Output.DROPPED
        self._stop_reading()
        self.reactor.loop.call_soon(self._lose, Failure(error.ConnectionAborted()))

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
        """Close the socket and tell the producer and the protocol, once."""
        if self.disconnected:
            return
        self.disconnected = 1
        self.connected = 0
        self.reactor.streams.discard(self)
        if self.producer is not None:
            producer, self.producer = self.producer, None
            producer.stopProducing()
        self._queue.clear()
        self._queued = 0
        self._close_socket(reset=isinstance(reason.value, error.ConnectionAborted))
        protocol, self.protocol = self.protocol, None
        protocol.connectionLost(reason)

    def _close_socket(self, reset: bool) -> None:
        if reset:
            try:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            except OSError:
                pass  # UNIX sockets and dead connections
        if self._uv is not None:
            self._uv.abort()
        else:
            self.reactor.loop.call_soon(self._close_socket, False)

    def _lose(self, reason: Failure) -> None:
        """`connectionLost` for callers that have nobody to raise to."""
        try:
            self.connectionLost(reason)
        except BaseException:  # noqa: BLE001 - logged
            _log.failure("while telling {stream} that its connection is lost", stream=self)

    def _fail(self) -> None:
        """The protocol or producer raised: log it, and end its connection with that reason."""
        reason = Failure()
        _log.failure("Unhandled Error", failure=reason)
        self._lose(reason)

    # IPushProducer: the peer's bytes

    def pauseProducing(self) -> None:
        """Deliver no more data, from this moment."""
        self._stop_reading()

    def resumeProducing(self) -> None:
        if self.connected and not self.disconnecting:
            self._start_reading()

    def stopProducing(self) -> None:
        self.loseConnection()

    def _stop_reading(self) -> None:
        if self._input is Input.FLOWING:
            self._input = Input.PAUSED
            self._apply_input()

    def _start_reading(self) -> None:
        if self._input is Input.PAUSED and self._output is not Output.DROPPED:
            self._input = Input.FLOWING
            self._apply_input()

    def _apply_input(self) -> None:
        if self._uv is None:
            # connection_made() is already queued; this runs right after it, before the next poll.
            self.reactor.loop.call_soon(self._apply_input)
        elif self._input is Input.FLOWING:
            self._uv.resume_reading()
        else:
            self._uv.pause_reading()

    # IConsumer

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Let `producer` be paused while more than `bufferSize` bytes wait, and resumed when all are sent.

        A pull producer (`streaming` false) is asked for more whenever all is sent.
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

    # ITCPTransport, ISystemHandle

    def getHandle(self) -> socket.socket:
        return self.socket

    def fileno(self) -> int:
        return self.socket.fileno()

    def getTcpNoDelay(self) -> bool:
        return bool(self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def getTcpKeepAlive(self) -> bool:
        return bool(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)

    # ITLSTransport

    def startTLS(self, contextFactory: Any, normal: bool = True) -> None:
        """Put Twisted's TLS between the protocol and this stream."""
        from proxy.reactor.startls import start_tls

        start_tls(self, contextFactory, normal)
