"""TLS between a protocol and its transport, for both ends.

Below stands the reactor's transport, on top the application's protocol, which comes into being only when the handshake
is over: it never has to wait, and what it writes is encrypted at once. To it this object is the transport.

    SHAKING   the handshake is under way                    handshake: cut
    OPEN      bytes go both ways
    HALF      we have said that nothing more comes, and listen on
    CLOSING   we have said so and do not listen any more    close: cut
    CLOSED    nothing is believed or said any more          close: cut

Twisted's own `TLSMemoryBIOProtocol` does the same with more generality and in twice the time for a message; it waits
for ever for a peer that does not answer the end, and has no deadline of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from enum import Enum
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, INegotiated, IProducer, ISSLTransport, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from proxy import limits
from proxy.alarm import NEVER, Alarm
from proxy.tls.cipher import Cipher
from proxy.tls.contexts import Verdict, said


class State(Enum):
    SHAKING = "shaking hands"
    OPEN = "open"
    HALF = "half closed"
    CLOSING = "closing"
    CLOSED = "closed"


SHAKING, OPEN, HALF, CLOSING, CLOSED = State


class HandshakeError(Exception):
    """There will be no connection.

    @ivar verdict: what was wrong with the peer's certificate, if that was it.
    @ivar timed_out: it took too long.
    """

    def __init__(self, words: str, verdict: Verdict, timed_out: bool = False) -> None:
        super().__init__(words)
        self.verdict = verdict
        self.timed_out = timed_out


@implementer(IHalfCloseableProtocol, ISSLTransport, ITCPTransport, INegotiated)
class TlsStream(Protocol):
    """One connection. Subclasses say what follows a handshake, and a failed one.

    @ivar negotiatedProtocol: what ALPN chose, None for nothing; for whoever asks a Twisted transport.
    """

    transport: Any
    TLS = True
    negotiatedProtocol: bytes | None = None

    def __init__(self, alarm: Alarm) -> None:
        self.deadline = self.look_at = NEVER
        self.state = SHAKING
        self.verdict = Verdict()
        self._alarm = alarm
        self._tls: SSL.Connection = None  # type: ignore[assignment] # until `begin`
        self._cipher: Cipher = None  # type: ignore[assignment] # until `begin`
        self._above: Any = None
        self._peer_done = False

    # --- the handshake ------------------------------------------------------------------------------------

    def secured(self) -> None:
        """The handshake is over: subclasses give `put_above` the protocol for on top."""
        raise NotImplementedError

    def failed(self, error: HandshakeError) -> None:
        """The handshake has come to nothing; the connection closes by itself."""
        raise NotImplementedError

    def begin(self, connection: SSL.Connection, received: bytes = b"") -> None:
        """Shake hands; `received` is what the peer has said already."""
        self._tls = connection
        self._cipher = Cipher(connection)
        connection.set_app_data(self.verdict)
        if received:
            connection.bio_write(received)
        self._shake()

    def shaking(self, data: bytes) -> None:
        """The peer goes on with the handshake."""
        self._tls.bio_write(data)
        self._shake()

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self._flush()
            return
        except SSL.Error as error:
            self._flush()  # the alert that says so
            self.give_up(said(error))
            return
        self._flush()  # at once: a client with Nagle's algorithm waits for a sign of life before it sends its request
        self._alarm.clear(self)
        self.negotiatedProtocol = self._tls.get_alpn_proto_negotiated() or None
        self.state = OPEN
        self.secured()
        if self._above is not None:
            self.dataReceived(b"")  # what has come with the end of the handshake

    def put_above(self, protocol: Any) -> None:
        """`protocol` is on top from now on."""
        self._above = protocol
        protocol.makeConnection(self)

    def give_up(self, words: str, timed_out: bool = False) -> None:
        """End the handshake, and the connection with it."""
        if self.state is SHAKING:
            self.state = CLOSED
            self._alarm.clear(self)
            self.failed(HandshakeError(words, self.verdict, timed_out))
            self.transport.loseConnection()

    # --- doors below: what the reactor calls --------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        if self.state is OPEN or self.state is HALF:
            data = self._cipher.open(data)
            if self._cipher.more:
                self._receive_more(data)
            else:
                self._above.dataReceived(data)
        elif self.state is SHAKING:
            self.shaking(data)

    def readConnectionLost(self) -> None:
        """The peer's bytes end. Without a word of TLS before it, an attacker may have cut them off."""
        if self.state in (OPEN, HALF) and not self._peer_done:
            self._lose(Failure(ConnectionLost("the peer closed without TLS's close_notify")))
            self.transport.loseConnection()
        elif self.state is not OPEN:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """All that we said has been sent; now it is the peer's turn."""
        if self.state is CLOSING:
            self._alarm.set(self, limits.TLS_CLOSE_SECONDS)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._alarm.forget(self)
        before, self.state = self.state, CLOSED
        if before is SHAKING:
            self.failed(HandshakeError("the peer closed the connection in the handshake", self.verdict))
        above, self._above = self._above, None
        if above is not None:
            above.connectionLost(Failure(ConnectionDone()) if self._peer_done or before is CLOSING else reason)

    def time_passed(self) -> None:
        if self.state is SHAKING:
            self.give_up("it took too long", timed_out=True)
        if self.state is CLOSING:
            self.transport.loseConnection()  # all has been sent, so this does not wait
        else:
            self.transport.abortConnection()

    # --- bytes --------------------------------------------------------------------------------------------

    def _receive_more(self, opened: bytes) -> None:
        """Something of the protocol itself has come, or several records, or a part of one."""
        cipher = self._cipher
        cipher.more = False
        self._flush()
        if opened and self._above is not None:
            self._above.dataReceived(opened)
        if isinstance(cipher.over, SSL.ZeroReturnError):
            self._peer_ended()
        elif cipher.over is not None:
            self._lose(Failure(ConnectionLost(f"TLS: {said(cipher.over)}")))
            self.transport.abortConnection()

    def _flush(self) -> None:
        """Send what the protocol itself has to say."""
        words = self._cipher.take()
        if words:
            self.transport.write(words)

    def _peer_ended(self) -> None:
        """close_notify (RFC 8446 section 6.1): the peer sends nothing more."""
        if self._peer_done or self.state not in (OPEN, HALF):
            return
        self._peer_done = True
        if IHalfCloseableProtocol.providedBy(self._above):
            self._above.readConnectionLost()
        else:
            self.loseConnection()

    def _lose(self, reason: Failure) -> None:
        """The bytes below cannot be believed any more."""
        self.state = CLOSED
        above, self._above = self._above, None
        self.transport.unregisterProducer()
        self._alarm.set(self, limits.TLS_CLOSE_SECONDS)
        if above is not None:
            above.connectionLost(reason)

    # --- doors above: what the protocol calls -------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if self.state is OPEN and data:
            self.transport.write(self._cipher.seal(data))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseWriteConnection(self) -> None:
        """Say that nothing more comes, and listen on."""
        if self.state is OPEN:
            self._say_end()
            self.state = HALF
            self.transport.loseWriteConnection()

    def loseConnection(self) -> None:
        """Close when all has been sent. A peer that does not close as well is given a moment, no more."""
        if self.state is OPEN and not self._peer_done:
            self._say_end()
            self.state = CLOSING
            self.transport.loseWriteConnection()
            self.transport.resumeProducing()  # else its end would go unnoticed
        elif self.state in (OPEN, HALF):
            if self.state is OPEN:
                self._say_end()
            self.state = CLOSING
            self.transport.loseConnection()

    def _say_end(self) -> None:
        with suppress(SSL.Error):  # the connection is broken: then there is nobody to say it to
            self._tls.shutdown()
        self._flush()

    def abortConnection(self) -> None:
        if self.state is not SHAKING:  # else `connectionLost` tells that there will be no connection
            self.state = CLOSED
        self.transport.abortConnection()

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """The transport below knows best when it can take more: it gets the producer itself."""
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        self.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        self.loseConnection()

    # --- what is known ------------------------------------------------------------------------------------

    @property
    def disconnecting(self) -> bool:
        return self.state in (CLOSING, CLOSED)

    @property
    def tls(self) -> SSL.Connection:
        """For whoever wants to know more of the handshake."""
        return self._tls

    def getPeerCertificate(self) -> Any:
        return self._tls.get_peer_certificate()

    def getPeer(self) -> Any:
        return self.transport.getPeer()

    def getHost(self) -> Any:
        return self.transport.getHost()

    def getTcpNoDelay(self) -> bool:
        return bool(self.transport.getTcpNoDelay())

    def setTcpNoDelay(self, enabled: bool) -> None:
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(enabled)

    def getTcpKeepAlive(self) -> bool:
        return bool(self.transport.getTcpKeepAlive())

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.transport.setTcpKeepAlive(enabled)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.value} {self._above!r}>"
