"""Routes that no request reaches, requests that no route takes."""

import pytest

from proxy.config import load_text
from proxy.routing import build, lint


def warnings(*routes: str) -> list[tuple[str, int]]:
    text = "routes:\n" + "".join(f"  - {{{route}, respond: 204}}\n" for route in routes)
    loaded = load_text(text, "x.yaml", {})
    found = lint(loaded, build(loaded.require().routes, loaded.position))
    return [(problem.code, problem.line - 1) for problem in found]


REST = "path: /"


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("path: /a", "path: /a"),
        ("path: /a, methods: [GET]", "path: /a, methods: [GET]"),
        ("path: /a, methods: [GET, POST], priority: 1", "path: /a, methods: [GET], query: {a: b}"),
        ("path: /a, priority: 1", "path: /a/b"),
        ("path: /a, priority: 1", "path: {exact: /a}"),
        ("path: /a/, priority: 1", "path: {exact: /a/b}"),
        ("host: '*.x', priority: 1", "host: a.b.x, path: /a"),
        ("host: '*.x', priority: 1", "host: '*.b.x', path: /a"),
        ("priority: 1, methods: [GET]", "host: {regex: ^a$}, path: {regex: ^/a}, methods: [HEAD]"),
        ("path: {regex: ^/a}", "path: {regex: ^/a}"),
        ("headers: {X: '1'}, path: /a", "headers: {x: '1'}, path: /a"),
        ("headers: {X: {present: true}}", "headers: {x: '1'}"),
        ("headers: {X: {present: true}}", "headers: {X: {regex: ^1}}"),
        ("headers: {X: {regex: ^1}}", "headers: {X: '12'}"),
        ("query: {x: {present: true}}", "query: {x: y}"),
        ("client: 10.0.0.0/8", "client: 10.1.0.0/16"),
        ("client: [10.0.0.0/9, 10.128.0.0/9, '::/0']", "client: [10.0.0.0/8, '2001:db8::/32']"),
        ("client: 10.0.0.0/8, priority: 1", "client: 10.1.2.3, methods: [GET], path: /a"),
    ],
)
def test_what_is_never_reached(wide: str, narrow: str) -> None:
    assert ("unreachable-route", 2) in warnings(wide, narrow, REST)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("path: /a", "path: /a/b"),
        ("path: /a", "path: /b"),
        ("path: /a, methods: [GET]", "path: /a"),
        ("path: /a, methods: [GET], priority: 1", "path: /a, methods: [POST]"),
        ("path: /a/, priority: 1", "path: /a"),
        ("path: {exact: /a}, priority: 1", "path: /a"),
        ("host: '*.x', priority: 1", "host: x"),
        ("host: a, priority: 1", "host: '*.a'"),
        ("headers: {X: '1'}, path: /a", "headers: {X: '2'}, path: /a"),
        ("headers: {X: '1'}", "headers: {X: {present: true}}"),
        ("headers: {X: {present: true}}", "headers: {X: {present: false}}"),
        ("headers: {X: {present: true}}", "headers: {Y: '1'}"),
        ("headers: {X: {regex: ^1}}", "headers: {X: '2'}"),
        ("headers: {x: {present: true}}", "query: {x: y}"),
        ("client: 10.1.0.0/16", "client: 10.0.0.0/8"),
        ("client: 10.0.0.0/8", "client: [10.1.0.0/16, 192.0.2.0/24]"),
        ("client: 0.0.0.0/0", "client: '::/0'"),
    ],
)
def test_what_is_reached(one: str, other: str) -> None:
    assert warnings(one, other, REST) == []


def test_a_part_of_a_route_that_is_never_reached() -> None:
    assert warnings("path: /a", "path: [/a, /c]", REST) == [("shadowed-route", 2)]
    assert warnings("host: [x, y]", "host: [y, z], path: /", REST) == [("shadowed-route", 2)]
    assert warnings("path: [/a, /c]", "path: /a", "path: /d", REST) == [("unreachable-route", 2)]


