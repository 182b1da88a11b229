"""TLS on a listener: each connection says whom it wants, meets that host, and goes on with the site's protocol.

The context is chosen before OpenSSL sees the first byte (`hello.py` says why), so that everything about a connection,
the verification of its client above all, is that of its host from the beginning. Changing the context later, in a
servername callback, would keep the verification mode of the first one, and its sessions.
"""

from __future__ import annotations

from typing import Any, Protocol

from OpenSSL import SSL
from twisted.internet.interfaces import IAddress, IProtocol

from proxy import limits
from proxy.alarm import Alarm
from proxy.errors import TLS_CERTIFICATE, TLS_HANDSHAKE, TLS_NAME, TLS_PENDING, TLS_TIMEOUT, ProxyError, Reason
from proxy.message import Peer
from proxy.tls.certificates import UNREADABLE
from proxy.tls.cipher import session_reused
from proxy.tls.contexts import Shown
from proxy.tls.forwarded import element
from proxy.tls.guard import Credentials
from proxy.tls.hello import NO_HELLO, SHREDDED, Hello, HelloReader, looks_like_http
from proxy.tls.keyring import Host, Keyring
from proxy.tls.stream import HandshakeError, TlsStream


class Prover(Protocol):
    """Proves to an authority that names are ours (tls-alpn-01, RFC 8737)."""

    def context(self, server_name: str) -> SSL.Context | None:
        """For a handshake about `server_name`; None where nobody has asked for it."""


class Owner(Protocol):
    """The site that a listener belongs to."""

    def channel(self) -> IProtocol:
        """The protocol for on top of a connection."""

    def turned_away(self, peer: Peer, error: ProxyError) -> None:
        """A handshake has come to nothing."""


# Fatal alerts of RFC 8446 section 6.2, sent before there is a connection to encrypt them.
_ALERT = b"\x15\x03\x03\x00\x02\x02"
DECODE_ERROR, INTERNAL_ERROR, UNRECOGNIZED_NAME, NO_APPLICATION_PROTOCOL = 50, 80, 112, 120

# What an authority speaks that wants a proof, and nothing else beside it (RFC 8737 section 4).
_PROVING = (b"acme-tls/1",)

_SPEAK_TLS = b"This port speaks TLS: the URL begins with https://\n"
_NOT_TLS = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
    % (len(_SPEAK_TLS), _SPEAK_TLS)
)


class TlsServer:
    """What the connections of a listener share.

    @param protocols: what is spoken on top (ALPN).
    @param handshake_seconds: how long a client may take from its acceptance to the end of the handshake.
    @param prover: meets authorities; None where no certificates are ordered.
    """

    def __init__(
        self,
        keyring: Keyring,
        alarm: Alarm,
        protocols: tuple[bytes, ...],
        handshake_seconds: float,
        prover: Prover | None = None,
    ) -> None:
        self.keyring = keyring
        self.alarm = alarm
        self.protocols = protocols
        self.handshake_seconds = handshake_seconds
        self.prover = prover

    def stream(self, owner: Owner, address: IAddress | None) -> ServerStream:
        """For a connection that has been accepted."""
        return ServerStream(self, owner, address)

    def __repr__(self) -> str:
        return f"<TlsServer {self.keyring!r}>"


