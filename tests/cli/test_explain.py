"""`explain`: fifty requests to the shop, each with everything that is decided about it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from proxy import cli
from proxy.cli.explain import render
from proxy.cli.reading import offline_house
from proxy.cli.terminal import Ink
from proxy.config import load_text
from proxy.explain.question import Question
from proxy.explain.rehearse import rehearse
from proxy.explain.report import explain as ask
from proxy.routing import build
from tests.cli.golden import ENVIRONMENT, GOLDEN, check, said
from tests.support.authority import Authority

WWW, API = "https://www.shop.example", "https://api.shop.example"

REQUESTS: dict[str, list[str]] = {
    # Hosts and redirects.
    "apex": ["GET", "http://shop.example/"],
    "apex_keeps_path_and_query": ["GET", "http://shop.example/a%20b?c=d"],
    "apex_in_capitals_with_port_and_dot": ["GET", "http://SHOP.Example.:80/"],
    "apex_post": ["POST", "http://shop.example/form"],
    "unknown_host": ["GET", "http://other.example/"],
    "no_host_at_all": ["GET", "/"],
    "host_of_a_field": ["GET", "/", "-H", "Host: www.shop.example"],
    # A split, certain or by lots.
    "split_by_lots": ["GET", f"{WWW}/"],
    "split_by_cookie": ["GET", f"{WWW}/", "-H", "Cookie: visitor=ada"],
    "split_by_another_cookie": ["GET", f"{WWW}/", "-H", "Cookie: visitor=bob7"],
    "a_header_makes_it_more_specific": ["GET", f"{WWW}/", "-H", "X-Beta: 1"],
    "websocket": ["GET", f"{WWW}/live", "-H", "Connection: upgrade", "-H", "Upgrade: websocket"],
    # Prefixes, exact paths, methods.
    "assets": ["GET", f"{WWW}/assets/logo.svg"],
    "assets_head": ["HEAD", f"{WWW}/assets/logo.svg"],
    "assets_post_goes_elsewhere": ["POST", f"{WWW}/assets/logo.svg"],
    "assets_on_the_other_host": ["GET", "https://cdn.shop.example/favicon.ico"],
    "a_prefix_ends_at_a_segment": ["GET", "https://cdn.shop.example/assetsx"],
    "cdn_has_nothing_else": ["GET", "https://cdn.shop.example/"],
    # The interface.
    "api": ["GET", f"{API}/v2/users?page=2"],
    "api_client_sends_the_key_itself": ["GET", f"{API}/v2/users", "-H", "X-Api-Key: mine"],
    "api_bare_prefix": ["GET", f"{API}/v2"],
    "api_old": ["GET", f"{API}/v1/users"],
    "api_nothing_there": ["GET", f"{API}/v3"],
    "api_maintenance": ["GET", f"{API}/v2/users", "-H", "X-Maintenance: on"],
    "api_maintenance_unclear": ["GET", f"{API}/v2/users", "-H", "X-Maintenance: maybe"],
    "orders_by_priority": ["GET", f"{API}/v2/users/7/orders"],
    "orders_delete": ["DELETE", f"{API}/v2/users/7/orders"],
    "uploads": ["PUT", f"{API}/v2/uploads/1"],
    "uploads_read": ["GET", f"{API}/v2/uploads/1"],
    # Wildcards.
    "carts_of_a_country": ["GET", "https://de.shop.example/cart/5", "-H", "Cookie: session=s1"],
    "carts_two_levels_down": ["GET", "https://a.b.shop.example/cart"],
    "carts_of_www_are_of_the_web": ["GET", f"{WWW}/cart"],
    "carts_of_the_apex": ["GET", "https://shop.example/cart"],
    # Regular expressions, queries, encoded slashes.
    "search": ["GET", "https://search.shop.example/x?q=shoes"],
    "search_by_another_name": ["GET", "https://find.shop.example/?q="],
    "search_without_a_question": ["GET", "https://search.shop.example/"],
    "search_encoded_slash": ["GET", "https://search.shop.example/a%2Fb?q=1"],
    "encoded_slash_refused": ["GET", f"{API}/v2/a%2Fb"],
    # Clients and who is believed.
    "office": ["GET", "http://any.example/admin", "--from", "192.0.2.7"],
    "office_from_elsewhere": ["GET", "http://any.example/admin", "--from", "203.0.113.9"],
    "office_through_a_trusted_proxy": [
        *("GET", "http://any.example/admin", "--from", "10.0.0.1"), "-H", "X-Forwarded-For: 192.0.2.9",
    ],
    "office_forged": ["GET", "http://any.example/admin", "--from", "203.0.113.9", "-H", "X-Forwarded-For: 192.0.2.9"],
    "office_ipv6_proxy": ["GET", "http://any.example/admin", "--from", "fd00::1", "-H", "X-Forwarded-For: 10.9.1.1"],
    # Paths that are something else than they look.
    "dots_in_the_path": ["GET", "http://any.example/x/../admin"],
    "percent_in_the_path": ["GET", "http://any.example/%61dmin"],
    "above_the_root": ["GET", "http://any.example/../../etc/passwd"],
    "bad_percent": ["GET", "http://any.example/%zz"],
    # Requests that are none.
    "trace": ["TRACE", f"{WWW}/"],
    "two_hosts": ["GET", "/", "-H", "Host: a", "-H", "Host: b"],
    "smuggled_length": ["POST", f"{WWW}/", "-H", "Content-Length: 5, 6"],
    "options_for_one_hop": ["OPTIONS", f"{WWW}/", "-H", "Max-Forwards: 0"],
    "files": ["GET", "https://files.shop.example/readme.txt"],
}  # fmt: skip


def test_there_are_fifty() -> None:
    assert len(REQUESTS) >= 50
    assert {path.stem for path in (GOLDEN / "explain").iterdir()} == set(REQUESTS)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_to_the_shop(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    check(f"explain/{name}.txt", said(["explain", "shop.yaml", *REQUESTS[name]], capsys))


def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(["explain", "shop.yaml", "GET", f"{API}/v2/users", "--json"], capsys)
    value = json.loads(text.removesuffix("exit code 0\n"))
    assert value["route"]["name"] == "api"
    assert value["limits"]["body"] == {"value": 1 << 20, "unit": "B", "from": "shop.yaml:71:20"}


def test_defaults_are_named_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(["explain", "shop.yaml", "GET", f"{WWW}/"], capsys, defaults=True).splitlines()
    assert [line.split() for line in lines if line.startswith("  write_stall")] == [["write_stall", "1m", "default"]]


def test_colors_change_nothing_but_the_color(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(["explain", "shop.yaml", "GET", f"{WWW}/", "--json"], capsys)
    value = json.loads(text.removesuffix("exit code 0\n"))
    colored = render(value, Ink(True))
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render(value, Ink(False))


def routes(count: int) -> dict[str, object]:
    rejected = [{"name": f"r{at}", "position": "x:1:1", "rejected": "the host is not a"} for at in range(count)]
    near = {"name": "near", "position": "x:2:2", "rejected": "the method is not GET"}
    return {"request": {"method": "GET", "url": "/", "client": "x"}, "routes": [*rejected, near]}


def test_many_routes_are_counted_not_listed() -> None:
    text = render(routes(1000), Ink(False))
    assert "near" in text and "r999" not in text and "1000 others" in text
    assert "r999" in render(routes(1000), Ink(False), everything=True)
    assert "r5" in render(routes(6), Ink(False))


@pytest.mark.parametrize(("unresolved", "words"), [("there is no m.test", "unresolved  there is no m.test"),
                                                   ("", "m.test  is looked up while the proxy runs")])  # fmt: skip
def test_a_name_that_does_not_resolve_is_no_empty_list(unresolved: str, words: str) -> None:
    upstream = {"name": "mail", "position": "x:1:1", "balance": "round_robin", "sticky": None, "circuit": "",
                "queued": 0, "servers": [], "names": ["m.test"], "bounds": {}, "unresolved": unresolved}  # fmt: skip
    said = {"request": {"method": "GET", "url": "/", "client": "x"}, "upstreams": [upstream]}
    assert words in render(said, Ink(False), live=True)


@pytest.mark.parametrize("arguments", [["GET", "/"], ["x.yaml", "GET"], ["a", "b", "c", "d"]])
def test_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", *arguments]) == 2
    assert "FILE METHOD URL" in capsys.readouterr().err


def test_what_cannot_be_a_request_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert "exit code 2" in said(["explain", "shop.yaml", "GET", "/", "-H", "A: b\r\nC: d"], capsys)


def test_a_client_that_is_no_address_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["explain", "shop.yaml", "GET", "/", "--from", "notanip"])
    assert ended.value.code == 2
    assert "'notanip' does not appear to be an IPv4 or IPv6 address" in capsys.readouterr().err


LISTENING = """\
listen: [{endpoint: "tcp:80", redirect: https}, {endpoint: "tcp:443", tls: internal}]
routes: [{name: api, host: api, respond: 204}]
"""


def test_a_listener_that_redirects_says_so_and_what_https_would_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.yaml").write_text(LISTENING)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["explain", "x.yaml", "GET", "http://api/a"]) == 0
    text = capsys.readouterr().out
    first, then = text.split("\n\nGET https://api/a  from 127.0.0.1\n")
    assert "answer  308  by the listener tcp:80: redirect  x.yaml:1:10\n  Location: https://api/a" in first
    assert "  listener tcp:443  x.yaml:1:49\n\nroute  api" in then and "answer  204  by the route" in then
    assert cli.main(["explain", "x.yaml", "GET", "/", "--listener", "tcp:81"]) == 2
    assert "there is no listener tcp:81" in capsys.readouterr().err


def test_a_faulty_file_is_not_explained(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(["explain", "../../config/golden/unknown_key.yaml", "GET", "/"], capsys)
    assert "unknown key `lisen`" in text and text.endswith("exit code 1\n")


def expectation(name: str, said: dict[str, Any]) -> dict[str, Any]:
    """A route test that expects of a request what `explain` says about it."""
    method, url, *more = REQUESTS[name]
    request: dict[str, Any] = {"line": f"{method} {url if '://' in url else f'http://localhost{url}'}", "headers": {}}
    for option, value in zip(more[::2], more[1::2], strict=True):
        if option == "--from":
            request["client"] = value
        else:
            field, _, text = value.partition(": ")
            request["headers"].setdefault(field, []).append(text)
    test: dict[str, Any] = {"request": request}
    if "route" in said:
        test["route"] = said["route"]["name"]
    if "upstream_request" in said:
        test["path"] = said["upstream_request"]["line"].split(" ")[1].partition("?")[0]
        test["upstream"] = said["upstreams"][0]["name"]
    if "answer" in said:
        test["status"] = said["answer"]["status"]
        test["headers"] = dict(reversed([line.split(": ", 1) for line in said["answer"]["fields"]]))
    return test


def test_a_route_test_that_expects_what_explain_says_passes() -> None:
    """For every request above, as both send it on the same way."""
    text = (GOLDEN / "shop.yaml").read_text().partition("\ntests:\n")[0]
    house = offline_house(load_text(text, "shop.yaml", ENVIRONMENT))
    tests = []
    for name, (method, url, *more) in REQUESTS.items():
        options = list(zip(more[::2], more[1::2], strict=True))
        headers = tuple(value for option, value in options if option == "-H")
        question = Question(method, url, headers, dict(options).get("--from", "127.0.0.1"))
        tests.append(expectation(name, ask(house, question)))
    loaded = load_text(f"{text}\ntests: {json.dumps(tests)}\n", "shop.yaml", ENVIRONMENT)
    found = rehearse(loaded, build(loaded.require().routes, loaded.position))
    assert [problem.message for problem in found] == []
    assert len(loaded.require().tests) == len(REQUESTS)


@pytest.fixture
def admin(tmp_path: Path) -> tuple[str, Authority]:
    """A file whose host wants a client certificate, and who issues these."""
    authority = Authority(tmp_path)
    one = authority.issue("admin.test")
    client = f"{{verify: required, ca: {authority.ca}}}"
    path = tmp_path / "admin.yaml"
    path.write_text(f"""\
