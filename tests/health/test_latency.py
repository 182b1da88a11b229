"""Bad news at once, good news slowly."""

from __future__ import annotations

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.health.latency import PeakEwma


def test_nothing_is_known_at_first() -> None:
    assert PeakEwma().at(100.0) == 0.0


def test_one_slow_answer_is_believed_at_once() -> None:
    latency = PeakEwma()
    for second in range(10):
        latency.observe(0.010, float(second))
    latency.observe(2.0, 10.0)
    assert latency.at(10.0) == 2.0


def test_quick_answers_are_believed_with_time() -> None:
    latency = PeakEwma(decay=10.0)
    latency.observe(2.0, 0.0)
    latency.observe(0.0, 10.0)
    assert latency.at(10.0) == pytest.approx(2.0 * exp(-1))
    for _ in range(100):
        latency.observe(0.010, 10.0)
    assert latency.at(10.0) == pytest.approx(2.0 * exp(-1)), "many at one moment count no more than one"


def test_a_server_that_is_avoided_is_forgotten_slowly() -> None:
    latency = PeakEwma(decay=10.0)
    latency.observe(2.0, 0.0)
    assert latency.at(10.0) == pytest.approx(2.0 * exp(-1))
    assert latency.at(200.0) < 0.001


def test_what_was_seen_last_is_not_forgotten() -> None:
    latency = PeakEwma(decay=10.0)
    assert latency.seconds == 0.0
    latency.observe(2.0, 0.0)
    assert latency.at(100.0) < 0.001
    assert latency.seconds == 2.0


@given(st.lists(st.tuples(st.floats(0.0, 60.0), st.floats(0.0, 100.0)), min_size=1))
def test_it_is_never_above_what_was_seen_nor_below_nothing(story: list[tuple[float, float]]) -> None:
    latency, now = PeakEwma(), 0.0
    for seconds, wait in story:
        now += wait
        latency.observe(seconds, now)
        assert latency.at(now) >= seconds * 0.999
        assert 0.0 <= latency.at(now + 1.0) <= max(each for each, _ in story)
