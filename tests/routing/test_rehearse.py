"""Route tests: what is met passes, what is not is an error at its place."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config import load_text
from proxy.config.gates import Gate
from proxy.gates import path as gates
from proxy.message import EMPTY, Exchange, Fields, Peer, RequestHead, Response, ResponseHead
from proxy.observe import ExchangeRecord
from proxy.routing import build, path_after, rehearse

CONFIG = r"""
upstreams: {api: {servers: http://127.0.0.1:9001}}
routes:
  - {name: users, host: api.example, path: /v1, upstream: api, gates: [{strip_prefix: /v1}, {add_prefix: /x}]}
  - {name: direct, host: direct.example, upstream: http://127.0.0.1:9002}
  - {name: old, path: /old, redirect: {to: /new, status: 308, keep_query: true}}
  - name: hello
    path: {exact: /hello}
    methods: [GET]
    respond: {status: 203, headers: {X-A: [one, two], X-B: b}}
    gates:
      - headers: {response: {remove: [X-B], set: {X-C: c}, add: {X-A: three}}}
  - {name: inside, path: /inside, client: 10.0.0.0/8, headers: {X-Key: k}, respond: 204}
tests:
"""


def failures(test: str) -> list[str]:
    loaded = load_text(CONFIG + f"  - {test}\n", "x.yaml", {})
    router = build(loaded.require().routes, loaded.position)
    found = rehearse(loaded, router, lambda wish, target: wish.to + b" for " + target)
    assert all(problem.code == "test-failed" and problem.severity == "error" for problem in found)
    return [problem.message for problem in found]


@pytest.mark.parametrize(
    "test",
    [
        "{request: GET http://api.example/v1/users, route: users, upstream: api, path: /x/users}",
        "{request: GET http://api.example/v1/./%75sers, path: /x/users}",
        "{request: GET http://direct.example/a, upstream: 'http://127.0.0.1:9002', path: /a}",
        "{request: GET http://x/old?a=b, status: 308, headers: {Location: /new for /old?a=b}}",
        "{request: GET http://x/hello, route: hello, status: 203, headers: {x-a: three, X-C: c}}",
        "{request: POST http://x/hello, status: 405}",
        "{request: GET http://x/nowhere, status: 404}",
        "{request: GET http://x/%00, status: 400}",
        "{request: GET http://x/inside, status: 404}",
        "{request: {line: GET http://x/inside, headers: {X-Key: k}, client: 10.1.1.1}, route: inside, status: 204}",
    ],
)
def test_what_is_met(test: str) -> None:
    assert failures(test) == []


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("{request: GET http://x/old, route: hello}", "expected the route `hello`, got the route `old`"),
        ("{request: GET http://x/none, route: hello}", "expected the route `hello`, got no route (route.none)"),
        (
            "{request: GET http://x/old, upstream: api}",
            "expected the upstream `api`, got the route `old` to `redirect`",
        ),
        (
            "{request: GET http://x/none, upstream: api}",
            "expected the upstream `api`, got no route (route.none) to nowhere",
        ),
        (
            "{request: GET http://api.example/v1/a, path: /a}",
            "expected the path `/a`, got the route `users` with `/x/a`",
        ),
        ("{request: GET http://x/old, status: 301}", "expected the status 301, got 308 from the route `old`"),
        ("{request: GET http://x/none, status: 200}", "expected the status 200, got 404 from no route (route.none)"),
        (
            "{request: GET http://x/hello, headers: {X-B: b}}",
            "expected `X-B: b`, got no such field from the route `hello`",
        ),
        (
            "{request: GET http://x/hello, headers: {X-A: four}}",
            "expected `X-A: four`, got `one` and `two` and `three` from the route `hello`",
        ),
        (
            "{request: GET http://api.example/v1, status: 200}",
            "got the route `users` to `api`: what that answers is not known before",
        ),
    ],
)
def test_what_is_not(test: str, message: str) -> None:
    assert failures(test) == [message]


def test_each_expectation_fails_for_itself_at_its_place() -> None:
    loaded = load_text(CONFIG + "  - {request: GET http://x/old, route: hello, status: 301}\n", "x.yaml", {})
    found = rehearse(loaded, build(loaded.require().routes), lambda wish, target: wish.to)
    assert [problem.source[problem.column - 1 :][:5] for problem in found] == ["hello", "301}"]


GATES = st.lists(
    st.sampled_from(
        [
            {"strip_prefix": "/a"},
            {"strip_prefix": "/a/b"},
            {"add_prefix": "/a"},
            {"rewrite": {"regex": "^/a", "replace": ""}},
            {"rewrite": {"regex": "b+", "replace": "é ?"}},
            {"rewrite": {"regex": "/(c)", "replace": r"/\1/\1"}},
            {"headers": {}},
        ]
    ),
    max_size=4,
)


@given(GATES, st.sampled_from([b"/", b"/a", b"/a/b", b"/a/b/c", b"/ab", b"/b/c/", b"/%C3%A9"]))
def test_the_path_is_the_one_that_the_gates_make(written: list[dict[str, Any]], path: bytes) -> None:
    written_gates = [Gate.model_validate(one) for one in written]
    head = RequestHead(b"GET", path + b"?q", b"h", 1, Fields())
    exchange = Exchange(head, path, EMPTY, Peer("127.0.0.1", 1), ExchangeRecord(0.0, 0.0), lambda _: None)

    async def proceed(_: Exchange) -> Response:
        return Response(ResponseHead(200, b"", Fields()))

    for wish in written_gates:
        for gate in gates_of(wish):
            with pytest.raises(StopIteration):
                gate(exchange, proceed).send(None)
    assert path_after(written_gates, path) == exchange.path


def gates_of(wish: Gate) -> list[Any]:
    if wish.strip_prefix is not None:
        return [gates.strip_prefix(wish.strip_prefix)]
    if wish.add_prefix is not None:
        return [gates.add_prefix(wish.add_prefix)]
    if wish.rewrite is not None:
        return [gates.rewrite(wish.rewrite.regex, wish.rewrite.template)]
    return []
