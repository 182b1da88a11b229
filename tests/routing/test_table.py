"""The router: the most specific route, found quickly, and always the one that a plain search would find."""

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.config import routes as wishes
from proxy.errors import REQUEST_PATH, ProxyError
from proxy.message import Fields
from proxy.routing import Router, build, normalize

NO_FIELDS = Fields()


def router(*written: dict[str, Any]) -> Router:
    named = [{"name": f"r{place}", "respond": 204, **one} for place, one in enumerate(written)]
    return build([wishes.Route.model_validate(one) for one in named])


def found(
    table: Router, url: str, method: bytes = b"GET", fields: Fields = NO_FIELDS, client: str = "127.0.0.1"
) -> str | None:
    host, slash, rest = url.partition("/")
    path, _, query = (slash + rest).encode().partition(b"?")
    route = table.route(host.encode(), normalize(path), method, fields, query, client)
    return route.name if route else None


def test_a_prefix_ends_at_a_segment() -> None:
    table = router({"path": "/api"}, {"path": "/dir/"})
    assert found(table, "a/api") == "r0"
    assert found(table, "a/api/") == "r0"
    assert found(table, "a/api/x/y") == "r0"
    assert found(table, "a/apix") is None
    assert found(table, "a/ap") is None
    assert found(table, "a/dir/") == "r1"
    assert found(table, "a/dir/x") == "r1"
    assert found(table, "a/dir") is None


def test_the_longest_prefix_wins_whatever_the_order() -> None:
    for places in ((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)):
        paths = ["/", "/a", "/a/", "/a/b"]
        table = router(*({"name": paths[place].replace("/", "s"), "path": paths[place]} for place in places))
        wanted = {"/": "s", "/x": "s", "/a": "sa", "/a/": "sas", "/a/c": "sas", "/a/b": "sasb", "/a/b/c": "sasb"}
        assert {path: found(table, "h" + path) for path in wanted} == wanted


def test_hosts() -> None:
    table = router(
        {"host": "a.example.com"},
        {"host": "*.example.com"},
        {"host": "*.b.example.com"},
        {"host": {"regex": r"^t\d+\.example\.net$"}},
        {"host": "*"},
        {"host": "[::1]"},
    )
    assert found(table, "A.example.com.:80/") == "r0"
    assert found(table, "c.example.com/") == "r1"
    assert found(table, "c.d.example.com/") == "r1"
    assert found(table, "c.b.example.com/") == "r2"
    assert found(table, "b.example.com/") == "r1"
    assert found(table, "example.com/") == "r4"
    assert found(table, "T12.example.net/") == "r3"
    assert found(table, "t12.example.net.evil/") == "r4"
    assert found(table, "[::1]:8080/") == "r5"
    assert found(table, "/") == "r4"


def test_a_less_specific_host_is_asked_where_the_path_does_not_fit() -> None:
    table = router(
        {"host": "a.b", "path": "/x"}, {"host": "*.b", "path": "/y"}, {"path": "/z"}, {"host": {"regex": "a"}}
    )
    assert [found(table, f"a.b{path}") for path in ("/x", "/y", "/z", "/w")] == ["r0", "r1", "r3", "r3"]


def test_conditions() -> None:
    table = router(
        {"path": "/a", "methods": ["POST"]},
        {"path": "/a", "headers": {"X-Beta": {"present": True}}, "query": {"v": "2"}},
        {"path": "/a", "client": "10.0.0.0/8"},
        {"path": "/a"},
    )
    assert found(table, "h/a") == "r3"
    assert found(table, "h/a", b"POST") == "r0"
    assert found(table, "h/a?v=2", fields=Fields([(b"x-beta", b"")])) == "r1"
    assert found(table, "h/a?v=1", fields=Fields([(b"x-beta", b"")])) == "r3"
    assert found(table, "h/a", client="10.1.1.1") == "r2"


def test_priority_overrides() -> None:
    table = router({"host": "a", "path": {"exact": "/x"}}, {"priority": 1, "methods": ["GET"]}, {"priority": -1})
    assert found(table, "a/x") == "r1"
    assert found(table, "a/x", b"POST") == "r0"
    assert found(table, "b/x", b"POST") == "r2"


def test_the_same_regular_expression_on_several_routes() -> None:
    table = router(
        {"host": {"regex": "^a"}, "path": "/x"},
        {"host": {"regex": "b$"}, "path": {"exact": "/x"}},
        {"host": {"regex": "^a"}},
    )
    assert found(table, "ab/x") == "r1"
    assert found(table, "ac/x") == "r0"
    assert found(table, "ab/y") == "r2"


def test_encoded_slashes_are_for_routes_that_say_so() -> None:
    table = router({"path": "/a", "encoded_slash": "allow"}, {"path": "/b"})
    assert found(table, "h/a/x%2Fy") == "r0"
    assert found(table, "h/c%2Fd") is None
    for url in ("h/b/x%2fy", "h/b/x%5cy", "h/b\\", "h/b/\\x"):
        if url == "h/b\\":
            assert found(table, url) is None  # one segment, which is not `b`
            continue
        with pytest.raises(ProxyError) as caught:
            found(table, url)
        assert caught.value.reason is REQUEST_PATH


