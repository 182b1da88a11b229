"""TLS peers in memory: a server stream of ours at one end, Python's own `ssl` at the other, no socket between them."""

from __future__ import annotations

import ssl
from random import Random
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from zope.interface import implementer

from proxy.alarm import Alarm
from proxy.errors import ProxyError
from proxy.message import Peer
from proxy.tls.keyring import HostPlan, Keyring
from proxy.tls.policies import policy
from proxy.tls.server import Prover, TlsServer
from proxy.tls.shelf import Shelf
from proxy.tls.stapling import Ask, Stapling
from tests.support.ends import End

ADDRESS = IPv4Address("TCP", "203.0.113.7", 51000)


@implementer(IHalfCloseableProtocol)
class Recorder(Protocol):
    """On top of a stream: writes down what happens."""

    def __init__(self) -> None:
        self.heard = b""
        self.ended = False
        self.lost: Any = None

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def readConnectionLost(self) -> None:
        self.ended = True

    def writeConnectionLost(self) -> None:
        """Nothing to do."""

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = reason.value


class Site:
    """Makes recorders."""

    def __init__(self) -> None:
        self.made: list[Recorder] = []
        self.refused: list[ProxyError] = []

    def channel(self) -> Recorder:
        self.made.append(Recorder())
        return self.made[-1]

    def turned_away(self, peer: Peer, error: ProxyError) -> None:
        assert peer == Peer("203.0.113.7", 51000)
        self.refused.append(error)


class Client:
    """A client on Python's `ssl`, and the network between it and the stream."""

    def __init__(self, end: End, context: ssl.SSLContext, name: str | None, session: ssl.SSLSession | None) -> None:
        self.end = end
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name, session=session)

    def shake(self) -> Client:
        """The whole handshake. What ssl raises is raised."""
        for _ in range(8):
            try:
                self.tls.do_handshake()
                self.flush()
                return self
            except ssl.SSLWantReadError:
                self.flush()
        raise AssertionError("the handshake does not end")

    def flush(self, piece: int = 0) -> None:
        """Everything that waits goes over the wire, both ways."""
        self.end.says(self.outgoing.read(), piece)
        self.incoming.write(self.end.takes_raw())

    def says(self, data: bytes) -> None:
        self.tls.write(data)
        self.flush()

    def hears(self) -> bytes:
        self.flush()
        heard = b""
        while True:
            try:
                piece = self.tls.read(65536)
            except ssl.SSLWantReadError:
                return heard
            if not piece:
                return heard
            heard += piece


class Stage:
    """A TLS listener in memory."""

    def __init__(
        self,
        *plans: HostPlan,
        strict: bool = True,
        policy_name: str = "intermediate",
        ask: Ask | None = None,
        prover: Prover | None = None,
        shelf: Shelf | None = None,
        wall: float = 1_000.0,
    ) -> None:
        self.clock = Clock()
        self.alarm = Alarm(self.clock, self.clock.seconds)
        self.site = Site()
        self.wall = wall
        protocols, chosen = (b"http/1.1",), policy(policy_name)
        stapling = Stapling(ask, lambda: self.wall, Random(1), shelf=shelf) if ask is not None else None
        self.keyring = Keyring(
            plans, chosen, protocols, self.alarm, strict=strict, now=lambda: self.wall, stapling=stapling
        )
        self.server = TlsServer(self.keyring, self.alarm, protocols, 10.0, prover)

    @property
    def refused(self) -> list[ProxyError]:
        """Why handshakes came to nothing."""
        return self.site.refused

    def accept(self) -> tuple[End, Any]:
        """A connection of a client that has said nothing yet, and our stream of it."""
        end = End(self.clock, ADDRESS)
        stream = self.server.stream(self.site, ADDRESS)
        end.joins(stream)
        return end, stream

    def client(
        self,
        name: str | None,
        ca: str,
        *,
        certificate: Any = None,
        session: ssl.SSLSession | None = None,
        context: ssl.SSLContext | None = None,
    ) -> Client:
        """A client that asks for `name` and trusts `ca`."""
        context = context or client_context(ca, certificate)
        return Client(self.accept()[0], context, name, session)

    @property
    def top(self) -> Recorder:
        """What stands on top of the connection made last."""
        return self.site.made[-1]

    def passes(self, seconds: float) -> None:
        for _ in range(int(seconds * 10) + 1):
            self.clock.advance(0.1)


def client_context(ca: str, certificate: Any = None, version: str = "1.3") -> ssl.SSLContext:
    """A client that believes `ca`; `certificate` is an `Issued` of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    context.check_hostname = False
    if version == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        context.load_cert_chain(certificate.cert, certificate.key)
    return context
