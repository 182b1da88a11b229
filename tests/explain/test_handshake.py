"""Handshakes on paper: whom a client meets, and what its certificate is worth there."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config import Loaded, load_text
from proxy.errors import ProxyError
from proxy.explain.handshake import keyrings_of, meet
from proxy.explain.journey import Journey, judges_of, travel
from proxy.explain.question import Question
from proxy.explain.rehearse import rehearse
from proxy.routing import build
from proxy.tls.forwarded import element
from tests.support.authority import Authority, Issued


class Site:
    """Three hosts: one that asks nothing, one that wants a certificate, one that requires it."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.staff = Authority(folder)
        self.ann = self.staff.issue("ann.test", file="ann")
        self.fired = self.staff.issue("fired.test", file="fired")
        asks = f"ca: {self.staff.ca}, crl: {self.staff.revoke(self.fired)}"
        hosts = [
            self._entry("www.test"),
            self._entry("maybe.test", f", client: {{verify: optional, {asks}}}"),
            self._entry("admin.test", f", client: {{verify: required, {asks}}}"),
        ]
        self.text = f"""\
listen:
  - {{endpoint: "tcp:80", redirect: https}}
  - {{endpoint: "tcp:443", tls: {{certificates: [{', '.join(hosts)}]}}}}
  - tcp:8080
routes:
  - {{name: www, host: [www.test, maybe.test], upstream: http://127.0.0.1:1}}
  - {{name: admin, host: admin.test, upstream: http://127.0.0.1:1}}
{more}"""
        self.loaded: Loaded = load_text(self.text, str(folder / "x.yaml"), {})
        config = self.loaded.require()
        self.router = build(config.routes, self.loaded.position)
        self.judges = judges_of(self.loaded, self.router)

    def _entry(self, name: str, client: str = "") -> str:
        one = self.staff.issue(name)
        return f"{{cert: {one.cert}, key: {one.key}{client}}}"

    def ask(self, url: str, shown: str | None = None) -> Journey:
        return travel(self.judges, Question("GET", url, certificate=shown))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def pem(one: Issued) -> str:
    return Path(one.cert).read_text()


def told(journey: Journey) -> bytes | None:
    assert journey.exchange is not None
    return journey.exchange.head.fields.get(b"x-forwarded-client-cert")


def test_a_certificate_that_is_believed_is_told_to_the_upstream(site: Site) -> None:
    for url in ("https://admin.test/", "https://maybe.test/"):
        journey = site.ask(url, pem(site.ann))
        assert journey.reached and journey.met is not None and journey.met.client == "shown"
        assert told(journey) == element(site.ann.certificate)


def test_a_host_that_asks_nothing_sees_none(site: Site) -> None:
    journey = site.ask("https://www.test/", pem(site.ann))
    assert journey.reached and told(journey) is None


def test_one_that_is_not_believed_comes_nowhere(site: Site, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "Other Authority").issue("ann.test")
    for one, words in ((site.fired, "it is revoked"), (stranger, "issuer")):
        journey = site.ask("https://admin.test/", pem(one))
        assert journey.error is not None and journey.error.reason.code == "client.tls.certificate"
        assert words in journey.error.detail
        assert (journey.answer, journey.route, journey.reached) == (None, None, False)


def test_one_that_has_expired_does_not_either(site: Site) -> None:
    journey = site.ask("https://maybe.test/", pem(site.staff.issue("late.test", days=-1, since=-9)))
    assert journey.error is not None and "expired" in journey.error.detail


def test_whoever_shows_none_is_let_in_where_that_is_allowed(site: Site) -> None:
    assert site.ask("https://maybe.test/", "").reached and site.ask("https://www.test/", "").reached
    journey = site.ask("https://admin.test/", "")
    assert journey.error is not None and journey.error.detail == "admin.test requires a client certificate"


def test_where_nobody_says_it_is_taken_for_the_one_that_is_wanted(site: Site) -> None:
    journey = site.ask("https://admin.test/")
    assert journey.reached and journey.met is not None
    assert (journey.met.asks, journey.met.client) == ("required", "assumed")
    assert told(journey) is None


def test_hosts_are_not_reached_around_their_handshake(site: Site) -> None:
    plain = site.ask("http://admin.test:8080/")
    assert plain.answer is not None and plain.answer.status == 421
    other = travel(site.judges, Question("GET", "https://www.test/", ("Host: admin.test",)))
    assert other.answer is not None and other.answer.status == 421


def test_whoever_is_sent_to_https_is_not_judged_before(site: Site) -> None:
    assert site.ask("http://admin.test/").sent_away


def test_a_name_that_no_certificate_is_for_is_refused(site: Site) -> None:
    journey = site.ask("https://nobody.test/")
    assert journey.error is not None and journey.error.reason.code == "client.tls.name"


def test_one_that_is_ordered_is_not(tmp_path: Path) -> None:
    first = Site(tmp_path)
    text = first.text.replace("tls: {certificates", "tls: {acme: {names: new.test}, certificates")
    loaded = load_text(text, str(tmp_path / "x.yaml"), {})
    judges = judges_of(loaded, build(loaded.require().routes, loaded.position))
    for name, code in (("new.test", "route.none"), ("nobody.test", "client.tls.name")):
        journey = travel(judges, Question("GET", f"https://{name}/", certificate=""))
        assert journey.error is not None and journey.error.reason.code == code


def test_what_is_no_certificate_cannot_be_asked(site: Site) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        site.ask("https://admin.test/", "nonsense")


def test_only_listeners_that_ask_are_of_interest_and_only_with_their_files(tmp_path: Path, site: Site) -> None:
    assert list(keyrings_of(site.loaded.require())) == [1]
    Path(site.staff.ca).unlink()
    assert keyrings_of(site.loaded.require()) == {}
    text = "listen: {endpoint: 'tcp:1', tls: {certificates: {cert: none, key: none}}}\nroutes: [{respond: 204}]\n"
    assert keyrings_of(load_text(text, "x.yaml", {}).require()) == {}


def test_clients_that_name_nobody_meet_the_first_host(site: Site) -> None:
    [ring] = keyrings_of(site.loaded.require()).values()
    assert meet(ring, "127.0.0.1", None).credentials.host.client is None
    with pytest.raises(ProxyError):
        meet(ring, "nobody.test", None)


def test_route_tests_may_show_one(tmp_path: Path) -> None:
    tests = """\
tests:
  - {request: GET https://admin.test/, route: admin}
  - {request: {line: GET https://admin.test/, client_certificate: ann.crt}, route: admin}
  - {request: {line: GET https://admin.test/, client_certificate: fired.crt}, route: admin}
  - {request: {line: GET https://admin.test/, client_certificate: none}, status: 421}
  - {request: {line: GET https://admin.test/, client_certificate: none}, refused: client.tls.certificate}
  - {request: {line: GET https://admin.test/, client_certificate: ann.crt}, refused: client.tls.certificate}
  - {request: {line: GET https://admin.test/, client_certificate: nowhere.crt}, route: admin}
"""
    site = Site(tmp_path, tests)
    messages = [problem.message for problem in rehearse(site.loaded, site.router)]
    refused = "got a refused handshake (client.tls.certificate: "
    assert messages == [
        f"expected the route `admin`, {refused}the client's certificate: it is revoked)",
        f"{refused}admin.test requires a client certificate)",
        "expected to be refused (client.tls.certificate), got the route `admin`",
        f"this cannot be asked: {tmp_path}/nowhere.crt: No such file or directory",
    ]
