"""Rise and fall, driven through every step of the table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.health.change import Change
from proxy.health.threshold import TABLE, Health, Threshold

GOOD = {Health.UP, Health.FAILING}


def probed(results: str, rise: int = 2, fall: int = 3, initial: Health = Health.UNKNOWN) -> list[str]:
    """The changes that a row of probes makes; `+` is a probe that passed."""
    machine = Threshold(rise, fall, initial)
    changes = []
    for number, result in enumerate(results):
        change = machine.judge(result == "+", f"probe {number}")
        if change is not None:
            changes.append(str(change))
    return changes


@pytest.mark.parametrize(
    ("initial", "results", "changes"),
    [
        (Health.UNKNOWN, "+", ["unknown -> up: probe 0"]),
        (Health.UNKNOWN, "-", ["unknown -> down: probe 0"]),
        (Health.UP, "+-+--+", []),
        (Health.UP, "---", ["failing -> down: probe 2"]),
        (Health.UP, "--+---", ["failing -> down: probe 5"]),
        (Health.DOWN, "-+-+-", []),
        (Health.DOWN, "++", ["rising -> up: probe 1"]),
        (Health.DOWN, "+-++", ["rising -> up: probe 3"]),
        (
            Health.UP,
            "------++++---",
            ["failing -> down: probe 2", "rising -> up: probe 7", "failing -> down: probe 12"],
        ),
    ],
)
def test_rows_of_probes(initial: Health, results: str, changes: list[str]) -> None:
    assert probed(results, initial=initial) == changes


def test_once_can_be_enough() -> None:
    assert probed("-+-", rise=1, fall=1, initial=Health.UP) == [
        "up -> down: probe 0",
        "down -> up: probe 1",
        "up -> down: probe 2",
    ]


def test_the_table_is_complete_and_every_state_can_be_reached_and_left() -> None:
    assert set(TABLE) == {(state, passed) for state in Health for passed in (True, False)}
    reached = {step.to for step in TABLE.values()} | {step.when_enough for step in TABLE.values()}
    assert reached - {None} == set(Health) - {Health.UNKNOWN}


def test_unknown_is_not_good_and_its_words_say_so() -> None:
    machine = Threshold()
    assert not machine.good
    assert machine.why == "not probed yet"
    assert machine.judge(True, "status 200") == Change(Health.UNKNOWN, Health.UP, "status 200")
    assert machine.good
    assert "up: status 200" in repr(machine)


@given(st.text("+-"), st.integers(1, 5), st.integers(1, 5), st.sampled_from([Health.UP, Health.DOWN]))
def test_a_server_changes_sides_exactly_after_a_full_row(results: str, rise: int, fall: int, initial: Health) -> None:
    machine, good, row = Threshold(rise, fall, initial), initial is Health.UP, 0
    for result in results:
        passed = result == "+"
        row = row + 1 if passed is not good else 0
        expected = row >= (fall if good else rise)
        assert (machine.judge(passed, "why") is not None) is expected
        if expected:
            good, row = not good, 0
        assert machine.good is good
