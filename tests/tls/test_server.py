"""A listener with TLS, from the first byte of a client to the protocol on top."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from twisted.internet.error import ConnectionDone

from proxy.acme.keys import ACME_IDENTIFIER
from proxy.acme.order import Proof
from proxy.acme.proofs import Proofs
from proxy.errors import TLS_CERTIFICATE, TLS_HANDSHAKE, TLS_NAME, TLS_PENDING, TLS_TIMEOUT
from proxy.limits import HELLO_RECORDS, TLS_CLOSE_SECONDS
from proxy.tls.contexts import CertificateFiles, ClientPolicy
from proxy.tls.keyring import HostPlan
from tests.support.authority import Authority, Issued
from tests.support.odd import signed_oddly
from tests.tls.peers import Client, Stage, client_context


def plan(*issued: Issued, client: ClientPolicy | None = None, names: tuple[str, ...] = ()) -> HostPlan:
    return HostPlan(tuple(CertificateFiles(one.cert, one.key) for one in issued), names, client)


def names_met(client: Client) -> list[str]:
    der = client.tls.getpeercert(binary_form=True)
    assert der is not None
    certificate = x509.load_der_x509_certificate(der)
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return san.get_values_for_type(x509.DNSName)


# --- the right host ---------------------------------------------------------------------------------------


def test_each_name_gets_its_certificate(authority: Authority) -> None:
    hosts = [authority.issue(name) for name in ("a.example", "*.b.example", "b.example")]
    stage = Stage(*map(plan, hosts), strict=False)
    for name, met in (
        ("a.example", "a.example"),
        ("A.Example", "a.example"),
        ("b.example", "b.example"),
        ("x.b.example", "*.b.example"),
        ("unknown.example", "a.example"),
        (None, "a.example"),
    ):
        assert names_met(stage.client(name, authority.ca).shake()) == [met]


def test_a_wildcard_takes_one_label_only(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("*.b.example")))
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        stage.client("x.y.b.example", authority.ca).shake()


def test_an_unknown_name_is_refused_with_its_own_alert(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        stage.client("b.example", authority.ca).shake()
    assert [error.reason for error in stage.refused] == [TLS_NAME]
    assert stage.site.made == []


def test_a_client_without_a_name_gets_the_first_certificate_although_unknown_names_are_refused(
    authority: Authority,
) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    assert names_met(stage.client(None, authority.ca).shake()) == ["a.example"]


def test_rsa_and_ecdsa_stand_side_by_side(authority: Authority) -> None:
    both = plan(authority.issue("a.example", file="ec"), authority.issue("a.example", file="rsa", use_rsa=True))
    stage = Stage(both)
    for cipher in ("ECDSA", "RSA"):
        context = client_context(authority.ca, version="1.2")
        context.set_ciphers(f"ECDHE-{cipher}-AES128-GCM-SHA256")
        client = stage.client("a.example", authority.ca, context=context).shake()
        assert client.tls.cipher()[0] == f"ECDHE-{cipher}-AES128-GCM-SHA256"  # type: ignore[index]


# --- certificates by ACME ---------------------------------------------------------------------------------


def test_until_its_certificate_is_there_a_host_is_refused_and_the_others_are_served(
    authority: Authority, tmp_path: Path
) -> None:
    files = CertificateFiles(str(tmp_path / "b.pem"), str(tmp_path / "b.pem"))
    stage = Stage(plan(authority.issue("a.example")), HostPlan((files,), ("b.example",), awaited=True))
    with pytest.raises(ssl.SSLError, match=r"(?i)internal.error"):
        stage.client("b.example", authority.ca).shake()
    assert [error.reason for error in stage.refused] == [TLS_PENDING]
    talking = stage.client("a.example", authority.ca).shake()
    one = authority.issue("b.example")
    Path(files.cert).write_bytes(Path(one.key).read_bytes() + Path(one.cert).read_bytes())
    stage.keyring.take(files)
    assert names_met(stage.client("b.example", authority.ca).shake()) == ["b.example"]
    talking.says(b"still here")
    assert stage.site.made[0].heard == b"still here"


def proving_client(*protocols: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    return context


def test_an_authority_that_asks_for_proof_gets_it_and_nothing_else(authority: Authority) -> None:
    proofs = Proofs()
    proofs.show(Proof("tls-alpn-01", "b.example", "token", "token.print"))
    stage = Stage(plan(authority.issue("a.example")), prover=proofs)
    client = stage.client("b.example", authority.ca, context=proving_client("acme-tls/1")).shake()
    assert client.tls.selected_alpn_protocol() == "acme-tls/1"
    der = client.tls.getpeercert(binary_form=True)
    assert der is not None
    certificate = x509.load_der_x509_certificate(der)
    assert certificate.extensions.get_extension_for_oid(ACME_IDENTIFIER).critical
    client.flush()
    assert stage.site.made == []
    assert stage.refused == []
    assert client.hears() == b""
    stage.passes(TLS_CLOSE_SECONDS + 0.3)
    assert client.end.was_closed or client.end.was_cut


@pytest.mark.parametrize("name", ["a.example", "c.example"])
def test_nobody_else_gets_it(authority: Authority, name: str) -> None:
    proofs = Proofs()
    proofs.show(Proof("tls-alpn-01", "b.example", "token", "token.print"))
    for prover in (proofs, None):
        stage = Stage(plan(authority.issue("a.example")), prover=prover)
        with pytest.raises(ssl.SSLError, match=r"(?i)application.protocol|unrecognized.name"):
            stage.client(name, authority.ca, context=proving_client("acme-tls/1")).shake()
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        stage.client("b.example", authority.ca, context=proving_client("acme-tls/1", "http/1.1")).shake()


# --- bytes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_bytes_go_both_ways_whatever_their_size(authority: Authority, version: str) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    client = stage.client("a.example", authority.ca, context=client_context(authority.ca, version=version)).shake()
    assert client.tls.version() == f"TLSv{version}"
    for size in (1, 1000, 16384, 16385, 100_000):
        client.says(b"q" * size)
        assert stage.top.heard == b"q" * size
        stage.top.heard = b""
        stage.top.transport.write(b"a" * size)
        stage.clock.advance(0)
        assert client.hears() == b"a" * size


@pytest.mark.parametrize("piece", [1, 7, 100])
def test_a_handshake_may_come_in_pieces(authority: Authority, piece: int) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    client = stage.client("a.example", authority.ca)
    for _ in range(5):
        try:
            client.tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            client.flush(piece)
    client.tls.write(b"GET /")
    client.flush(piece)
    assert stage.top.heard == b"GET /"


def test_what_comes_together_with_the_end_of_the_handshake_is_not_lost(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    client = stage.client("a.example", authority.ca)
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.flush()
    client.tls.do_handshake()
    client.tls.write(b"at once")
    client.flush()
    assert stage.top.heard == b"at once"


def test_a_producer_is_paused_by_the_transport_below(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    client = stage.client("a.example", authority.ca).shake()
    said: list[str] = []

    class Producer:
        def pauseProducing(self) -> None:
            said.append("pause")

        def resumeProducing(self) -> None:
            said.append("resume")

        def stopProducing(self) -> None:
            said.append("stop")

    stage.top.transport.registerProducer(Producer(), True)
    client.end.stops_reading()
    stage.top.transport.write(b"x" * 100_000)
    assert said == ["pause"]
    client.end.reads_again()
    assert said == ["pause", "resume"]
    assert client.hears() == b"x" * 100_000


# --- who does not come in -----------------------------------------------------------------------------------


def test_plain_http_is_told_so(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    end, _ = stage.accept()
    end.says(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
    heard = end.takes_raw()
    head, _, body = heard.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"Content-Length: %d" % len(body) in head
    assert end.was_closed
    assert [error.reason for error in stage.refused] == [TLS_HANDSHAKE]


@pytest.mark.parametrize(
    "noise", [b"\x00\x01\x02 no TLS, no HTTP", b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", b"\x80\x2e\x01"]
)
def test_noise_is_refused(authority: Authority, noise: bytes) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    end, _ = stage.accept()
    end.says(noise)
    end.half_closes()
    assert end.closed is not None
    assert [error.reason for error in stage.refused] == [TLS_HANDSHAKE]


def test_a_hello_in_a_thousand_records_is_refused(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    end, _ = stage.accept()
    for byte in b"\x01\x00\x3f\xf0" + bytes(HELLO_RECORDS):
        end.says(b"\x16\x03\x01\x00\x01" + bytes([byte]))
    assert end.takes_raw() == b"\x15\x03\x03\x00\x02\x02\x32"
    assert end.was_closed
    assert [str(error) for error in stage.refused] == ["client.tls.handshake: a hello in more than 64 records"]


def test_a_protocol_that_nobody_speaks_is_refused(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    context = client_context(authority.ca)
    context.set_alpn_protocols(["ftp"])
    with pytest.raises(ssl.SSLError, match=r"(?i)no.application.protocol"):
        stage.client("a.example", authority.ca, context=context).shake()


def test_the_protocol_is_agreed_on(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    context = client_context(authority.ca)
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = stage.client("a.example", authority.ca, context=context).shake()
    assert client.tls.selected_alpn_protocol() == "http/1.1"
    assert stage.top.transport.negotiatedProtocol == b"http/1.1"


def test_a_client_that_is_too_old_is_refused(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("a.example")), policy_name="modern")
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        stage.client("a.example", authority.ca, context=client_context(authority.ca, version="1.2")).shake()
    assert [error.reason for error in stage.refused] == [TLS_HANDSHAKE]


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_handshake_has_a_deadline(authority: Authority, said: bytes) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    end, _ = stage.accept()
    end.says(said)
    stage.passes(9.5)
    assert end.is_open
    stage.passes(1)
    assert end.was_cut
    assert [error.reason for error in stage.refused] == ([TLS_TIMEOUT] if said else [])


def test_a_handshake_in_the_middle_has_the_same_deadline(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    client = stage.client("a.example", authority.ca)
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.flush()
    stage.passes(10.5)
    assert client.end.closed is not None
    assert [error.reason for error in stage.refused] == [TLS_TIMEOUT]


# --- the end ----------------------------------------------------------------------------------------------


def test_we_close_and_the_client_answers(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    client = stage.client("a.example", authority.ca).shake()
    stage.top.transport.write(b"last words")
    stage.top.transport.loseConnection()
    stage.clock.advance(0)
    assert client.hears() == b"last words"
    assert client.end.eof
    assert client.end.closed is None
    client.end.half_closes()
    stage.clock.advance(0)
    assert client.end.was_closed
    assert isinstance(stage.top.lost, ConnectionDone)


def test_a_client_that_does_not_answer_the_end_is_not_waited_for(authority: Authority) -> None:
    # Twisted's own TLS waits for ever (its issue 7926).
    stage = Stage(plan(authority.issue("a.example")))
    client = stage.client("a.example", authority.ca).shake()
    stage.top.transport.loseConnection()
    stage.passes(TLS_CLOSE_SECONDS - 0.5)
    assert client.end.closed is None
    stage.passes(1)
    assert client.end.closed is not None
    assert stage.top.lost is not None


def test_a_client_that_closes_is_answered(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    client = stage.client("a.example", authority.ca).shake()
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.unwrap()
    client.flush()
    assert stage.top.ended
    stage.top.transport.loseConnection()
    stage.clock.advance(0)
    client.flush()
    client.tls.unwrap()
    assert client.end.was_closed


def test_a_connection_that_is_over_is_kept_by_nobody(authority: Authority) -> None:
    """Else each would stay until the deadline of its handshake, with 25 KiB of OpenSSL's: a thousand clients a second
    would fill the memory."""
    one = authority.issue("a.test")
    stage = Stage(plan(one))
    client = stage.client("a.test", authority.ca).shake()
    assert repr(stage.alarm) == "<Alarm 1 to look at>"
    client.end.leaves()
    stage.passes(0.1)
    assert stage.top.lost is not None
    assert repr(stage.alarm) == "<Alarm 0 to look at>"


def test_an_end_without_the_word_for_it_is_no_end(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    client = stage.client("a.example", authority.ca).shake()
    client.says(b"half a mess")
    client.end.half_closes()
    assert stage.top.heard == b"half a mess"
    assert not isinstance(stage.top.lost, ConnectionDone)
    assert stage.top.lost is not None


def test_forged_bytes_end_the_connection(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    client = stage.client("a.example", authority.ca).shake()
    client.end.says(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    assert stage.top.heard == b""
    assert stage.top.lost is not None
    stage.clock.advance(0)
    assert client.end.was_cut


def test_half_closed_we_still_listen(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    client = stage.client("a.example", authority.ca).shake()
    stage.top.transport.loseWriteConnection()
    stage.top.transport.write(b"too late")
    stage.clock.advance(0)
    assert client.hears() == b""
    client.says(b"the rest of the request")
    assert stage.top.heard == b"the rest of the request"


# --- client certificates ------------------------------------------------------------------------------------


def test_a_host_that_needs_a_certificate(authority: Authority) -> None:
    asking = plan(authority.issue("m.example"), client=ClientPolicy(True, authority.ca))
    stage = Stage(plan(authority.issue("a.example")), asking)
    client = stage.client("m.example", authority.ca, certificate=authority.issue("client.example")).shake()
    client.says(b"hello")
    assert stage.top.heard == b"hello"
    credentials = stage.top.transport.credentials
    assert credentials.server_name == "m.example"
    assert b'Subject="CN=client.example"' in credentials.forwarded
    stranger = Authority(authority.folder, "Stranger").issue("client.example", file="stranger")
    for certificate in (None, stranger):
        turned_away = stage.client("m.example", authority.ca, certificate=certificate)
        with pytest.raises(ssl.SSLError):
            turned_away.shake()
            turned_away.hears()
    assert [error.reason for error in stage.refused] == [TLS_CERTIFICATE, TLS_CERTIFICATE]
    assert len(stage.site.made) == 1


def test_the_mode_of_verification_is_that_of_the_host_and_not_of_the_default(authority: Authority) -> None:
    """Twisted's `contextForServerName` and every bare `set_context` let this client in without its certificate."""
    asking = plan(authority.issue("m.example"), client=ClientPolicy(True, authority.ca))
    open_host = plan(authority.issue("a.example"))
    for plans in ((open_host, asking), (asking, open_host)):
        stage = Stage(*plans)
        stage.client("a.example", authority.ca).shake()
        assert len(stage.site.made) == 1
        client = stage.client("m.example", authority.ca)
        with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required"):
            client.shake()
            client.hears()
        assert len(stage.site.made) == 1


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_session_of_one_host_is_no_way_into_another(authority: Authority, version: str) -> None:
    """With one context and a callback that changes it, OpenSSL resumes the session before it asks for the name, so
    that a client without a certificate came in (the same as CVE-2025-23419)."""
    asking = plan(authority.issue("m.example"), client=ClientPolicy(True, authority.ca))
    stage = Stage(plan(authority.issue("a.example")), asking)
    context = client_context(authority.ca, version=version)
    first = stage.client("a.example", authority.ca, context=context).shake()
    first.hears()
    session = first.tls.session
    assert session is not None
    again = stage.client("a.example", authority.ca, context=context, session=session).shake()
    assert again.tls.session_reused
    made = len(stage.site.made)
    other = stage.client("m.example", authority.ca, context=context, session=session)
    with pytest.raises(ssl.SSLError):
        other.shake()
        other.hears()
    assert len(stage.site.made) == made


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_host_that_asks_verifies_with_every_handshake(authority: Authority, version: str) -> None:
    stage = Stage(plan(authority.issue("m.example"), client=ClientPolicy(True, authority.ca)))
    context = client_context(authority.ca, authority.issue("client.example"), version)
    first = stage.client("m.example", authority.ca, context=context).shake()
    first.hears()
    second = stage.client("m.example", authority.ca, context=context, session=first.tls.session).shake()
    assert not second.tls.session_reused


