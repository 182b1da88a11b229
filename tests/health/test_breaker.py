"""Closed, open, half open: every way from one to the next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.health.breaker import Breaker, BreakerPolicy, Circuit, Window

POLICY = BreakerPolicy(ratio=0.5, minimum=4, window_seconds=10.0, open_seconds=5.0, trials=2)


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(4):
        assert breaker.admit(at).admitted
        change = breaker.ended(at, passed=False)
    assert str(change) == "closed -> open: 4 of 4 requests failed in 10 s"
    return breaker


def test_it_opens_when_half_of_enough_requests_failed() -> None:
    breaker = Breaker(POLICY)
    changes = [breaker.ended(1.0, passed) for passed in (False, False, True, True, False)]
    assert [change is not None for change in changes] == [False, False, False, False, True]
    assert breaker.state is Circuit.OPEN


def test_a_request_that_went_well_never_opens_it() -> None:
    breaker = Breaker(POLICY)
    assert [breaker.ended(1.0, passed) for passed in (False, False, False, True)] == [None] * 4


def test_what_is_long_past_does_not_count() -> None:
    breaker = Breaker(POLICY)
    for _ in range(3):
        breaker.ended(0.0, passed=False)
    assert breaker.ended(20.0, passed=False) is None


def test_nothing_passes_while_it_is_open() -> None:
    breaker = opened()
    assert not breaker.admit(4.9).admitted
    assert breaker.ended(4.9, passed=False) is None
    assert breaker.ended(4.9, passed=True) is None
    assert breaker.state is Circuit.OPEN


def test_it_knows_how_long_nothing_will_pass() -> None:
    assert Breaker(POLICY).seconds_left(0.0) == 0.0
    breaker = opened(at=1.0)
    assert [breaker.seconds_left(now) for now in (1.0, 2.5, 6.0, 7.0)] == [5.0, 3.5, 0.0, 0.0]
    breaker.admit(6.0)
    assert breaker.seconds_left(6.0) == 0.0, "a trial may end at any moment"


def test_then_a_few_pass_on_trial_and_if_all_go_well_it_closes() -> None:
    breaker = opened()
    first, second, third = breaker.admit(5.0), breaker.admit(5.0), breaker.admit(5.0)
    assert (first.admitted, first.trial, str(first.change)) == (True, True, "open -> half open: open for 5 s, trying")
    assert (second.admitted, second.trial, second.change) == (True, True, None)
    assert not third.admitted
    assert breaker.ended(5.1, passed=True, trial=True) is None
    assert str(breaker.ended(5.2, passed=True, trial=True)) == "half open -> closed: 2 trials went well"
    for _ in range(3):
        assert breaker.ended(5.3, passed=False) is None, "what failed before it opened is forgotten"


def test_if_one_fails_it_opens_again() -> None:
    breaker = opened()
    breaker.admit(5.0)
    breaker.admit(5.0)
    assert str(breaker.ended(6.0, passed=False, trial=True)) == "half open -> open: a trial failed"
    assert breaker.ended(6.1, passed=True, trial=True) is None
    assert not breaker.admit(10.9).admitted
    assert breaker.admit(11.0).admitted


def test_a_request_from_before_is_no_trial() -> None:
    breaker = opened()
    breaker.admit(5.0)
    assert breaker.ended(5.1, passed=False) is None
    assert breaker.ended(5.1, passed=True) is None
    assert breaker.state is Circuit.HALF_OPEN


def test_a_trial_whose_end_nobody_knows_is_made_again() -> None:
    breaker = opened()
    breaker.admit(5.0)
    breaker.admit(5.0)
    assert breaker.ended(5.1, passed=None, trial=True) is None
    assert breaker.admit(5.2).trial
    assert not breaker.admit(5.2).admitted


def test_a_response_that_breaks_off_is_a_failure_in_place_of_a_success() -> None:
    breaker = Breaker(POLICY)
    changes = []
    for _ in range(4):
        breaker.ended(1.0, passed=True)
        changes.append(breaker.take_back(2.0))
    assert [str(change) for change in changes] == [
        "None", "None", "None", "closed -> open: 4 of 4 requests failed in 10 s",
    ]  # fmt: skip
    assert breaker.take_back(2.0) is None, "it is open already"


def test_a_response_that_breaks_off_fails_the_trial() -> None:
    breaker = opened()
    breaker.admit(5.0)
    assert breaker.ended(5.1, passed=True, trial=True) is None
    assert str(breaker.take_back(5.2)) == "half open -> open: a response broke off"
    assert not breaker.admit(10.1).admitted


def test_one_that_began_before_the_window_is_counted_anew() -> None:
    window = Window(10.0)
    window.count(0.0, True)
    assert window.take_back(50.0) == (1, 1)
    assert window.take_back(50.0) == (2, 2), "never more failures than requests"


@given(st.lists(st.tuples(st.floats(0.0, 3.0), st.sampled_from([True, False, None])), max_size=200))
def test_it_never_gets_stuck(story: list[tuple[float, bool | None]]) -> None:
    breaker, now = Breaker(POLICY), 0.0
    for wait, passed in story:
        now += wait
        admission = breaker.admit(now)
        if admission.admitted:
            breaker.ended(now, passed, admission.trial)
    for _ in range(POLICY.trials):
        now += POLICY.open_seconds
        admission = breaker.admit(now)
        assert admission.admitted
        breaker.ended(now, True, admission.trial)
    assert breaker.state is Circuit.CLOSED


@given(st.lists(st.tuples(st.floats(0.0, 4.0), st.booleans()), max_size=100))
def test_the_window_counts_what_is_in_it(story: list[tuple[float, bool]]) -> None:
    window, now, seen = Window(10.0), 0.0, []
    for wait, passed in story:
        now += wait
        seen.append((int(now), passed))
        recent = [each for step, each in seen if step > int(now) - 10]
        assert window.count(now, passed) == (len(recent), recent.count(False))


@given(st.lists(st.tuples(st.floats(0.0, 4.0), st.sampled_from([True, False, None])), max_size=100))
def test_there_are_never_more_failures_in_it_than_requests(story: list[tuple[float, bool | None]]) -> None:
    window, now, seen = Window(10.0), 0.0, []
    for wait, passed in story:
        now += wait
        total, failed = window.take_back(now) if passed is None else window.count(now, passed)
        seen.append(int(now))
        assert 1 <= failed + (passed is True) <= total <= len([step for step in seen if step > int(now) - 10]) or passed


def test_a_clock_that_stands_still_or_steps_back_counts_on() -> None:
    window = Window(10.0)
    assert window.count(50.0, True) == (1, 0)
    assert window.count(49.0, False) == (2, 1)
    assert window.count(50.0, True) == (3, 1)
    assert window.count(1e9, True) == (1, 0)


def test_its_repr_is_its_state() -> None:
    assert repr(opened()) == "<Breaker open>"
    with pytest.raises(AttributeError):
        opened().anything = 1  # type: ignore[attr-defined]  # the point of the test
