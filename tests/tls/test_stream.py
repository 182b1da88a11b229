"""The transport that stands between TLS and a protocol. Its conversations are in test_server.py and test_client.py."""

from pathlib import Path

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IHalfCloseableProtocol, INegotiated, ISSLTransport, ITCPTransport
from zope.interface.verify import verifyObject

from proxy.tls.contexts import CertificateFiles
from proxy.tls.keyring import HostPlan
from tests.support.authority import Authority
from tests.tls.peers import ADDRESS, Client, Stage


def open_stream(folder: Path) -> tuple[Stage, Client]:
    authority = Authority(folder)
    one = authority.issue("a.test")
    stage = Stage(HostPlan((CertificateFiles(one.cert, one.key),)))
    return stage, stage.client("a.test", authority.ca).shake()


def test_it_is_what_twisted_means_by_such_a_transport(tmp_path: Path) -> None:
    stage, _ = open_stream(tmp_path)
    for interface in (ISSLTransport, ITCPTransport, INegotiated, IHalfCloseableProtocol):
        assert verifyObject(interface, stage.top.transport)


def test_it_passes_on_what_the_transport_below_knows(tmp_path: Path) -> None:
    stage, client = open_stream(tmp_path)
    transport = stage.top.transport
    assert transport.getPeer() == ADDRESS
    assert isinstance(transport.getHost(), IPv4Address)
    transport.setTcpNoDelay(True)
    assert transport.getTcpNoDelay()
    transport.setTcpKeepAlive(True)
    assert transport.getTcpKeepAlive() is False
    assert transport.getPeerCertificate() is None
    transport.pauseProducing()
    assert not client.end.is_read
    transport.resumeProducing()
    assert client.end.is_read


def test_pieces_leave_as_one_record(tmp_path: Path) -> None:
    stage, client = open_stream(tmp_path)
    client.end.takes_raw()
    stage.top.transport.writeSequence([b"one ", b"two ", b"three"])
    stage.clock.advance(0)
    sent = client.end.takes_raw()
    assert len(sent) == 5 + int.from_bytes(sent[3:5], "big")
    client.incoming.write(sent)
    assert client.tls.read(100) == b"one two three"


def test_nothing_is_written_before_the_handshake_or_after_the_end(tmp_path: Path) -> None:
    stage, client = open_stream(tmp_path)
    end, early = stage.accept()
    early.write(b"too early")
    stage.clock.advance(0)
    assert end.takes_raw() == b""
    assert repr(early) == "<ServerStream shaking hands None>"
    transport = stage.top.transport
    transport.loseConnection()
    transport.loseConnection()
    transport.write(b"too late")
    assert transport.disconnecting
    assert client.hears() == b""


def test_a_large_write_is_cut_into_records_that_fit(tmp_path: Path) -> None:
    stage, client = open_stream(tmp_path)
    client.end.takes_raw()
    stage.top.transport.write(bytes(50_000))
    stage.clock.advance(0)
    sent, records = client.end.takes_raw(), []
    while sent:
        length = int.from_bytes(sent[3:5], "big")
        records.append(length)
        sent = sent[5 + length :]
    assert len(records) == 4
    assert max(records) <= (1 << 14) + 256

