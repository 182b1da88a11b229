"""One connected stream: a Twisted transport in front, a uvloop transport behind.

The object is both the `asyncio.BufferedProtocol` that uvloop calls (snake_case methods) and the `ITCPTransport` that
Twisted protocols call (camelCase methods). uvloop does `recv`, `send` and polling in C; this room keeps what Twisted
promises and asyncio does not: the order and moment of every notification, half-close, push and pull producers,
and the reason a connection was lost. `twisted.internet.tcp.Connection` is the standard for all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, cast

from twisted.internet import error
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    ILoggingContext,
    IPushProducer,
    ISystemHandle,
    ITCPTransport,
    ITLSTransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from proxy.reactor.accepted import Accepted
from proxy.reactor.attach import Attachment, attach
from proxy.reactor.piping import Pipe, PipeOwner
from proxy.reactor.relay import Relay, has_account
from proxy.reactor.sending import DONE, LOST, Output, Sending
from proxy.reactor.startls import start_tls

if TYPE_CHECKING:
    from proxy.reactor.loop import UvloopReactor

__all__ = ["Input", "Stream"]

Socket = socket.socket

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger: on, 0 seconds

_log = Logger()


class Input(Enum):
    """What becomes of bytes the peer sends."""

    FLOWING = auto()  # they reach the protocol
    PAUSED = auto()  # they wait in the kernel
    ENDED = auto()  # there are none: the peer has ended its side


@implementer(
    ITLSTransport, ITCPTransport, ISystemHandle, IConsumer, IPushProducer, IHalfCloseableDescriptor, ILoggingContext
)
class Stream(Sending):
    """A connected TCP or UNIX stream; subclasses know its addresses.

    `protocol` is the Twisted protocol and may be replaced at any time (`startTLS` does). `connected`, `disconnecting`
    and `disconnected` mean what they mean on Twisted's transports.
    """

    __slots__ = (
        "__dict__",  # not allocated until somebody hangs something on the transport
        "__weakref__",
        "_attachment",
        "_feeder",
        "_input",
        "_outlet",
        "_sock",
        "get_buffer",
    )

    TLS = False
    _tlsClientDefault = False

    def __init__(self, sock: socket.socket | Accepted, protocol: Any, reactor: UvloopReactor) -> None:
        super().__init__(protocol, reactor)
        self._input = Input.FLOWING
        self._outlet: Pipe | None = None  # what takes the place of the protocol's `dataReceived`
        self._feeder: Relay | None = None  # through which bytes come that nobody writes
        self._sock = sock
        # Where uvloop reads to. It asks for this method once per connection and calls it for every read.
        self.get_buffer: Callable[[int], memoryview] = reactor.get_buffer
        self._attachment: Attachment | None = attach(reactor.loop, self, sock)
        reactor.streams.add(self)

    @property
    def reading(self) -> bool:
        """Whether data from the peer would be delivered."""
        return self._input is Input.FLOWING

    # What uvloop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._uv = cast(asyncio.Transport, transport)
        # uvloop tries the kernel first; a high-water mark of 0 makes it report every remainder, and its end.
        self._uv.set_write_buffer_limits(0)

    def buffer_updated(self, size: int) -> None:
        reactor = self.reactor
        reactor.serving = self
        try:
            self.protocol.dataReceived(reactor.received[:size].tobytes())
        except BaseException:  # noqa: BLE001 - logged; whatever an application raises ends its connection only
            self.fail()

    def eof_received(self) -> bool:
        self._input = Input.ENDED
        if self.connected:
            self.reactor.serving = self
            try:
                self.readConnectionLost(DONE)
            except BaseException:  # noqa: BLE001 - logged
                self.fail()
        return True  # when to close is ours to decide

    def connection_lost(self, exc: Exception | None) -> None:
        # After our own abort() there is nobody left to tell; otherwise a read or a write has failed.
        if exc is None or self.disconnected:
            self.lose()
        else:
            self.write_failed()
        self._attachment = None  # which refers to us

    def write_failed(self) -> None:
        """The peer is gone. What it said before may be why: a server that refuses an upload answers, and closes while
        we still send."""
        with contextlib.suppress(OSError):  # which is the end of what it said
            while self.reading and self._outlet is None and (size := self.socket.recv_into(self.reactor.received)):
                self.buffer_updated(size)
        self.lose()

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
        try:
            self.protocol.connectionLost(reason)
        finally:
            self.protocol = None  # which refers to us
            self._end_ways()

    def _end_ways(self) -> None:
        """Nothing goes past the protocols any more, neither from this stream nor to it."""
        if self._outlet is not None:
            self._outlet.stop()
        if self._inlet is not None:
            self._inlet.stop()
        feeder, self._feeder = self._feeder, None
        if feeder is not None:
            feeder.stop()

    def abortConnection(self) -> None:
        """Drop what waits to be sent and reset the connection. The protocol hears of it in a later turn."""
        if self.disconnected or self._output is Output.DROPPED:
            return
        self.stopReading()
        self._output = Output.DROPPED
        self.reactor.loop.call_soon(self.lose, Failure(error.ConnectionAborted()))

    def lose(self, reason: Failure = LOST) -> None:
        """`connectionLost` for callers that have nobody to raise to."""
        self.reactor.serving = self
        try:
            self.connectionLost(reason)
        except BaseException:  # noqa: BLE001 - logged
            _log.failure("while telling a protocol that its connection is lost")

    def fail(self) -> None:
        """Log what the protocol or a producer has raised, and end the connection for that reason."""
        reason = Failure()
        _log.failure("Unhandled Error", failure=reason)
        self.lose(reason)

    def hang_up(self) -> None:
        """Close the socket now. Only at the end of a turn: uvloop must not be reading into our buffer."""
        attachment, self._attachment = self._attachment, None
        if attachment is not None:
            if self.shared or self._unread():
                self._shutdown(socket.SHUT_RDWR)
            self._uv = None  # which refers to us
            attachment.close()

    def _unread(self) -> bool:
        """Whether the peer has sent what nobody took: a plain close would reset before the peer has read to the end."""
        return self._input is not Input.ENDED and any(fcntl.ioctl(self.fileno(), termios.FIONREAD, b"\0\0\0\0"))

    @property
    def shared(self) -> bool:
        """Whether somebody else has a descriptor of this socket: then closing ours is not enough for the peer."""
        return False

    def _close(self, reset: bool) -> None:
        # The peer hears of it now; uvloop closes the descriptor in the next turn.
        if self._attachment is None:
            return  # it has hung up
        if reset:
            with contextlib.suppress(OSError):  # it is dead already
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        else:
            self._shutdown(socket.SHUT_RDWR)
        if self._uv is None:
            self.reactor.loop.call_soon(self._abort)  # connection_made() is queued before it
        else:
            self._abort()

    def _abort(self) -> None:
        if self._uv is not None:
            self._uv.abort()

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
            if self._attachment is not None:
                # connection_made() is queued before it, and the loop does not poll in between.
                self.reactor.loop.call_soon(self._apply_input)
        elif self._input is Input.FLOWING and self._outlet is None:
            self._uv.resume_reading()
        else:
            self._uv.pause_reading()
        if self._outlet is not None:
            self._outlet.look()

    # Through the kernel

    def pipe_to(self, target: Any, count: int, owner: PipeOwner) -> bool:
        """Let the kernel move the next `count` bytes of the peer to `target`, after all that was written to it before.

        The protocol of this stream hears of none of them, but `owner` does. Beyond the notifications everything is as
        if the protocol had written them; until it is over, neither stream may be used for other bytes.

        @return: whether it is done so; False where it cannot be (not two streams of this kind, not Linux, too many
            already), and nothing has changed.
        """
        if (
            not isinstance(target, Stream)
            or len(self.reactor.pipes) >= self.reactor.most_pipes
            or not (self._gives_pipes and target.takes_pipes)
        ):
            return False
        try:
            Pipe(self, target, count, owner)
        except OSError:  # no more descriptors
            return False
        return True

    @property
    def _gives_pipes(self) -> bool:
        open_still = self._input is not Input.ENDED and self._output is not Output.DROPPED
        return open_still and self._outlet is None and self._uv is not None and not self._uv.is_closing()

    def read_through(self, pipe: Pipe | None) -> None:
        """What comes is taken by `pipe`; None: by the protocol again."""
        self._outlet = pipe
        if self._attachment is not None and not self.disconnected:
            self._apply_input()

    def relay_to(self, target: Any) -> Relay | None:
        """From now on write to `target` whatever the peer sends, until either is lost; the protocol hears of none of
        it. Of all else it hears as ever; the producer that is registered at `target` has to pause this stream.

        @return: knows what has gone this way; None where it cannot be (not two streams of this kind, not TCP, not
            Linux, something unsent), and nothing has changed.
        """
        if not isinstance(target, Stream) or not has_account(self) or not target.takes_pipes or not self._gives_pipes:
            return None
        uv, outlet = self._uv, target.send_at_once()
        if uv is None or outlet is None:
            return None
        target._feeder = relay = Relay(self, uv, outlet.write)
        return relay

    # ITCPTransport, ISystemHandle

    def getHost(self) -> Any:
        raise NotImplementedError

    def getPeer(self) -> Any:
        raise NotImplementedError

    @property
    def socket(self) -> Socket:
        """The socket, as an object; see `accepted`."""
        sock = self._sock
        return sock.whole() if isinstance(sock, Accepted) else sock

    def getHandle(self) -> Socket:
        return self.socket

    def fileno(self) -> int:
        """The descriptor; -1 when it is closed."""
        return self._sock.fileno()

    def getTcpNoDelay(self) -> bool:
        """True unless switched off: uvloop switches it on. Twisted's own transports start with it off."""
        return bool(self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        if enabled and isinstance(self._sock, Accepted) and self._sock.untouched:
            return  # uvloop has done it, and many protocols ask for it on every connection
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)
        except OSError:
            _log.failure("while setting TCP_NODELAY")

    def getTcpKeepAlive(self) -> bool:
        return bool(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)

    # ITLSTransport

    def startTLS(self, contextFactory: Any, normal: bool = True) -> None:  # noqa: N803 - Twisted's name
        """Put Twisted's TLS between the protocol and this stream; `normal` false swaps client and server."""
        start_tls(self, contextFactory, normal)

    # ILoggingContext

    def logPrefix(self) -> str:
        """What log entries made while this stream is served begin with."""
        return self.protocol_name()

    def protocol_name(self) -> str:
        """The name by which the protocol wants to be logged."""
        if ILoggingContext.providedBy(self.protocol):
            return str(self.protocol.logPrefix())
        return type(self.protocol).__name__
