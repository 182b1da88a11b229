"""Walks: a coroutine goes on when its answer is there, whoever gives it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed

from proxy.errors import CLIENT_CLOSED, ProxyError
from proxy.flow.walk import Promise, Walk


class Ends:
    """How a walk ended."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.failed: list[BaseException] = []

    def walk(self, coroutine: Coroutine[Any, Any, Any]) -> Walk[Any]:
        walk = Walk(coroutine, self.done.append, self.failed.append)
        walk.start()
        return walk


def test_without_a_wait_it_ends_at_once() -> None:
    ends = Ends()

    async def quick() -> int:
        return 7

    ends.walk(quick())
    assert (ends.done, ends.failed) == ([7], [])


def test_it_waits_for_promises_and_for_deferreds() -> None:
    ends = Ends()
    promise: Promise[int] = Promise()
    deferred: Deferred[int] = Deferred()

    async def slow() -> int:
        return await promise + await deferred + await succeed(3)

    ends.walk(slow())
    promise.keep(1)
    assert ends.done == []
    deferred.callback(2)
    assert ends.done == [6]


@pytest.mark.parametrize("kind", ["promise", "deferred", "failed deferred"])
def test_a_failure_is_raised_where_it_was_awaited(kind: str) -> None:
    ends = Ends()
    promise: Promise[int] = Promise()
    deferred: Deferred[int] = fail(ValueError("no")) if kind == "failed deferred" else Deferred()

    async def careful() -> str:
        try:
            await (promise if kind == "promise" else deferred)
        except ValueError as error:
            return f"caught {error}"
        return "not raised"

    ends.walk(careful())
    if kind == "promise":
        promise.fail(ValueError("no"))
    elif kind == "deferred":
        deferred.errback(ValueError("no"))
    assert ends.done == ["caught no"]


def test_what_is_not_caught_is_told() -> None:
    ends = Ends()

    async def broken() -> None:
        raise KeyError("x")

    ends.walk(broken())
    assert isinstance(ends.failed[0], KeyError)


def test_cancelling_lets_the_coroutine_clean_up_and_tells_nobody() -> None:
    ends, cleaned = Ends(), []
    promise: Promise[int] = Promise()

    async def holding() -> None:
        try:
            await promise
        except ProxyError as error:
            cleaned.append(error.reason)
            raise

    walk = ends.walk(holding())
    walk.cancel(ProxyError(CLIENT_CLOSED))
    assert cleaned == [CLIENT_CLOSED]
    assert (ends.done, ends.failed) == ([], [])


def test_cancelling_reaches_a_deferred() -> None:
    ends, causes = Ends(), []
    deferred: Deferred[int] = Deferred()

    async def holding() -> None:
        try:
            await deferred
        except CancelledError as error:
            causes.append(error.__cause__)
            raise

    left = ProxyError(CLIENT_CLOSED)
    ends.walk(holding()).cancel(left)
    assert causes == [left]
    assert (ends.done, ends.failed) == ([], [])


def test_cancelling_what_has_ended_does_nothing() -> None:
    ends = Ends()

    async def quick() -> int:
        return 1

    ends.walk(quick()).cancel(ProxyError(CLIENT_CLOSED))
    assert ends.done == [1]


def test_a_promise_is_settled_once() -> None:
    promise: Promise[int] = Promise()
    promise.keep(1)
    assert promise.settled
    with pytest.raises(AssertionError):
        promise.keep(2)