class ServerStream(TlsStream):
    """A client's connection.

    @ivar credentials: what the handshake has settled; None before its end.
    """

    def __init__(self, server: TlsServer, owner: Owner, address: IAddress | None) -> None:
        super().__init__(server.alarm)
        self.credentials: Credentials | None = None
        self._server = server
        self._owner = owner
        self._address = address
        self._reader: HelloReader | None = HelloReader()
        self._hello = NO_HELLO
        self._host: Host = server.keyring.default
        self._why = TLS_HANDSHAKE
        self._proves = False

    # --- the handshake ------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        self._alarm.set(self, self._server.handshake_seconds)

    def shaking(self, data: bytes) -> None:
        if self._reader is None:
            super().shaking(data)
            return
        hello = self._reader.feed(data)
        if hello is not None:
            data, self._reader = self._reader.data, None
            self._meet(hello, data)

    def _meet(self, hello: Hello, data: bytes) -> None:
        """Choose the host, and let it go on."""
        self._hello = hello
        if hello is NO_HELLO and looks_like_http(data):
            self.transport.write(_NOT_TLS)
            self.give_up("plain HTTP")
            return
        if hello is SHREDDED:
            self._alert(DECODE_ERROR, f"a hello in more than {limits.HELLO_RECORDS} records")
            return
        if hello.protocols == _PROVING and self._server.prover is not None:
            self._prove(self._server.prover.context(hello.server_name), data)
            return
        host = self._server.keyring.find(hello.server_name)
        if host is None:
            self._why = TLS_NAME
            self._alert(UNRECOGNIZED_NAME, f"no certificate for {hello.server_name!r}")
            return
        if hello.protocols and not set(hello.protocols) & set(self._server.protocols):
            # Going on regardless is what lets attackers redirect one protocol to a server of another (RFC 7301).
            offered = b" ".join(hello.protocols).decode("ascii", "replace")
            self._alert(NO_APPLICATION_PROTOCOL, f"none of these protocols is spoken here: {offered}")
            return
        if host.context is None:
            self._why = TLS_PENDING
            self._alert(INTERNAL_ERROR, f"the certificate for {', '.join(host.names)} has not been issued yet")
            return
        self._host = host
        self._go_on(host.context, data)

    def _go_on(self, context: SSL.Context, data: bytes) -> None:
        connection = SSL.Connection(context, None)
        connection.set_accept_state()
        self.begin(connection, data)

    def _prove(self, context: SSL.Context | None, data: bytes) -> None:
        """The handshake itself is the proof: nothing is said on top of it (RFC 8737 section 3)."""
        if context is None:
            self._alert(NO_APPLICATION_PROTOCOL, f"no proof of {self._hello.server_name!r} has been asked for")
            return
        self._proves = True
        self._go_on(context, data)

    def _alert(self, code: int, words: str) -> None:
        self.transport.write(_ALERT + bytes([code]))
        self.give_up(words)

    def secured(self) -> None:
        said = self.tls.get_servername() or b""
        if not said and self.tls.get_protocol_version() == SSL.TLS1_2_VERSION and session_reused(self.tls):
            # OpenSSL does not read the name again. The ticket's keys are those of the host that we have found by it.
            said = self._hello.server_name.encode("ascii")
        if said.lower().removesuffix(b".") != self._hello.server_name.encode("ascii"):
            # OpenSSL and we have read different names: nobody knows for whom this connection is.
            self._turn_away(TLS_NAME, f"OpenSSL reads the name {said!r}, which is not what stands in the hello")
            return
        if self._proves:
            self.loseConnection()
            return
        try:
            forwarded, shown = self._client() if self._host.client is not None else (b"", None)
        except UNREADABLE as error:
            self._turn_away(TLS_CERTIFICATE, f"the client's certificate cannot be read: {error}")
            return
        self.credentials = Credentials(self._hello.server_name, self._host, self._server.keyring, forwarded, shown)
        self.put_above(self._owner.channel())

    def _client(self) -> tuple[bytes, Shown | None]:
        """Who the client has shown to be: what the upstream is told of it, and what it can be asked about later.

        @raise UNREADABLE: its certificate makes no sense, although OpenSSL has found nothing wrong with it.
        """
        certificate = self.tls.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            return b"", None
        return element(certificate), Shown(self.tls, self.tls.get_context())

    def _turn_away(self, reason: Reason, words: str) -> None:
        """After its handshake: OpenSSL takes this client, and we do not."""
        self.abortConnection()
        self._tell(reason, words)

    def failed(self, error: HandshakeError) -> None:
        if self._reader is not None and not self._reader.data:
            return  # it never said a word: a look whether the port is open
        reason, words = self._why, str(error)
        if error.verdict.code:
            reason, words = TLS_CERTIFICATE, f"the client's certificate: {error.verdict.words}"
        elif "peer did not return a certificate" in words:
            reason = TLS_CERTIFICATE
        elif error.timed_out:
            reason = TLS_TIMEOUT
        self._tell(reason, words)

    def _tell(self, reason: Reason, words: str) -> None:
        address: Any = self._address
        peer = Peer(getattr(address, "host", ""), getattr(address, "port", 0))
        self._owner.turned_away(peer, ProxyError(reason, words))
