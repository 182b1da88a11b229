"""Deadlines that contradict each other: said once, where one of them is written."""

import pytest

from proxy.config import load_text

UPSTREAMS = "upstreams:\n  a: {servers: [http://a, http://b]%s}\n  b: {servers: [http://a, http://b]}\n"
ROUTES = "routes:\n  - {path: /1, upstream: a}\n  - {path: /2, upstream: a}\n  - {path: /3, upstream: b%s}\n"
SPLIT = "routes:\n  - {split: [a, b]%s}\n"


def said(text: str) -> list[tuple[int, str]]:
    loaded = load_text(text, "x.yaml", {})
    assert loaded.errors == ()
    assert {problem.code for problem in loaded.problems} <= {"contradiction"}
    return [(problem.line, problem.source[problem.column - 1 :].rstrip("}")) for problem in loaded.problems]


def in_general(timeouts: str, upstream: str = "", route: str = "", routes: str = ROUTES) -> list[tuple[int, str]]:
    return said(f"timeouts: {{{timeouts}}}\n" + UPSTREAMS % (upstream and f", {upstream}") + routes % route)


@pytest.mark.parametrize("routes", [ROUTES, SPLIT])
def test_the_general_ones(routes: str) -> None:
    assert in_general("connect: 30s, response_head: 10s", routes=routes) == [(1, "30s, response_head: 10s")]
    assert in_general("connect: 90s", routes=routes) == [(1, "90s")]
    assert in_general("connect: 30s, response_head: 0", routes=routes) == []
    assert in_general("connect: 10s, response_head: 10s", routes=routes) == []
    assert said("timeouts: {response_head: 1s}\nroutes: [{respond: 204}]\n") == [(1, "1s")]


@pytest.mark.parametrize("routes", [ROUTES, SPLIT])
def test_those_of_an_upstream(routes: str) -> None:
    assert in_general("connect: 9s", "timeouts: {response_head: 8s}", routes=routes) == [(3, "8s")]
    assert in_general("connect: 9s", "timeouts: {response_head: 8s, connect: 1s}", routes=routes) == []
    text = "defaults: {upstream: {timeouts: {connect: 70s}}}\n" + UPSTREAMS % "" + routes % ""
    assert said(text) == [(1, "70s")]
    # What an upstream does not say itself, it has from the defaults.
    text = "defaults: {upstream: {timeouts: {connect: 70s}}}\n"
    text += UPSTREAMS % ", timeouts: {response_idle: 1s}" + routes % ""
    assert said(text) == [(1, "70s")]


def test_those_of_a_route() -> None:
    assert in_general("connect: 9s", route=", timeouts: {response_head: 8s}") == [(8, "8s")]
    assert in_general("connect: 9s", route=", timeouts: {response_head: 8s}", routes=SPLIT) == [(6, "8s")]
    assert in_general("connect: 9s", "timeouts: {connect: 2s}", ", timeouts: {response_head: 8s}", SPLIT) == [(6, "8s")]
    assert in_general("connect: 9s", route=", timeouts: {response_head: 9s}") == []


@pytest.mark.parametrize("key", ["per_try", "total"])
def test_a_try_that_is_shorter_than_its_connection(key: str) -> None:
    assert in_general("connect: 9s", f"retries: {{{key}: 1s}}") == [(3, "1s")]
    assert in_general("connect: 9s", f"timeouts: {{connect: 8s}}, retries: {{{key}: 1s}}") == [(3, "1s")]
    assert in_general("connect: 1s", f"retries: {{{key}: 8s}}", ", timeouts: {connect: 9s}", SPLIT) == [(6, "9s")]
    assert in_general("connect: 9s", f"retries: {{{key}: 9s}}") == []
    # Nobody wished for the five seconds that are the default.
    assert in_general("response_head: 20s", f"retries: {{{key}: 1s}}") == []


def test_a_hedge_that_comes_too_late() -> None:
    assert in_general("response_head: 60s", "retries: {hedge_after: 90s}") == [(3, "90s")]
    assert in_general("connect: 2s", "retries: {hedge_after: 60s}", routes=SPLIT) == [(3, "60s")]
    assert in_general("response_head: 0", "retries: {hedge_after: 90s}") == []
    text = "defaults: {upstream: {retries: {hedge_after: 90s}}}\n" + UPSTREAMS % "" + ROUTES % ""
    assert said(text) == [(1, "90s")]
