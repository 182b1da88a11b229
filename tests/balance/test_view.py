"""What all algorithms ask of a server."""

from __future__ import annotations

import pytest

from proxy.balance.view import RAMP_START, FrozenServer, load, ramp


@pytest.mark.parametrize(("age", "part"), [(-1, 0.1), (0, 0.1), (0.5, 0.1), (2, 0.2), (5, 0.5), (10, 1.0), (99, 1.0)])
def test_a_slow_start_is_linear_from_a_tenth(age: float, part: float) -> None:
    assert ramp(FrozenServer("a", since=100.0), 100.0 + age, 10.0) == pytest.approx(part)
    assert RAMP_START == 0.1


def test_load_counts_the_request_to_come_and_the_weight() -> None:
    assert load(FrozenServer("a", weight=2, in_flight=3), 0.0, 0.0) == 2.0
    assert load(FrozenServer("a", weight=2, in_flight=3, since=0.0), 5.0, 10.0) == 4.0
    assert load(FrozenServer("a", weight=0), 0.0, 0.0) == float("inf")
