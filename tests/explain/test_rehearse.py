"""Route tests: what is met passes, what is not is an error at its place."""

from __future__ import annotations

import time

import pytest

from proxy.config import load_text
from proxy.explain.rehearse import rehearse
from proxy.routing import build
from tests.support.yardstick import within

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
    found = rehearse(loaded, build(loaded.require().routes, loaded.position))
    assert all(problem.code == "test-failed" and problem.severity == "error" for problem in found)
    return [problem.message for problem in found]


@pytest.mark.parametrize(
    "test",
    [
        "{request: GET http://api.example/v1/users, route: users, upstream: api, path: /x/users}",
        "{request: GET http://api.example/v1/./%75sers, path: /x/users}",
        "{request: GET http://direct.example/a, upstream: 'http://127.0.0.1:9002', path: /a}",
        "{request: GET http://x/old?a=b, status: 308, headers: {Location: '/new?a=b'}}",
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
    found = rehearse(loaded, build(loaded.require().routes))
    assert [problem.source[problem.column - 1 :][:5] for problem in found] == ["hello", "301}"]


LISTENING = """
listen: [{endpoint: "tcp:80", redirect: https}, {endpoint: "tcp:443", tls: {issuer: internal, hsts: 1d}}]
trusted_proxies: 10.0.0.0/8
routes:
  - {name: office, client: 192.0.2.0/24, respond: {status: 200, body: hello}}
  - {name: api, path: /api, upstream: http://127.0.0.1:1, limits: {body: 1KiB}}
  - {name: keeps, path: /slash, encoded_slash: reject, respond: 204}
  - {name: rest, respond: 404}
tests:
"""


def heard(test: str) -> list[tuple[str, str]]:
    """What is wrong with a test of that configuration, and what to do about it."""
    loaded = load_text(f"{LISTENING}  - {test}\n", "x.yaml", {})
    found = rehearse(loaded, build(loaded.require().routes, loaded.position))
    return [(problem.message, problem.hint) for problem in found]


@pytest.mark.parametrize(
    "test",
    [
        "{request: {line: GET https://a/, client: 10.0.0.1, headers: {X-Forwarded-For: 192.0.2.7}}, route: office}",
        "{request: {line: GET https://a/, client: 203.0.113.1, headers: {X-Forwarded-For: 192.0.2.7}}, route: rest}",
        "{request: {line: GET https://a/, client: 192.0.2.7}, headers: {Content-Type: text/plain; charset=utf-8}}",
        "{request: GET https://a/, status: 404, headers: {Strict-Transport-Security: max-age=86400}}",
        "{request: GET http://a/x?y, status: 308, headers: {Location: 'https://a/x?y'}}",
        "{request: TRACE https://a/, status: 501}",
        "{request: GET https://a/\u00e9, status: 400}",
        "{request: GET https:///x, status: 400}",
        "{request: {line: POST https://a/, headers: {Content-Length: ['1', '2']}}, status: 400}",
        "{request: {line: POST https://a/api, headers: {Content-Length: '1025'}}, status: 413}",
        "{request: {line: GET https://a/, headers: {Expect: much}}, status: 417}",
        "{request: GET https://a/slash%2F, status: 400}",
        "{request: GET https://a/%zz, status: 400, headers: {Content-Type: text/plain; charset=utf-8}}",
    ],
)
def test_a_test_meets_what_a_request_meets(test: str) -> None:
    assert heard(test) == []


def test_whoever_expects_a_route_behind_a_redirect_to_https_is_told_how_to_ask() -> None:
    [(message, hint)] = heard("{request: GET http://a/api, upstream: 'http://127.0.0.1:1'}")
    assert message.endswith("got the listener `tcp:80`, which redirects to https")
    assert hint.startswith("ask for https://")


def test_what_is_refused_on_a_route_says_so() -> None:
    [(message, _)] = heard("{request: {line: POST https://a/api, headers: {Content-Length: '1025'}}, status: 200}")
    assert message == "expected the status 200, got 413 from the route `api`, refused (limit.body)"


def test_thousands_of_routes_and_hundreds_of_tests_take_little() -> None:
    routes = "".join(f"  - {{host: h{at}.example, path: /v1, respond: 204}}\n" for at in range(10_000))
    tests = "".join(f"  - {{request: GET http://h{at}.example/v1, status: 204}}\n" for at in range(500))
    loaded = load_text(f"routes:\n{routes}tests:\n{tests}", "x.yaml", {})
    router = build(loaded.require().routes, loaded.position)

    def seconds() -> float:
        began = time.process_time()
        assert rehearse(loaded, router) == []
        return time.process_time() - began

    assert any(within(seconds, 1.0) for _ in range(4))
