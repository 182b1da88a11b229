"""Coroutines at the same time, on a fake clock."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock

from proxy.alarm import Alarm
from proxy.flow.race import EXACT_BELOW_SECONDS, Race, within
from proxy.flow.walk import Promise, Walk


class BeatenError(Exception):
    pass


class LateError(Exception):
    pass


class Track:
    """A clock, promises to wait for, and what became of those who did."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.alarm = Alarm(self.clock, self.clock.seconds)
        self.race: Race[str] = Race(self.alarm, BeatenError())
        self.raised: list[type[BaseException]] = []
        self.came: list[Any] = []

    async def runner(self, promise: Promise[str]) -> str:
        try:
            return await promise
        except Exception as error:
            self.raised.append(type(error))
            raise

    def enter(self) -> Promise[str]:
        promise: Promise[str] = Promise()
        self.race.enter(self.runner(promise))
        return promise

    def watch(self, coroutine: Any) -> Walk[str]:
        walk: Walk[str] = Walk(coroutine, self.came.append, lambda error: self.came.append(type(error)))
        walk.start()
        return walk

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.05] * int(seconds / 0.05))


@pytest.fixture
def track() -> Track:
    return Track()


def test_the_first_result_counts_and_the_others_learn_it(track: Track) -> None:
    one, two = track.enter(), track.enter()
    track.watch(track.race.result())
    two.keep("second")
    assert track.came == ["second"]
    assert track.raised == [BeatenError]
    assert one.settled
    assert track.race.running == 0


def test_a_failure_counts_only_when_nobody_is_left(track: Track) -> None:
    one, two = track.enter(), track.enter()
    track.watch(track.race.result())
    one.fail(ValueError())
    assert track.came == []
    two.fail(KeyError())
    assert track.came == [KeyError]


def test_what_is_done_at_once_needs_no_wait(track: Track) -> None:
    async def ready() -> str:
        return "ready"

    track.race.enter(ready())
    track.watch(track.race.result())
    assert track.came == ["ready"]


def test_time_passes_until_there_is_a_result(track: Track) -> None:
    called: list[str] = []
    track.race.after(1.0, lambda: called.append("first"))
    track.race.after(2.0, lambda: called.append("second"))
    promise = track.enter()
    track.watch(track.race.result())
    track.wait(1.5)
    assert called == []
    track.wait(1.0)
    assert called == ["second"]
    track.race.after(1.0, lambda: called.append("third"))
    promise.keep("done")
    track.wait(2.0)
    assert called == ["second"]
    assert not track.clock.getDelayedCalls()


def test_whoever_waits_may_be_cancelled_and_all_go_with_it(track: Track) -> None:
    track.enter()
    track.enter()
    waiting = track.watch(track.race.result())
    waiting.cancel(LateError())
    assert track.raised == [LateError, LateError], "they learn why"
    assert track.came == []


def test_within_a_time(track: Track) -> None:
    promise: Promise[str] = Promise()
    track.watch(within(track.alarm, 1.0, track.runner(promise), LateError))
    promise.keep("in time")
    assert track.came == ["in time"]
    track.wait(3.0)
    assert track.raised == []


def test_not_within_a_time(track: Track) -> None:
    promise: Promise[str] = Promise()
    track.watch(within(track.alarm, 1.0, track.runner(promise), LateError))
    track.wait(1.3)
    assert track.came == [LateError]
    assert track.raised == [LateError]


def test_short_times_are_exact_and_leave_no_timer_behind(track: Track) -> None:
    came: list[float] = []
    promise = track.enter()
    track.watch(track.race.result())
    track.race.after(0.02, lambda: came.append(round(track.clock.seconds(), 3)))
    track.clock.pump([0.001] * 30)
    assert came == [0.02]
    track.race.after(0.02, lambda: came.append(0.0))
    track.race.after(0.5, lambda: came.append(0.0))
    assert len(track.clock.getDelayedCalls()) == 1, "one wish takes the place of another"
    promise.keep("here")
    assert track.came == ["here"]
    track.wait(1)
    assert came == [0.02]
    assert not track.clock.getDelayedCalls()


def test_long_times_hang_on_the_wheel(track: Track) -> None:
    came: list[float] = []
    track.enter()
    track.watch(track.race.result())
    track.race.after(EXACT_BELOW_SECONDS, lambda: came.append(track.clock.seconds()))
    track.wait(2)
    assert len(came) == 1
    assert 1.0 <= came[0] <= 1.25


# --- results that are not good --------------------------------------------------------------------------------


class Picky:
    """Small letters are not good."""

    def __init__(self) -> None:
        self.thrown_away: list[str] = []

    def is_good(self, result: str) -> bool:
        return result.isupper()

    def unused(self, result: str) -> None:
        self.thrown_away.append(result)


@pytest.fixture
def picky(track: Track) -> Picky:
    referee = Picky()
    track.race = Race(track.alarm, BeatenError(), referee)
    return referee


def test_a_poor_result_does_not_beat_a_good_one(track: Track, picky: Picky) -> None:
    one, two = track.enter(), track.enter()
    track.watch(track.race.result())
    two.keep("poor")
    assert track.came == []
    one.keep("GOOD")
    assert track.came == ["GOOD"]
    assert picky.thrown_away == ["poor"]


def test_a_poor_result_is_better_than_none(track: Track, picky: Picky) -> None:
    one, two = track.enter(), track.enter()
    track.watch(track.race.result())
    two.keep("poor")
    one.fail(ValueError())
    assert track.came == ["poor"]
    assert picky.thrown_away == []


def test_of_two_poor_results_the_last_one_counts(track: Track, picky: Picky) -> None:
    one, two = track.enter(), track.enter()
    track.watch(track.race.result())
    two.keep("first")
    one.keep("last")
    assert track.came == ["last"]
    assert picky.thrown_away == ["first"]


def test_giving_up_leaves_the_poor_result(track: Track, picky: Picky) -> None:
    _, two = track.enter(), track.enter()
    track.watch(track.race.result())
    two.keep("poor")
    track.race.give_up(LateError())
    assert track.came == ["poor"]
    assert track.raised == [LateError]


def test_a_poor_result_goes_with_whoever_waited(track: Track, picky: Picky) -> None:
    _, two = track.enter(), track.enter()
    waiting = track.watch(track.race.result())
    two.keep("poor")
    waiting.cancel(LateError())
    assert picky.thrown_away == ["poor"]
    assert track.raised == [LateError]
