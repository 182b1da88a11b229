"""When a failed attempt is tried once more."""

from __future__ import annotations

import pytest

from proxy.errors import CONNECT_REFUSED, RESPONSE_CLOSED, ProxyError, Retry
from proxy.message import Fields, RequestHead
from proxy.policy.retry import RetryPolicy, budget_admits, is_repeatable, may_retry, may_retry_status


def head(method: bytes) -> RequestHead:
    return RequestHead(method, b"/", b"a", 1, Fields())


UNSENT = ProxyError(CONNECT_REFUSED, retry=Retry.UNSENT)
SENT = ProxyError(RESPONSE_CLOSED, retry=Retry.SENT)
NEVER = ProxyError(RESPONSE_CLOSED)


@pytest.mark.parametrize(
    ("error", "method", "replayable", "expected"),
    [
        (UNSENT, b"GET", True, True),
        (UNSENT, b"POST", True, True),
        (UNSENT, b"POST", False, False),
        (UNSENT, b"WHATEVER", True, True),
        (SENT, b"GET", True, True),
        (SENT, b"HEAD", True, True),
        (SENT, b"OPTIONS", True, True),
        (SENT, b"PUT", True, True),
        (SENT, b"DELETE", True, True),
        (SENT, b"PUT", False, False),
        (SENT, b"POST", True, False),
        (SENT, b"PATCH", True, False),
        (SENT, b"get", True, False),
        (SENT, b"WHATEVER", True, False),
        (NEVER, b"GET", True, False),
    ],
)
def test_a_failure_is_repeated_only_where_that_is_safe(
    error: ProxyError, method: bytes, replayable: bool, expected: bool
) -> None:
    assert may_retry(error, head(method), 1, replayable, True) is expected


def test_once_is_enough_by_default() -> None:
    assert may_retry(UNSENT, head(b"GET"), 1, True, True)
    assert not may_retry(UNSENT, head(b"GET"), 2, True, True)
    assert may_retry(UNSENT, head(b"GET"), 3, True, True, RetryPolicy(retries=3))
    assert not may_retry(UNSENT, head(b"GET"), 1, True, True, RetryPolicy(retries=0))


def test_an_upstream_that_cannot_bear_it_gets_no_retry() -> None:
    assert not may_retry(UNSENT, head(b"GET"), 1, True, False)


def test_an_operator_may_know_that_every_method_is_safe() -> None:
    policy = RetryPolicy(any_method=True)
    assert is_repeatable(b"POST", policy)
    assert may_retry(SENT, head(b"POST"), 1, True, True, policy)
    assert not may_retry(NEVER, head(b"POST"), 1, True, True, policy)


def test_a_status_is_repeated_only_where_asked_for() -> None:
    policy = RetryPolicy(statuses=frozenset({503}))
    assert may_retry_status(503, head(b"GET"), 1, True, True, policy)
    assert not may_retry_status(503, head(b"GET"), 1, True, True)
    assert not may_retry_status(502, head(b"GET"), 1, True, True, policy)
    assert not may_retry_status(503, head(b"POST"), 1, True, True, policy)
    assert not may_retry_status(503, head(b"GET"), 2, True, True, policy)
    assert not may_retry_status(503, head(b"GET"), 1, False, True, policy)
    assert not may_retry_status(503, head(b"GET"), 1, True, False, policy)


def test_retries_are_a_fifth_of_what_goes_on_but_three_always_fit() -> None:
    assert [budget_admits(1, retrying) for retrying in range(5)] == [True, True, True, False, False]
    assert budget_admits(100, 19)
    assert not budget_admits(100, 20)


def test_under_a_full_outage_retries_stay_within_the_budget() -> None:
    active = retrying = 0
    for _ in range(1000):
        active += 1
        if budget_admits(active, retrying):
            retrying += 1
    assert retrying <= max(3, 0.2 * active) + 1
