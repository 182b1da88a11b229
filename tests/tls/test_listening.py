"""From the configuration to a listener."""

from pathlib import Path

from twisted.internet.task import Clock

from proxy.alarm import Alarm
from proxy.config import Config, load_text
from proxy.tls.contexts import ClientPolicy
from proxy.tls.keyring import Keyring
from proxy.tls.listening import host_plans, response_fields, route_hosts, state_folder, tls_server
from proxy.tls.pairs import Pairs
from proxy.tls.reach import guard_of
from tests.support.authority import Authority, Issued

ROUTES = "routes: [{path: /, respond: 204}]\n"


def config(text: str) -> Config:
    return load_text(text, "/etc/proxy/proxy.yaml", {}).require()


def written(issued: Issued, more: str = "") -> str:
    return f"{{cert: {issued.cert}, key: {issued.key}{more}}}"


def listening(*certificates: str, more: str = "") -> Config:
    return config(f"listen: {{endpoint: tcp:8443, tls: {{certificates: [{', '.join(certificates)}]{more}}}}}\n{ROUTES}")


def alarm() -> Alarm:
    clock = Clock()
    return Alarm(clock, clock.seconds)


def test_without_tls_there_is_none() -> None:
    made = config("listen: tcp:8080\n" + ROUTES)
    assert tls_server(made, made.listen[0], alarm()) is None
    assert response_fields(made.listen[0]) == ()


def test_certificates_of_different_kinds_share_a_host(authority: Authority) -> None:
    curve, rsa = authority.issue("a.test", file="ec"), authority.issue("a.test", file="rsa", use_rsa=True)
    wish = listening(written(curve), written(authority.issue("b.test")), written(rsa)).listen[0].tls
    assert wish is not None
    first, second = host_plans(wish, Pairs())
    assert [files.cert for files in first.files] == [curve.cert, rsa.cert]
    assert len(second.files) == 1


def test_each_name_has_all_kinds_of_keys_that_are_for_it(authority: Authority) -> None:
    rsa = authority.issue("one.test", "two.test", "*.wild.test", file="rsa", use_rsa=True)
    curve, staff = authority.issue("one.test", "a.wild.test", file="ec"), authority.issue("b.wild.test", file="staff")
    late = authority.issue("two.test", file="late", use_rsa=True)
    asks = f", client: {{ca: {authority.ca}}}"
    wish = listening(written(rsa), written(curve), written(staff, asks), written(late)).listen[0].tls
    assert wish is not None
    found = {tuple(files.cert for files in plan.files): (plan.names, plan.client) for plan in host_plans(wish, Pairs())}
    assert found == {
        (rsa.cert, curve.cert): (("one.test",), None),
        (rsa.cert,): (("two.test", "*.wild.test"), None),
        (curve.cert, rsa.cert): (("a.wild.test",), None),
        (staff.cert,): ((), ClientPolicy(True, authority.ca)),  # the wildcard asks for nothing
    }


def test_a_wildcard_does_not_stand_before_a_name_of_its_own(authority: Authority) -> None:
    curve, rsa = authority.issue("*.test"), authority.issue("a.test", use_rsa=True)
    wish = listening(written(curve), written(rsa)).listen[0].tls
    assert wish is not None
    assert [[files.cert for files in plan.files] for plan in host_plans(wish, Pairs())] == [[curve.cert], [rsa.cert]]


def test_a_certificate_without_names_is_for_those_who_name_nobody(authority: Authority) -> None:
    made = listening(written(authority.issue(uris=["spiffe://a"])), written(authority.issue("b.test")))
    server = tls_server(made, made.listen[0], alarm())
    assert server is not None
    assert [host.names for host in server.keyring.hosts] == [(), ("b.test",)]
    assert server.keyring.default is server.keyring.hosts[0]


def test_what_clients_are_asked(authority: Authority) -> None:
    staff = f", client: {{verify: required, ca: {authority.ca}}}"
    nobody = ", client: {verify: none}"
    made = listening(written(authority.issue("a.test"), staff), written(authority.issue("b.test"), nobody))
    server = tls_server(made, made.listen[0], alarm())
    assert server is not None
    assert [host.client for host in server.keyring.hosts] == [ClientPolicy(True, authority.ca), None]
    assert guard_of([server.keyring]) is not None


