"""When to renew, and when to try again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import limits
from proxy.acme.schedule import Life, Window, drawn, poll_wait, renewal_time, wait_after

DAY = 86400.0


def test_two_thirds_of_life_and_a_little_before() -> None:
    life = Life(0.0, 90 * DAY)
    assert renewal_time(life, None, 0.0) == 60 * DAY
    assert 57 * DAY < renewal_time(life, None, 0.999) < 60 * DAY
    assert renewal_time(Life(0.0, 6 * DAY), None, 0.0) == 4 * DAY


def test_the_authority_knows_better() -> None:
    window = Window(10 * DAY, 12 * DAY)
    assert renewal_time(Life(0.0, 90 * DAY), window, 0.5) == 11 * DAY


def test_but_not_a_certificate_of_this_minute() -> None:
    past = Window(-10 * DAY, -9 * DAY)
    assert renewal_time(Life(0.0, 90 * DAY), past, 0.5) == DAY
    assert renewal_time(Life(0.0, 5 * DAY), past, 0.5) == DAY / 2


@given(st.floats(0, 1, exclude_max=True), st.floats(1, 400))
def test_it_is_always_before_the_end(draw: float, days: float) -> None:
    assert 0 < renewal_time(Life(0.0, days * DAY), None, draw) < days * DAY * 0.67


def test_the_draw_of_a_certificate_is_always_the_same_and_spread() -> None:
    assert drawn(b"a") == drawn(b"a")
    draws = [drawn(str(number).encode()) for number in range(1000)]
    assert all(0 <= draw < 1 for draw in draws)
    assert 0.45 < sum(draws) / 1000 < 0.55


def test_waits_grow_to_a_limit() -> None:
    waits = [wait_after(failures, 600.0, 0.0) for failures in range(1, 12)]
    assert waits[:3] == [600.0, 1200.0, 2400.0]
    assert waits[-1] == limits.ACME_RETRY_LONGEST_SECONDS
    assert wait_after(10_000, 600.0, 0.0) == limits.ACME_RETRY_LONGEST_SECONDS


def test_refused_proofs_stay_within_five_an_hour() -> None:
    at, attempts = 0.0, 1
    for failures in range(1, 10):
        at += wait_after(failures, limits.ACME_REFUSED_SECONDS, 0.0)
        attempts += at < 3600
    assert attempts < 5


@pytest.mark.parametrize(("asked", "seconds"), [(30.0, 60.0), (5000.0, 5000.0), (1e9, limits.ACME_RETRY_AFTER_SECONDS)])
def test_the_authority_may_want_more_but_not_less(asked: float, seconds: float) -> None:
    assert wait_after(1, 60.0, 0.0, asked) == seconds


def test_polls() -> None:
    assert poll_wait(0, 0.0) == limits.ACME_POLL_SECONDS
    assert poll_wait(1, 0.0) > poll_wait(0, 0.0)
    assert poll_wait(100, 0.0) == limits.ACME_POLL_LONGEST_SECONDS
    assert poll_wait(0, 40.0) == 40.0
    assert poll_wait(5, 0.01) == limits.ACME_POLL_SECONDS
