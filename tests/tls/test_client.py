"""TLS to servers: who is believed, and what is said of those who are not."""

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from proxy import limits
from proxy.alarm import Alarm
from proxy.errors import ProxyError, Retry
from proxy.tls.client import ClientPlan, ClientTls, TlsEndpoint
from tests.support.authority import Authority, Issued
from tests.support.ends import End, FakeEndpoint
from tests.support.odd import NAME, ODD_AUTHORITY, odd, signed_oddly
from tests.tls.peers import Recorder


class Server:
    """A server on Python's `ssl`, and the network between it and us."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.clock = Clock()
        self.context = context
        self.endpoint = FakeEndpoint(self.clock, self._made)
        self.ends: list[End] = []
        self.failure: Any = None
        self.names: list[str | None] = []
        context.sni_callback = lambda tls, name, context: self.names.append(name)

    def _made(self, end: End) -> None:
        self.ends.append(end)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def connect(self, tls: ClientTls, name: str = "app.internal", seconds: float = 5.0) -> Any:
        """What a connection comes to: the protocol on top, or the error."""
        alarm = Alarm(self.clock, self.clock.seconds)
        came: list[Any] = []
        self.connecting = TlsEndpoint(self.endpoint, tls, name, alarm, seconds).connect(Factory.forProtocol(Recorder))
        self.connecting.addBoth(came.append)
        self.clock.advance(0)
        for _ in range(6):
            if not self.ends:
                break
            self.pump()
        result = came[0] if came else None
        return result.value if isinstance(result, Failure) else result

    def pump(self) -> None:
        self.clock.advance(0)
        self.incoming.write(self.ends[-1].takes_raw())
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.failure = error
        self.ends[-1].says(self.outgoing.read())

    def says(self, data: bytes) -> None:
        self.tls.write(data)
        self.ends[-1].says(self.outgoing.read())

    def hears(self) -> bytes:
        self.clock.advance(0)
        self.incoming.write(self.ends[-1].takes_raw())
        return self.tls.read(65536)


def server(issued: Issued, change: Callable[[ssl.SSLContext], None] | None = None) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.cert, issued.key)
    if change is not None:
        change(context)
    return Server(context)


def refused(came: Any) -> str:
    assert isinstance(came, ProxyError), came
    assert came.retry is Retry.UNSENT
    return str(came)


# --- who is believed --------------------------------------------------------------------------------------


def test_bytes_go_both_ways(authority: Authority) -> None:
    peer = server(authority.issue("app.internal"))
    top = peer.connect(ClientTls(ClientPlan(ca=authority.ca)))
    assert isinstance(top, Recorder)
    assert peer.names == ["app.internal"]
    top.transport.write(b"GET / HTTP/1.1\r\n\r\n")
    assert peer.hears() == b"GET / HTTP/1.1\r\n\r\n"
    peer.says(b"HTTP/1.1 200 OK\r\n\r\n")
    assert top.heard == b"HTTP/1.1 200 OK\r\n\r\n"
    assert top.transport.negotiatedProtocol is None


def test_an_address_is_verified_and_never_sent_as_a_name(authority: Authority) -> None:
    peer = server(authority.issue("192.0.2.7", file="address"))
    assert isinstance(peer.connect(ClientTls(ClientPlan(ca=authority.ca)), "192.0.2.7"), Recorder)
    assert peer.names == [None]
    peer = server(authority.issue("192.0.2.7", file="address"))
    assert refused(peer.connect(ClientTls(ClientPlan(ca=authority.ca)), "192.0.2.8")).startswith("upstream.tls.name")


@pytest.mark.parametrize(
    ("issue", "reason"),
    [
        ({"names": ("other.internal",)}, "upstream.tls.name: it is not for app.internal but for other.internal"),
        ({"days": -0.5}, "upstream.tls.expired: the server's certificate: it has expired"),
        ({"since": 1, "days": 2}, "upstream.tls.expired: the server's certificate: it is not valid yet"),
        ({"self_signed": True}, "upstream.tls.untrusted: the server's certificate: it is self-signed"),
        ({"names": ()}, "upstream.tls.name: it is not for app.internal but for nobody"),
    ],
)
def test_who_is_not(authority: Authority, issue: dict[str, Any], reason: str) -> None:
    names = issue.pop("names", ("app.internal",))
    peer = server(authority.issue(*names, file="bad", **issue))
    assert refused(peer.connect(ClientTls(ClientPlan(ca=authority.ca)))) == reason
    assert peer.ends[-1].closed is not None


def test_the_authority_of_somebody_else(authority: Authority) -> None:
    other = Authority(authority.folder, "Other")
    peer = server(other.issue("app.internal", file="other"))
    words = refused(peer.connect(ClientTls(ClientPlan(ca=authority.ca))))
    assert words == "upstream.tls.untrusted: the server's certificate: its issuer is not trusted"
    peer = server(other.issue("app.internal", file="other"))
    assert refused(peer.connect(ClientTls(ClientPlan()))).startswith("upstream.tls.untrusted")


def test_a_revoked_one(authority: Authority) -> None:
    issued = authority.issue("app.internal")
    plan = ClientPlan(ca=authority.ca, crl=authority.revoke(issued))
    assert refused(server(issued).connect(ClientTls(plan))) == (
        "upstream.tls.revoked: the server's certificate: it is revoked"
    )
    assert isinstance(server(authority.issue("app.internal", file="good")).connect(ClientTls(plan)), Recorder)


def test_nobody_is_verified_where_that_was_asked_for(authority: Authority) -> None:
    peer = server(authority.issue("other.internal", self_signed=True, days=-0.5))
    assert isinstance(peer.connect(ClientTls(ClientPlan(verify=False))), Recorder)


def test_another_name_may_be_asked_for(authority: Authority) -> None:
    peer = server(authority.issue("app.example"))
    assert isinstance(peer.connect(ClientTls(ClientPlan(ca=authority.ca, name="app.example"))), Recorder)
    assert peer.names == ["app.example"]


def test_names_may_be_pinned(authority: Authority) -> None:
    issued = authority.issue("app.internal", uris=["spiffe://example/app"])
    for san in (("spiffe://example/app",), ("x.internal", "APP.internal")):
        assert isinstance(server(issued).connect(ClientTls(ClientPlan(ca=authority.ca, san=san))), Recorder)
    came = server(issued).connect(ClientTls(ClientPlan(ca=authority.ca, san=("spiffe://example/other",))))
    assert refused(came) == "upstream.tls.name: none of spiffe://example/other is in it"


def test_our_own_certificate(authority: Authority) -> None:
    ours = authority.issue("proxy.internal")

    def ask(context: ssl.SSLContext) -> None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.ca)

    peer = server(authority.issue("app.internal"), ask)
    plan = ClientPlan(ca=authority.ca, cert=ours.cert, key=ours.key)
    assert isinstance(peer.connect(ClientTls(plan)), Recorder)
    assert peer.tls.getpeercert()["subject"] == ((("commonName", "proxy.internal"),),)  # type: ignore[index]


# --- sessions and renewal ---------------------------------------------------------------------------------


def test_our_own_certificate_expires_soon(authority: Authority, said: list[str]) -> None:
    mine = authority.issue("proxy.test", days=3.2)
    now = [0.0]
    tls = ClientTls(ClientPlan(ca=authority.ca, cert=mine.cert, key=mine.key), lambda: now[0])
    expected = [f"our certificate for servers in {mine.cert} expires in 3 days"]
    assert said == expected
    now[0] = limits.CERTIFICATE_WARN_SECONDS / 2
    tls.connection("app.internal")
    assert said == expected
    now[0] = limits.CERTIFICATE_WARN_SECONDS + 1
    tls.connection("app.internal")
    assert said == expected * 2  # every day


def test_whom_we_believe_ends_soon(authority: Authority, said: list[str]) -> None:
    soon = authority.issue("ca.test", days=3.02, since=-80)
    wall = [time.time()]
    now = [0.0]
    tls = ClientTls(ClientPlan(ca=soon.cert), lambda: now[0], lambda: wall[0])
    assert said == [f"every authority in {soon.cert} will have expired in 3.0 days: then every server is refused"]
    now[0], wall[0] = 6.0, soon.certificate.not_valid_after_utc.timestamp()
    tls.connection("app.internal")
    assert said[1:] == [f"every authority in {soon.cert} has expired: every server is refused"]


def test_a_session_is_resumed_and_verified_again(authority: Authority) -> None:
    peer = server(authority.issue("app.internal"))
    tls = ClientTls(ClientPlan(ca=authority.ca))
    first = peer.connect(tls)
    peer.says(b"something, so that the tickets are read")
    first.transport.abortConnection()
    peer.clock.advance(0)
    assert not peer.tls.session_reused
    assert isinstance(peer.connect(tls), Recorder)
    assert peer.tls.session_reused
    # A session of one server is no proof of another one's name.
    assert isinstance(peer.connect(tls, "other.internal"), ProxyError)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_counts_no_longer_than_the_certificate(authority: Authority, version: ssl.TLSVersion) -> None:
    """However often it is resumed meanwhile: each time the server gives a new ticket, and shows no certificate."""
    issued = authority.issue("app.internal", days=0.5)
    end = issued.certificate.not_valid_after_utc.timestamp()
    wall = [end - 3600]
    peer = server(issued, lambda context: setattr(context, "maximum_version", version))
    tls = ClientTls(ClientPlan(ca=authority.ca), wall=lambda: wall[0])

    def resumed() -> bool:
        top = peer.connect(tls)
        assert isinstance(top, Recorder)
        peer.says(b"something, so that the tickets are read")
        top.transport.abortConnection()
        peer.clock.advance(0)
        return peer.tls.session_reused is True

    assert [resumed() for _ in range(4)] == [False, True, True, True]
    wall[0] = end - 1
    assert resumed()
    wall[0] = end
    assert not resumed()  # and OpenSSL looks at the certificate again
    assert not resumed()


def test_renewed_files_are_taken(authority: Authority) -> None:
    now = [0.0]
    first, second = Authority(authority.folder, "First"), Authority(authority.folder, "Second")
    trusted = authority.folder / "trusted.pem"
    trusted.write_bytes(Path(first.ca).read_bytes())
    tls = ClientTls(ClientPlan(ca=str(trusted)), lambda: now[0])
    issued = second.issue("app.internal")
    assert isinstance(server(issued).connect(tls), ProxyError)
    trusted.write_bytes(Path(second.ca).read_bytes() + b"\n")
    now[0] = 6.0
    assert isinstance(server(issued).connect(tls), Recorder)
    trusted.write_bytes(b"nonsense")
    now[0] = 12.0
    assert isinstance(server(issued).connect(tls), Recorder)


def test_a_renewed_key_that_others_can_read_is_told(authority: Authority, said: list[str]) -> None:
    now = [0.0]
    mine = authority.issue("proxy.test")
    tls = ClientTls(ClientPlan(ca=authority.ca, cert=mine.cert, key=mine.key), lambda: now[0])
    authority.issue("proxy.test")
    Path(mine.key).chmod(0o644)
    now[0] = 6.0
    tls.connection("app.internal")
    assert said == [f"every user of this machine can read {mine.key}"]


def test_a_file_that_cannot_be_used_fails_the_connections_that_need_it(authority: Authority) -> None:
    tls = ClientTls(ClientPlan(ca=str(authority.folder / "missing.pem")))
    peer = server(authority.issue("app.internal"))
    assert refused(peer.connect(tls)).startswith("upstream.tls.handshake")


# --- what goes wrong before there is a certificate -----------------------------------------------------------


def test_what_the_endpoint_below_says_is_passed_on(authority: Authority) -> None:
    peer = server(authority.issue("app.internal"))
    peer.endpoint.error = ConnectionRefusedError()
    assert isinstance(peer.connect(ClientTls(ClientPlan(ca=authority.ca))), ConnectionRefusedError)


def test_a_server_that_speaks_no_tls(authority: Authority) -> None:
    peer = server(authority.issue("app.internal"))
    came: list[Any] = []
    alarm = Alarm(peer.clock, peer.clock.seconds)
    tls = ClientTls(ClientPlan(ca=authority.ca))
    TlsEndpoint(peer.endpoint, tls, "a", alarm, 5).connect(Factory.forProtocol(Recorder)).addErrback(came.append)
    peer.clock.advance(0)
    peer.ends[-1].says(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert refused(came[0].value).startswith("upstream.tls.handshake: the TLS handshake: ")


def test_a_server_that_says_nothing_is_given_up_in_time(authority: Authority) -> None:
    peer = server(authority.issue("app.internal"))
    came: list[Any] = []
    alarm = Alarm(peer.clock, peer.clock.seconds)
    tls = ClientTls(ClientPlan(ca=authority.ca))
    TlsEndpoint(peer.endpoint, tls, "a", alarm, 5).connect(Factory.forProtocol(Recorder)).addErrback(came.append)
    peer.clock.advance(0)
    for _ in range(52):
        peer.clock.advance(0.1)
    assert refused(came[0].value) == "upstream.connect.timeout: the TLS handshake: it took too long"
    assert peer.ends[-1].closed is not None


@pytest.mark.parametrize("connected", [False, True])
def test_an_attempt_can_be_given_up(authority: Authority, connected: bool) -> None:
    peer = server(authority.issue("app.internal"))
    peer.endpoint.silent = not connected
    alarm = Alarm(peer.clock, peer.clock.seconds)
    tls = ClientTls(ClientPlan(ca=authority.ca))
    connecting: Deferred[Any] = TlsEndpoint(peer.endpoint, tls, "a", alarm, 5).connect(Factory.forProtocol(Recorder))
    came: list[Any] = []
    connecting.addErrback(came.append)
    peer.clock.advance(0)
    connecting.cancel()
    peer.clock.advance(0)
    assert came[0].check(CancelledError)
    if connected:
        assert peer.ends[-1].was_cut
    else:
        assert peer.endpoint.given_up == 1


@pytest.mark.parametrize("what", ODD_AUTHORITY)
def test_an_authority_that_makes_no_sense_is_not_taken(authority: Authority, said: list[str], what: str) -> None:
    now = [0.0]
    trusted = authority.folder / "trusted.pem"
    trusted.write_bytes(Path(authority.ca).read_bytes())
    tls = ClientTls(ClientPlan(ca=str(trusted)), lambda: now[0])
    trusted.write_bytes(Path(odd(authority, what).cert).read_bytes())
    now[0] = 6.0
    assert isinstance(server(authority.issue("app.internal")).connect(tls), Recorder)
    [line] = said
    assert line.startswith(f"a file for TLS to upstreams cannot be used, the old one stays: {trusted}: ")


def test_a_server_whose_names_make_no_sense_is_not_believed(authority: Authority) -> None:
    peer = server(signed_oddly(authority))
    assert refused(peer.connect(ClientTls(ClientPlan(ca=authority.ca)), NAME)).startswith(
        "upstream.tls.untrusted: the server's certificate cannot be read: "
    )