def test_nobody_guards_where_nobody_asks(authority: Authority) -> None:
    made = listening(written(authority.issue("a.test")))
    server = tls_server(made, made.listen[0], alarm())
    assert server is not None
    assert guard_of([server.keyring]) is None


def test_a_keyring_that_would_be_the_same_is_kept(authority: Authority) -> None:
    one = written(authority.issue("a.test"))
    made = listening(one)
    first = tls_server(made, made.listen[0], alarm())
    assert first is not None
    again = tls_server(made, made.listen[0], alarm(), first.keyring)
    assert again is not None
    assert again.keyring is first.keyring
    other = listening(one, more=", unknown_names: default")
    changed = tls_server(other, other.listen[0], alarm(), first.keyring)
    assert changed is not None
    assert changed.keyring is not first.keyring
    assert changed.keyring.find("unknown.test") is changed.keyring.default


def test_hsts(authority: Authority) -> None:
    made = listening(written(authority.issue("a.test")), more=", hsts: 1h")
    assert response_fields(made.listen[0]) == ((b"Strict-Transport-Security", b"max-age=3600"),)


def test_the_authority_of_this_machine_knows_the_hosts_of_the_routes(tmp_path: Path) -> None:
    made = config(
        f"listen: {{endpoint: tcp:8443, tls: internal}}\nstate: {tmp_path}\n"
        "routes:\n"
        "  - {host: [shop.test, '*.shop.test', {regex: '^x'}, '*', '[::1]'], path: /, respond: 204}\n"
    )
    assert list(route_hosts(made)) == ["shop.test", "*.shop.test"]
    server = tls_server(made, made.listen[0], alarm())
    assert server is not None
    assert {"shop.test", "*.shop.test", "localhost"} <= set(server.keyring.default.names)
    assert server.keyring.find("whatever.test") is server.keyring.default


def test_a_new_host_has_its_certificate_at_once(tmp_path: Path) -> None:
    def server(standing: Keyring | None, *hosts: str) -> Keyring:
        made = config(
            f"listen: {{endpoint: tcp:8443, tls: internal}}\nstate: {tmp_path}\n"
            f"routes: [{{host: [{', '.join(hosts)}], path: /, respond: 204}}]\n"
        )
        found = tls_server(made, made.listen[0], alarm(), standing)
        assert found is not None
        return found.keyring

    first = server(None, "shop.test")
    again = server(first, "shop.test")
    assert again is first
    second = server(first, "shop.test", "new.test")
    assert "new.test" in second.default.pairs[0].names
    assert "new.test" not in first.default.pairs[0].names


def test_where_the_proxy_keeps_things() -> None:
    assert state_folder("/given", {}) == Path("/given")
    assert state_folder(None, {"STATE_DIRECTORY": "/var/lib/proxy:/other"}) == Path("/var/lib/proxy")
    assert state_folder(None, {"XDG_STATE_HOME": "/home/a/state"}) == Path("/home/a/state/reverseproxy")
    assert state_folder(None, {"HOME": "/home/a"}) == Path("/home/a/.local/state/reverseproxy")
    assert state_folder(None, {}) == Path("/var/lib/reverseproxy")


def test_responses_are_stapled_unless_that_is_off(authority: Authority) -> None:
    entry = written(authority.issue("a.test", ocsp="http://ocsp.test/"))
    for more, staple in (("", True), (", staple: auto", True), (", staple: off", False)):
        made = listening(entry, more=more)
        server = tls_server(made, made.listen[0], alarm(), reactor=Clock())
        assert server is not None and server.keyring.stapling is not None
        assert (server.keyring.hosts[0].stapling is not None) is staple


def test_a_keyring_that_differs_knows_what_the_one_before_knew(authority: Authority) -> None:
    entry = written(authority.issue("a.test", ocsp="http://ocsp.test/"))
    made = listening(entry)
    first = tls_server(made, made.listen[0], alarm(), reactor=Clock())
    assert first is not None and first.keyring.stapling is not None
    pair = first.keyring.hosts[0].pairs[0]
    changed = listening(entry, written(authority.issue("b.test")))
    second = tls_server(changed, changed.listen[0], alarm(), first.keyring, Clock())
    assert second is not None and second.keyring.stapling is not None
    assert second.keyring is not first.keyring
    assert second.keyring.stapling.entry(pair) is first.keyring.stapling.entry(pair)
