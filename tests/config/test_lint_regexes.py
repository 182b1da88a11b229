"""Regular expressions that are warned of, wherever a configuration has them. Which ones is in `test_regex`."""

import pytest

from proxy.config import load_text

UPSTREAM = "upstreams: {api: {servers: http://a%s}}\n"
BAD = "'^([a-z]+/?)+$'"


def codes(text: str) -> list[tuple[str, int]]:
    loaded = load_text(text, "x.yaml", {})
    assert loaded.errors == ()
    return [(problem.code, problem.line) for problem in loaded.problems]


@pytest.mark.parametrize(
    "route",
    [
        "host: {regex: %s}",
        "path: {regex: %s}",
        "headers: {X: {regex: %s}}",
        "query: {x: {regex: %s}}",
        "gates: [{rewrite: {regex: %s, replace: /}}]",
    ],
)
def test_each_place_in_a_route(route: str) -> None:
    text = UPSTREAM % "" + "routes:\n  - {upstream: api, %s}\n"
    assert codes(text % (route % BAD)) == [("regex-backtracking", 3)]
    assert codes(text % (route % "'^[a-z]+$'")) == []


@pytest.mark.parametrize("wish", ["body: %s", "expect_headers: {X: %s}"])
def test_each_place_in_a_probe(wish: str) -> None:
    text = UPSTREAM % (", health: {path: /, %s}" % (wish % BAD)) + "routes: [{upstream: api}]\n"
    assert codes(text) == [("regex-backtracking", 1)]
    defaults = "defaults: {upstream: {health: {path: /, %s}}}\n" % (wish % BAD)
    assert codes(defaults + UPSTREAM % "" + "routes:\n  - {path: /a, upstream: api}\n  - upstream: http://b\n") == [
        ("regex-backtracking", 1)
    ]


def test_expressions_that_fit_anywhere() -> None:
    assert codes("routes: [{path: {regex: /a}, respond: 204}]\n") == [("regex-unanchored", 1)]
    assert codes("routes: [{host: {regex: ^a}, respond: 204}]\n") == [("regex-unanchored", 1)]