def test_a_catch_all() -> None:
    assert warnings("path: /a") == [("no-catch-all", 0)]
    assert warnings("path: /, methods: [GET]") == [("no-catch-all", 0)]
    assert warnings("host: '*'") == []
    assert warnings("host: [a, '*'], path: [/x, /]") == []


@pytest.mark.parametrize(
    ("route", "loops"),
    [
        ("{path: /a, redirect: /a/b}", True),
        ("{redirect: '/x?y#z'}", True),
        ("{host: '*.a', redirect: /x}", True),
        ("{path: {exact: /a}, redirect: /a/}", False),
        ("{path: /a, redirect: /b}", False),
        ("{path: /a, redirect: /a/b, query: {x: y}}", False),
        ("{path: /a, redirect: https://other.example/a}", False),
    ],
)
def test_redirects_to_themselves(route: str, loops: bool) -> None:
    loaded = load_text(
        f"routes:\n  - {route}\n  - {{path: /b, respond: 204}}\n  - {{respond: 204, priority: -1}}\n", "x.yaml", {}
    )
    found = lint(loaded, build(loaded.require().routes, loaded.position))
    assert ("redirect-loop" in [problem.code for problem in found]) is loops


def test_a_redirect_that_a_more_specific_route_catches_is_none() -> None:
    loaded = load_text("routes:\n  - {redirect: /welcome}\n  - {path: /welcome, respond: 200}\n", "x.yaml", {})
    assert lint(loaded, build(loaded.require().routes, loaded.position)) == []


@pytest.mark.parametrize(
    ("paths", "gates", "warned"),
    [
        ("/v1", "{strip_prefix: /v2}", True),
        ("/v1", "{strip_prefix: /v1}", False),
        ("/v1", "{strip_prefix: /v1/x}", False),
        ("/v1/x", "{strip_prefix: /v1}", False),
        ("/v1", "{strip_prefix: /v}", True),
        ("/v1/", "{strip_prefix: /v1}", False),
        ("/", "{strip_prefix: /v1}", False),
        ("{regex: ^/v/}", "{strip_prefix: /v1}", False),
        ("/v1", "{headers: {}}, {strip_prefix: /v2}", True),
        ("/v1", "{add_prefix: /v2}, {strip_prefix: /v2}", False),
        ("[/a, /b]", "{strip_prefix: /v2}", True),
        ("[/a, /v2]", "{strip_prefix: /v2}", False),
        # Both are compared as the gate does it: normalized.
        ("/café2", "{strip_prefix: '/caf%C3%A92'}", False),
        ("'/caf%c3%a9'", "{strip_prefix: '/caf%C3%A9'}", False),
        ("/%61", "{strip_prefix: /a}", False),
        ("/café", "{strip_prefix: /cafe}", True),
        # Of an exact path nothing is below.
        ("{exact: /c}", "{strip_prefix: /c/d}", True),
        ("{exact: /c/d}", "{strip_prefix: /c}", False),
        ("{exact: /c}", "{strip_prefix: /c}", False),
        ("{exact: /}", "{strip_prefix: /c}", True),
    ],
)
def test_prefixes_that_never_stand_there(paths: str, gates: str, warned: bool) -> None:
    text = f"routes:\n  - {{path: {paths}, upstream: 'http://a', gates: [{gates}]}}\n  - {{respond: 204}}\n"
    loaded = load_text(text, "x.yaml", {})
    found = lint(loaded, build(loaded.require().routes, loaded.position))
    assert [problem.code for problem in found].count("strips-nothing") == warned


def test_it_is_said_where_named_gates_are_written_once_for_each_path() -> None:
    text = "gates:\n  strip: [{add_prefix: /y}]\n  inner: [{headers: {}}, {strip_prefix: /x}]\nroutes:\n" + "".join(
        f"  - {{path: {path}, upstream: 'http://a', gates: [inner, strip]}}\n" for path in ("/a", "/b", "/x")
    )
    loaded = load_text(text + "  - {respond: 204}\n", "x.yaml", {})
    found = lint(loaded, build(loaded.require().routes, loaded.position))
    assert [(problem.code, problem.line, problem.hint) for problem in found] == [
        ("strips-nothing", 3, f"the route takes `{path}`") for path in ("/a", "/b")
    ]