listen: [{{endpoint: "tcp:443", tls: {{certificates: [{{cert: {one.cert}, key: {one.key}, client: {client}}}]}}}}]
routes: [{{host: admin.test, upstream: http://127.0.0.1:1}}]
""")
    return str(path), authority


@pytest.mark.parametrize(
    ("shown", "words", "code"),
    [
        ([], "taken for one that is believed, --client-cert says which", 0),
        (["--client-cert", "{}/ann.crt"], "required by admin.test: believed", 0),
        (["--client-cert", "{}/ann.crt"], "X-Forwarded-Client-Cert: Hash=", 0),
        (["--client-cert", "none"], "answer  none  by the TLS handshake\n  client.tls.certificate: admin.test", 1),
        (["--client-cert", "{}/admin.yaml"], "no certificate in PEM form", 2),
    ],
)  # fmt: skip
def test_what_a_client_certificate_changes(
    admin: tuple[str, Authority], capsys: pytest.CaptureFixture[str], shown: list[str], words: str, code: int
) -> None:
    file, authority = admin
    authority.issue("ann.test", file="ann")
    options = [option.format(authority.folder) for option in shown]
    assert cli.main(["explain", file, "GET", "https://admin.test/", *options]) == code
    said = capsys.readouterr()
    assert words in said.out + said.err


def test_the_running_proxy_is_sent_the_certificate(
    admin: tuple[str, Authority], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, Any]] = []

    def post(control: object, path: str, question: dict[str, Any]) -> dict[str, Any]:
        asked.append(question)
        return {"request": {"method": "GET", "url": "/", "client": "::1"}, "routes": []}

    monkeypatch.setattr("proxy.cli.control.Control.post", post)
    _, authority = admin
    ann = authority.issue("ann.test", file="ann")
    common = ["explain", "--live", "--admin", "unix:/nowhere", "GET", "https://admin.test/", "--client-cert"]
    for shown in (ann.cert, "none"):
        assert cli.main([*common, shown]) == 1
    assert [question["certificate"] for question in asked] == [Path(ann.cert).read_text(), ""]
