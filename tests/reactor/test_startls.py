from __future__ import annotations

import datetime
import socket
from typing import Any

import pytest
import twisted.internet
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet import ssl
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import ClientFactory, Factory

from proxy.reactor.loop import UvloopReactor
from tests.reactor.conversation import Producer, Recorder, converse, until

# Of pyOpenSSL about what Twisted uses.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def _as_global_reactor(reactor: UvloopReactor, monkeypatch: pytest.MonkeyPatch) -> None:
    # Twisted's TLS collects small writes until the next turn of the global reactor.
    monkeypatch.setattr(twisted.internet, "reactor", reactor, raising=False)


@pytest.fixture(scope="module")
def certificate() -> ssl.PrivateCertificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return ssl.PrivateCertificate.loadPEM(pem)


class Upgrading(Recorder):
    """Starts TLS when it is told to; what it writes before goes in the clear."""

    def __init__(self, context: Any) -> None:
        super().__init__()
        self.context = context

    def upgrade(self) -> None:
        self.transport.startTLS(self.context)


async def pair(reactor: UvloopReactor, certificate: ssl.PrivateCertificate) -> tuple[Upgrading, Upgrading]:
    server = Upgrading(certificate.options())
    client = Upgrading(ssl.optionsForClientTLS("localhost", trustRoot=certificate))
    serving, dialing = Factory(), ClientFactory()
    serving.buildProtocol = lambda addr: server  # type: ignore[method-assign]
    dialing.buildProtocol = lambda addr: client  # type: ignore[method-assign]
    port = reactor.listenTCP(0, serving, interface="127.0.0.1")
    reactor.connectTCP("127.0.0.1", port.getHost().port, dialing)
    await server.made
    await client.made
    return server, client


def test_a_conversation_turns_to_tls_in_the_middle(reactor: UvloopReactor, certificate: ssl.PrivateCertificate) -> None:
    async def conversation() -> None:
        server, client = await pair(reactor, certificate)
        client.transport.write(b"STARTTLS")
        await until(reactor, lambda: server.received)
        assert server.received == [b"STARTTLS"]
        server.upgrade()
        client.upgrade()
        client.transport.write(b"in secret")
        server.transport.writeSequence([b"so ", b"am I"])
        await until(reactor, lambda: b"".join(server.received[1:]) == b"in secret")
        await until(reactor, lambda: b"".join(client.received) == b"so am I")
        assert ISSLTransport.providedBy(client.transport)
        assert client.transport.getPeerCertificate() is not None  # type: ignore[attr-defined]
        client.transport.loseConnection()
        assert (await client.ended()).check(ConnectionDone)
        assert (await server.ended()).check(ConnectionDone)

    converse(reactor, conversation)


def test_a_producer_registered_before_is_paused_and_resumed_after(
    reactor: UvloopReactor, certificate: ssl.PrivateCertificate
) -> None:
    async def conversation() -> None:
        server, client = await pair(reactor, certificate)
        producer = Producer()
        server.transport.registerProducer(producer, True)
        server.upgrade()
        client.upgrade()
        client.transport.write(b"shake hands")
        await until(reactor, lambda: server.received)
        client.transport.pauseProducing()
        server.transport.write(b"x" * (8 << 20))
        await until(reactor, lambda: producer.log)
        assert producer.log[-1] == "pause"
        client.transport.resumeProducing()
        await until(reactor, lambda: sum(map(len, client.received)) == 8 << 20)
        assert producer.log[-1] == "resume"
        client.transport.abortConnection()
        await server.ended()
        assert producer.log[-1] == "stop"

    converse(reactor, conversation)


def test_other_streams_pay_nothing(reactor: UvloopReactor, certificate: ssl.PrivateCertificate) -> None:
    async def conversation() -> None:
        server, _ = await pair(reactor, certificate)
        assert vars(server.transport) == {}
        assert isinstance(server.transport.getHandle(), socket.socket)

    converse(reactor, conversation)
