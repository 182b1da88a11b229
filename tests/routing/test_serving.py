"""Which routes may get a request for a host."""

import pytest

from proxy.config import load_text
from proxy.routing import build
from proxy.routing.serving import serving


def served(*routes: str, names: tuple[str, ...]) -> dict[int, list[str]]:
    text = "routes:\n" + "".join(f"  - {{{route}, respond: 204}}\n" for route in routes)
    router = build(load_text(text, "x.yaml", {}).require().routes)
    return {route.place: found for route, found in serving(router.entries, names).items()}


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a.x", "a.x"),
        ("'*.x'", "a.x"),
        ("'*.x'", "b.a.x"),
        ("'*.x'", "*.x"),
        ("'*.x'", "*.a.x"),
        ("'*.a.x'", "*.x"),
        ("c.b.a.x", "*.x"),
        ("{regex: '^(a|b)[.]x$'}", "a.x"),
        ("{regex: '^.[.]x$'}", "*.x"),
        ("'*'", "a.x"),
        ("[other.x, a.x]", "a.x"),
    ],
)
def test_a_route_that_takes_some_of_the_hosts(host: str, name: str) -> None:
    assert served(f"host: {host}, path: /", names=(name,)) == {0: [name]}


@pytest.mark.parametrize(
    ("host", "name"),
    [("b.x", "a.x"), ("'*.a.x'", "a.x"), ("x", "*.x"), ("ax", "*.x"), ("{regex: '^b[.]x$'}", "a.x"), ("a.x", "*.a.x")],
)
def test_a_route_that_takes_none(host: str, name: str) -> None:
    assert served(f"host: {host}, path: /", names=(name,)) == {}


def test_whoever_takes_all_leaves_nothing_for_those_behind() -> None:
    behind = ("host: '*.x', path: /", "path: /")
    assert served("host: a.x, path: /", *behind, names=("a.x",)) == {0: ["a.x"]}
    for part in ("path: /part", "path: /, methods: [GET]"):
        assert served(f"host: a.x, {part}", *behind, names=("a.x",)) == {0: ["a.x"], 1: ["a.x"]}
    assert served("host: a.x, path: /", *behind, names=("*.x",)) == {0: ["*.x"], 1: ["*.x"]}
    assert served("host: a.x, path: /", "path: /b, priority: 1", names=("a.x",)) == {0: ["a.x"], 1: ["a.x"]}
    assert served("host: {regex: '^a[.]x$'}, path: /", "path: /", names=("a.x",)) == {0: ["a.x"]}
    assert served("host: {regex: '[.]x$'}, path: /", "path: /", names=("*.x",)) == {0: ["*.x"], 1: ["*.x"]}
    assert served("path: /", "path: /b", names=("a.x", "b.x")) == {1: ["a.x", "b.x"], 0: ["a.x", "b.x"]}
