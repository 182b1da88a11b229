"""Who waits for room: in order, not for ever, and never while there is some."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.task import Clock

from proxy.alarm import Alarm
from proxy.errors import CLIENT_CLOSED, NO_SERVER, QUEUE_TIMEOUT, ProxyError
from proxy.flow.walk import Walk
from proxy.upstream.queue import Queue


class Street:
    """A queue before one server that has room for so many; `heard` is what the exchanges were told, in order."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.queue = Queue(Alarm(self.clock, self.clock.seconds))
        self.heard: list[tuple[str, object]] = []
        self.room = 0
        self.error: ProxyError | None = None

    def enter(self, name: Any, tried: Sequence[Any] = (), then: Callable[[], None] = lambda: None) -> Walk[Any]:
        def hears(outcome: object) -> None:
            self.heard.append((name, outcome))
            then()

        walk: Walk[Any] = Walk(self.queue.wait(name, tried, 5.0), hears, hears)
        walk.start()
        return walk

    def choose(self, name: Any, tried: Sequence[Any]) -> Any:
        if self.error is not None:
            raise self.error
        if not self.room:
            return None
        self.room -= 1
        return f"server of {name}, not {tried}"

    def look(self) -> None:
        self.queue.let_in(self.choose)


def test_as_many_as_fit_are_let_in_in_order() -> None:
    street = Street()
    for name in "abc":
        street.enter(name, [name.upper()])
    street.room = 2
    street.look()
    assert street.heard == [("a", "server of a, not ['A']"), ("b", "server of b, not ['B']")]
    assert repr(street.queue) == "<Queue of 1>"


def test_nobody_waits_for_ever() -> None:
    street = Street()
    street.enter("a")
    street.clock.pump([0.1] * 53)
    [(_, error)] = street.heard
    assert isinstance(error, ProxyError)
    assert error.reason is QUEUE_TIMEOUT
    assert not street.queue.waiting


def test_all_learn_that_there_will_be_no_room() -> None:
    street = Street()
    street.enter("a")
    street.enter("b")
    street.error = ProxyError(NO_SERVER)
    street.look()
    assert street.heard == [("a", street.error), ("b", street.error)]


def test_whoever_leaves_is_not_waited_for() -> None:
    street = Street()
    first = street.enter("a")
    street.enter("b")
    first.cancel(ProxyError(CLIENT_CLOSED))
    street.room = 1
    street.look()
    assert street.heard == [("b", "server of b, not ()")]


def test_who_is_let_in_and_leaves_at_once_makes_room_for_the_next() -> None:
    street = Street()
    for name in "abc":
        street.enter(name, then=street.look)
    street.room = 3
    street.look()
    assert [name for name, _ in street.heard] == ["a", "b", "c"]