def test_the_methods_that_would_help() -> None:
    table = router(
        {"path": "/a", "methods": ["POST", "PUT"]},
        {"path": "/a", "methods": ["DELETE"], "client": "10.0.0.0/8"},
        {"path": "/b"},
    )

    def allowed(path: bytes, client: str = "127.0.0.1") -> tuple[bytes, ...]:
        return table.allowed_methods(b"h", path, NO_FIELDS, b"", client)

    assert found(table, "h/a") is None
    assert allowed(b"/a") == (b"POST", b"PUT")
    assert allowed(b"/a", "10.0.0.1") == (b"DELETE", b"POST", b"PUT")
    assert allowed(b"/nowhere") == ()


def test_no_routes() -> None:
    assert found(router(), "a/b") is None


def test_what_was_asked_before_is_answered_the_same() -> None:
    table = router({"path": "/a", "methods": ["GET"]}, {"path": "/a", "methods": ["POST"]})
    for _ in range(3):
        assert found(table, "h/a") == "r0"
        assert found(table, "h/a", b"POST") == "r1"
        assert found(table, "h/a", b"PUT") is None


def test_memory_stays_bounded_whatever_clients_ask() -> None:
    patterns = [{"host": {"regex": f"{number}$"}, "path": {"regex": "x"}} for number in range(10)]
    pairs = [{"host": {"regex": f"{one}.*{two}"}} for one in range(10) for two in range(one)]
    table = router({"path": "/a"}, *patterns, *pairs)
    for number in range(20_000):
        assert found(table, f"h{number}/a/{number}") is not None
    assert 0 < len(table._hosts) <= 16_384
    assert 0 < len(table._known) <= 4096
    assert 0 < len(table._sets) <= 64
    assert found(table, "h/a/" + "x" * 5000) == "r0"
    assert found(table, "h" * 5000 + "/a") == "r0"
    assert all(len(host) + len(path) <= 256 for host, path in table._known)
    assert all(len(host) <= 255 for host in table._hosts)


def test_what_a_look_up_finds_is_not_remembered_where_finding_it_again_costs_no_more() -> None:
    table = router({"path": "/a"}, {"host": "b", "path": "/a/b"})
    assert found(table, "b/a/b/c") == "r1"
    assert not table._known


# --- the same as a plain search ---------------------------------------------------------------------------------

HOSTS = st.sampled_from(["a", "b.a", "c.b.a", "*.a", "*.b.a", "*", {"regex": "^b"}, {"regex": "a$"}])
PATHS = st.sampled_from(
    [
        "/",
        "/x",
        "/x/",
        "/x/y",
        "/x/y/z",
        {"exact": "/"},
        {"exact": "/x"},
        {"exact": "/x/y"},
        {"regex": "y"},
        {"regex": "^/x$"},
    ]
)
ROUTES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "host": st.lists(HOSTS, min_size=1, max_size=2),
            "path": st.lists(PATHS, min_size=1, max_size=2),
            "methods": st.sampled_from([["GET"], ["POST"], ["GET", "POST"]]),
            "headers": st.just({"A": "1"}),
            "priority": st.integers(-1, 1),
        },
    ),
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(
    ROUTES,
    st.sampled_from(["a", "b.a", "c.b.a", "d.c.b.a", "z", ""]),
    st.sampled_from(["/", "/x", "/x/", "/x/y", "/x/y/z", "/x/y/z/w", "/xy", "/y"]),
    st.sampled_from([b"GET", b"POST", b"PUT"]),
    st.booleans(),
)
def test_the_dictionaries_find_what_a_plain_search_finds(
    written: list[dict[str, Any]], host: str, path: str, method: bytes, with_field: bool
) -> None:
    table = router(*written)
    fields = Fields([(b"a", b"1")]) if with_field else NO_FIELDS
    said = table.explain(host.encode(), path.encode(), method, fields, b"", "127.0.0.1", lambda name, value: value)
    chosen = [route.name for route, reason in said if reason is None]
    name = found(table, host + path, method, fields)
    assert chosen == ([name] if name else [])
    assert len(said) == len(written)


# --- cost -------------------------------------------------------------------------------------------------------


def lines_run(table: Router, host: bytes, path: bytes) -> int:
    """How many lines of the router's Python run for one look-up of something not asked before."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        table.route(host, path, b"GET", NO_FIELDS, b"", "127.0.0.1")
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "shape",
    [
        lambda n: {"host": f"h{n}.example.com"},
        lambda n: {"host": f"*.h{n}.example.com"},
        lambda n: {"path": f"/p{n}"},
        lambda n: {"path": {"exact": f"/p{n}"}},
        lambda n: {"host": f"h{n % 7}.example.com", "path": f"/p{n}/q", "priority": n % 3},
    ],
)
def test_a_thousand_times_the_routes_cost_the_same(shape: Any) -> None:
    few, many = (router(*(shape(n) for n in range(count))) for count in (10, 10_000))
    for host, path in ((b"h3.example.com", b"/p3/q/r"), (b"x.h3.example.com", b"/p3"), (b"other", b"/none/at/all")):
        assert lines_run(many, host, path) <= lines_run(few, host, path) + 5


def test_a_hostile_path_costs_no_more_than_the_longest_prefix_deserves() -> None:
    table = router({"path": "/a/b"}, {"path": "/c"})
    assert lines_run(table, b"h", b"/a" + b"/x" * 4000) < 60


def test_a_hostile_host_costs_nothing() -> None:
    table = router({"host": "*.example.com"})
    assert lines_run(table, b"a." * 4000 + b"example.com", b"/") < 60