def test_a_revoked_client_is_turned_away(authority: Authority) -> None:
    good, bad = authority.issue("good.example"), authority.issue("bad.example")
    asks = ClientPolicy(True, authority.ca, authority.revoke(bad))
    stage = Stage(plan(authority.issue("m.example"), client=asks))
    stage.client("m.example", authority.ca, certificate=good).shake()
    client = stage.client("m.example", authority.ca, certificate=bad)
    with pytest.raises(ssl.SSLError, match=r"(?i)revoked"):
        client.shake()
        client.hears()
    assert str(stage.refused[-1]) == "client.tls.certificate: the client's certificate: it is revoked"


def test_a_certificate_may_be_optional(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("m.example"), client=ClientPolicy(False, authority.ca)))
    stage.client("m.example", authority.ca).shake()
    assert stage.top.transport.credentials.forwarded == b""
    stage.client("m.example", authority.ca, certificate=authority.issue("client.example")).shake()
    assert stage.top.transport.credentials.forwarded


def test_a_host_that_asks_nothing_hears_nothing(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    stage.client("a.example", authority.ca, certificate=authority.issue("client.example")).shake()
    assert stage.top.transport.credentials.forwarded == b""


def test_a_client_that_is_revoked_is_believed_no_longer_on_an_open_connection(authority: Authority) -> None:
    good, bad = authority.issue("good.example"), authority.issue("bad.example")
    stage = Stage(plan(authority.issue("m.example"), client=ClientPolicy(True, authority.ca, authority.revoke())))
    believed = []
    for certificate in (good, bad):
        stage.client("m.example", authority.ca, certificate=certificate).shake()
        believed.append(stage.top.transport.credentials.shown)
    host = stage.keyring.default
    assert [shown.is_believed(host.context) for shown in believed] == [True, True]
    authority.revoke(bad)
    stage.keyring.look()
    stage.keyring.look()
    assert [shown.is_believed(host.context) for shown in believed] == [True, False]
    assert not believed[1].is_believed(None)


def test_a_client_whose_certificate_makes_no_sense_is_turned_away(authority: Authority) -> None:
    stage = Stage(plan(authority.issue("m.example"), client=ClientPolicy(True, authority.ca)))
    client = stage.client("m.example", authority.ca, certificate=signed_oddly(authority)).shake()
    assert stage.site.made == []
    [error] = stage.refused
    assert str(error).startswith("client.tls.certificate: the client's certificate cannot be read: ")
    stage.clock.advance(0)
    assert client.end.was_cut


def test_a_name_that_openssl_reads_in_another_way_is_told(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(plan(authority.issue("a.example")))
    client = stage.client("a.example", authority.ca)
    monkeypatch.setattr("OpenSSL.SSL.Connection.get_servername", lambda connection: b"b.example")
    client.shake()
    assert stage.site.made == []
    assert [error.reason for error in stage.refused] == [TLS_NAME]
    stage.clock.advance(0)
    assert client.end.was_cut


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_resumed_session_is_served(authority: Authority, version: str) -> None:
    """With TLS 1.2 OpenSSL does not read the name again: every resumed client was cut off."""
    stage = Stage(plan(authority.issue("a.example")))
    context = client_context(authority.ca, version=version)
    first = stage.client("a.example", authority.ca, context=context).shake()
    first.hears()
    again = stage.client("a.example", authority.ca, context=context, session=first.tls.session).shake()
    assert again.tls.session_reused
    again.says(b"hello")
    assert len(stage.site.made) == 2
    assert stage.top.heard == b"hello"
    assert stage.refused == []
