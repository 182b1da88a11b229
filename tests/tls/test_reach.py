"""Hosts that no certificate names, on the routes of others that need a client certificate."""

import pytest
from twisted.internet.task import Clock

from proxy.alarm import Alarm
from proxy.config import Config, load_text
from proxy.errors import ProxyError
from proxy.routing import build
from proxy.tls.guard import Credentials, Guard
from proxy.tls.keyring import Keyring
from proxy.tls.listening import tls_server
from proxy.tls.reach import check_reach, guard_of
from tests.support.authority import Authority, Issued


def written(issued: Issued, more: str = "") -> str:
    return f"{{cert: {issued.cert}, key: {issued.key}{more}}}"


def config(certificates: list[str], *routes: str, plain: bool = True, more: str = "") -> str:
    listen = ["  - tcp:8080\n"] if plain else []
    listen.append(f"  - {{endpoint: tcp:8443, tls: {{certificates: [{', '.join(certificates)}]{more}}}}}\n")
    return "listen:\n" + "".join(listen) + "routes:\n" + "".join(f"  - {{{route}}}\n" for route in routes)


@pytest.fixture
def certificates(authority: Authority) -> list[str]:
    """One for everybody, and one for which clients need their own."""
    staff = f", client: {{ca: {authority.ca}}}"
    return [written(authority.issue("www.test")), written(authority.issue("staff.test", "*.team.test"), staff)]


def house(made: Config) -> tuple[Guard | None, Keyring]:
    clock = Clock()
    server = tls_server(made, made.listen[-1], Alarm(clock, clock.seconds))
    assert server is not None
    return guard_of([server.keyring], build(made.routes).entries), server.keyring


def refused(text: str, host: bytes) -> bool:
    """Whether a request for `host` is, on a connection without TLS and one for www.test alike."""
    guard, keyring = house(load_text(text, "proxy.yaml", {}).require())
    assert guard is not None
    verdicts = []
    for credentials in (None, Credentials("www.test", keyring.default, keyring)):
        try:
            guard.check(host, credentials)
            verdicts.append(False)
        except ProxyError:
            verdicts.append(True)
    assert len(set(verdicts)) == 1
    return verdicts[0]


def said(text: str) -> list[str]:
    loaded = load_text(text, "proxy.yaml", {})
    found = check_reach(loaded, build(loaded.require().routes, loaded.position))
    assert {problem.code for problem in found} <= {"client-route"}
    return [problem.message for problem in found]


TO = "app: 'wsgi:a.b'"


@pytest.mark.parametrize("host", [b"staff.test", b"a.team.test", b"c.b.a.team.test", b"c.b.a.team.test.:80"])
def test_names_and_all_below_wildcards(certificates: list[str], host: bytes) -> None:
    assert refused(config(certificates, "path: /, respond: 204"), host)


@pytest.mark.parametrize(
    ("hosts", "host"),
    [
        ("[staff.test, personnel.test]", b"personnel.test"),
        ("[staff.test, '*.personnel.test']", b"b.a.personnel.test"),
        ("'*.test'", b"personnel.test"),
        ("{regex: '^(staff|personnel)[.]test$'}", b"personnel.test"),
        ("[{regex: '^staff[.]test$'}, personnel.test]", b"personnel.test"),
        ("[x.y.team.test, personnel.test]", b"personnel.test"),
    ],
)
def test_the_hosts_beside_them_on_their_routes(certificates: list[str], hosts: str, host: bytes) -> None:
    text = config(certificates, f"host: {hosts}, path: /, respond: 204")
    assert refused(text, host)
    assert not refused(text, b"www.test")
    assert any("which needs a client certificate" in message for message in said(text))


@pytest.mark.parametrize(
    "routes",
    [
        ("host: personnel.test, path: /, respond: 204", "host: staff.test, path: /, respond: 204"),
        ("path: /, respond: 204",),
        ("host: [staff.test, www.test], path: /, respond: 204",),
        (
            "host: '*.test', path: /, respond: 204",
            "host: staff.test, path: /, respond: 204",
            "host: '*.team.test', path: /, respond: 204",
        ),
    ],
)
def test_what_has_nothing_to_do_with_them_is_open(certificates: list[str], routes: tuple[str, ...]) -> None:
    text = config(certificates, *routes)
    assert not refused(text, b"personnel.test")
    assert not refused(text, b"www.test")
    assert said(text) == []


def test_a_route_for_everybody_is_complained_about(certificates: list[str]) -> None:
    route = "path: /, upstream: 'http://127.0.0.1:9'"
    wanted = "this route takes staff.test, which needs a client certificate, and all other hosts without one"
    assert said(config(certificates, route)) == [wanted]
    assert said(config(certificates[1:], route)) == [wanted]
    assert said(config(certificates[1:], route, plain=False)) == []  # nobody comes in without one
    assert said(config(certificates[:1], route)) == []
    own = "host: [staff.test, '*.team.test'], path: /, upstream: 'http://127.0.0.1:9'"
    assert said(config(certificates, own, route)) == []


def test_files_are_read_for_it_only_where_somebody_asks() -> None:
    missing = "{cert: /missing.crt, key: /missing.key"
    assert said(config([missing + "}"], "path: /, respond: 204")) == []
    assert said(config([missing + ", client: {ca: /missing.pem}}"], "path: /, respond: 204")) == []


def test_where_the_default_asks_the_same_its_handshake_is_good_for_them(authority: Authority) -> None:
    staff = f", client: {{ca: {authority.ca}}}"
    made = config(
        [written(authority.issue("staff.test"), staff)],
        "host: [staff.test, personnel.test], path: /, respond: 204",
        more=", unknown_names: default",
    )
    guard, keyring = house(load_text(made, "proxy.yaml", {}).require())
    assert guard is not None
    guard.check(b"personnel.test", Credentials("personnel.test", keyring.default, keyring))
    with pytest.raises(ProxyError):
        guard.check(b"personnel.test", Credentials("staff.test", keyring.default, keyring))
