"""The wheel of deadlines, on a clock that we move."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from proxy.alarm import NEVER, TICK_SECONDS, Alarm


class Owner:
    """Somebody with a deadline; notes when it came."""

    def __init__(self, clock: Clock) -> None:
        self.deadline = self.look_at = NEVER
        self.clock = clock
        self.heard: list[float] = []

    def time_passed(self) -> None:
        self.heard.append(round(self.clock.seconds(), 6))


def run(clock: Clock, seconds: float) -> None:
    clock.pump([TICK_SECONDS / 4] * int(seconds / TICK_SECONDS * 4))


def made() -> tuple[Clock, Alarm, Owner]:
    clock = Clock()
    return clock, Alarm(clock, clock.seconds), Owner(clock)


def test_a_deadline_is_never_early_and_at_most_two_ticks_late() -> None:
    late = []
    for place in range(20):  # in its tick, and within the turn of the wheel, which another owner has begun
        clock, alarm, owner = made()
        clock.advance(0.07)
        alarm.set(Owner(clock), 10.0)
        clock.advance(place / 100)
        asked = clock.seconds()
        alarm.set(owner, 1.0)
        run(clock, 3)
        [heard] = owner.heard
        late.append(round(heard - asked - 1.0, 6))
    assert min(late) >= 0.0
    assert TICK_SECONDS < max(late) <= 2 * TICK_SECONDS


def test_moving_a_deadline_makes_no_timer() -> None:
    clock, alarm, owner = made()
    alarm.set(owner, 1.0)
    for _ in range(100):
        alarm.set(owner, 1.0)
    assert len(clock.getDelayedCalls()) == 1
    assert repr(alarm) == "<Alarm 1 to look at>"


def test_a_deadline_that_moves_on_is_kept() -> None:
    clock, alarm, owner = made()
    alarm.set(owner, 1.0)
    run(clock, 0.8)
    alarm.set(owner, 1.0)
    run(clock, 0.8)
    assert owner.heard == []
    run(clock, 0.5)
    assert len(owner.heard) == 1


def test_an_earlier_deadline_takes_the_place_of_a_later_one() -> None:
    clock, alarm, owner = made()
    alarm.set(owner, 5.0)
    alarm.set(owner, 0.5)
    run(clock, 1)
    assert len(owner.heard) == 1
    run(clock, 9)
    assert len(owner.heard) == 1


def test_no_deadline_no_call() -> None:
    clock, alarm, owner = made()
    alarm.set(owner, 0.5)
    alarm.clear(owner)
    run(clock, 2)
    alarm.set(owner, 0)
    run(clock, 2)
    assert owner.heard == []
    assert clock.getDelayedCalls() == []


def test_a_new_deadline_may_be_set_from_the_call() -> None:
    clock, alarm, owner = made()
    first = owner.time_passed

    def again() -> None:
        first()
        if len(owner.heard) < 3:
            alarm.set(owner, 1.0)

    owner.time_passed = again  # type: ignore[method-assign] # the test's own object
    alarm.set(owner, 1.0)
    run(clock, 6)
    assert len(owner.heard) == 3


def test_a_machine_that_slept_wakes_everybody_once() -> None:
    clock, alarm, owner = made()
    other = Owner(clock)
    alarm.set(owner, 1.0)
    alarm.set(other, 7200.0)
    clock.advance(10_000.0)
    assert len(owner.heard) == len(other.heard) == 1


def test_a_deadline_that_is_over_already_comes_with_the_next_tick() -> None:
    # It was filed among ticks that had been, never found, and the wheel turned for ever.
    clock, alarm, owner = made()
    alarm.set(Owner(clock), 5.0)
    run(clock, 2)
    alarm.set(owner, -0.5)
    run(clock, 0.5)
    assert len(owner.heard) == 1
    late = Owner(clock)
    run(clock, 10)
    assert not clock.getDelayedCalls()
    alarm.set(late, -0.5)
    run(clock, 0.5)
    assert len(late.heard) == 1
    assert not clock.getDelayedCalls()


def test_time_that_passes_while_deadlines_are_dealt_with_skips_nobody() -> None:
    # The first owner takes so long that the next tick has begun when it sets its next deadline.
    clock = Clock()
    passing = [0.0]
    alarm = Alarm(clock, lambda: clock.seconds() + passing[0])

    class Slow(Owner):
        def time_passed(self) -> None:
            super().time_passed()
            passing[0] += TICK_SECONDS
            alarm.set(self, 10.0)

    slow, other = Slow(clock), Owner(clock)
    alarm.set(slow, 1.0)
    alarm.set(other, 1.0 + TICK_SECONDS)
    run(clock, 3)
    assert len(slow.heard) == 1
    assert len(other.heard) == 1


def test_what_is_forgotten_is_not_kept() -> None:
    clock, alarm, owner = made()
    alarm.set(owner, 60.0)
    assert repr(alarm) == "<Alarm 1 to look at>"
    alarm.forget(owner)
    assert repr(alarm) == "<Alarm 0 to look at>"
    run(clock, 1)
    assert clock.getDelayedCalls() == []
    alarm.set(owner, 0.5)
    run(clock, 1)
    assert len(owner.heard) == 1


def test_an_owner_that_fails_keeps_nobody_waiting() -> None:
    clock, alarm, owner = made()
    broken = Owner(clock)

    def breaks() -> None:
        raise ZeroDivisionError

    broken.time_passed = breaks  # type: ignore[method-assign] # the test's own object
    with capturedLogs() as events:
        alarm.set(broken, 1.0)
        alarm.set(owner, 1.0)
        run(clock, 2)
    assert len(owner.heard) == 1
    assert [event["log_failure"].type for event in events] == [ZeroDivisionError]
