"""All that is thought of one server: what probes say and what its requests do, together."""

from __future__ import annotations

import pytest

from proxy.health.agent import Agent, Report, Word
from proxy.health.condition import Condition
from proxy.health.ejection import Company, Ejection, EjectionPolicy
from proxy.health.threshold import Health, Threshold

MANY = Company(4, 0, 3)


def both(initial: Health = Health.UP, failures: int = 2) -> Condition:
    return Condition(
        Threshold(rise=1, fall=1, initial=initial), Ejection(EjectionPolicy(failures=failures, first_seconds=10.0))
    )


def words(changes: object) -> str:
    return "; ".join(map(str, changes)) if isinstance(changes, list) else ""


def test_nobody_watches_and_all_is_well() -> None:
    condition = Condition()
    assert condition.usable
    assert (condition.word, condition.why) == ("up", "")
    assert condition.failed(1.0, "refused", MANY) == []
    assert condition.restore(2.0) == []
    condition.passed(3.0)
    assert condition.usable


@pytest.mark.parametrize(
    ("initial", "usable"),
    [(Health.UNKNOWN, True), (Health.UP, True), (Health.FAILING, True), (Health.DOWN, False), (Health.RISING, False)],
)
def test_what_is_believed_at_first(initial: Health, usable: bool) -> None:
    assert both(initial).usable is usable


def test_a_server_comes_back_at_a_moment() -> None:
    condition = both()
    assert condition.since < 0
    condition.probed(False, "status 500", 5.0)
    assert not condition.usable
    assert condition.word == "down"
    condition.probed(True, "status 200", 9.0)
    assert condition.usable
    assert condition.since == 9.0, "slow start counts from here"
    condition.probed(True, "status 200", 12.0)
    assert condition.since == 9.0


def test_requests_that_fail_take_it_out_though_probes_pass() -> None:
    condition = both()
    assert condition.failed(1.0, "refused", MANY) == []
    assert "in -> ejected: 2 failures in a row" in words(condition.failed(2.0, "refused", MANY))
    assert not condition.usable
    assert condition.word == "ejected"
    assert condition.restore(11.9) == []
    assert words(condition.restore(12.0)) == "ejected -> in: its 10 s are over"
    assert condition.usable
    assert condition.since == 12.0


def test_who_took_it_out_says_why() -> None:
    condition = Condition(Threshold(initial=Health.UP), Ejection(EjectionPolicy(failures=1)), Agent())
    condition.probed(True, "status 200", 1.0)
    condition.failed(2.0, "status 503", MANY)
    assert (condition.word, condition.why) == (
        "ejected",
        "1 failures in a row, out for 10 s; the last: status 503",
    ), "not what probes say, who find it well"
    condition.restore(12.0)
    assert (condition.word, condition.why) == ("up", "status 200")
    condition.reported(Report(word=Word.DOWN, why="disk full"), 13.0)
    condition.reported(Report(share=0.5), 14.0)
    assert (condition.word, condition.why) == ("down", "its agent says so: disk full")


def test_it_knows_when_it_was_probed() -> None:
    condition = both()
    assert condition.probed_at is None
    condition.probed(False, "status 500", 3.0)
    condition.failed(4.0, "refused", MANY)
    assert condition.probed_at == 3.0


def test_a_success_in_between_forgives() -> None:
    condition = both()
    condition.failed(1.0, "refused", MANY)
    condition.passed(2.0)
    assert condition.failed(3.0, "refused", MANY) == []
    assert condition.usable


def test_unless_it_is_taken_back() -> None:
    condition = both()
    condition.failed(1.0, "refused", MANY)
    condition.passed(2.0)
    condition.take_back()
    assert "2 failures in a row" in words(condition.failed(3.0, "broke off", MANY))
    Condition().take_back()


def test_probes_that_bring_it_up_end_its_ejection() -> None:
    condition = both()
    condition.failed(1.0, "refused", MANY)
    condition.failed(1.0, "refused", MANY)
    condition.probed(True, "status 200", 2.0)
    assert not condition.usable, "a server that was up all the time has shown nothing new"
    condition.probed(False, "status 500", 3.0)
    changes = condition.probed(True, "status 200", 4.0)
    assert len(changes) == 2
    assert condition.usable


def test_the_end_of_an_ejection_does_not_bring_up_what_probes_took_down() -> None:
    condition = both()
    condition.failed(1.0, "refused", MANY)
    condition.failed(1.0, "refused", MANY)
    condition.probed(False, "status 500", 2.0)
    condition.restore(20.0)
    assert not condition.usable
    assert (condition.word, condition.why) == ("down", "status 500")


def test_the_last_one_stays() -> None:
    condition = both()
    for _ in range(10):
        assert condition.failed(1.0, "refused", Company(2, 1, 0)) == []
    assert condition.usable


def test_a_hand_takes_it_out_whatever_its_health() -> None:
    condition = both()
    assert words(condition.drain(True, 1.0)) == "used -> drained: by hand"
    assert condition.drain(True, 2.0) == []
    assert not condition.usable
    assert (condition.word, condition.why) == ("drained", "by hand")
    assert words(condition.probed(False, "refused", 3.0)) == "up -> down: refused"
    assert condition.word == "drained"
    assert words(condition.drain(False, 4.0)) == "drained -> used: by hand"
    assert not condition.usable
    assert (condition.word, condition.why) == ("down", "refused")
    condition.probed(True, "well", 5.0)
    assert condition.usable
    condition.drain(True, 6.0)
    condition.drain(False, 7.0)
    assert condition.since == 7.0, "a slow start begins"


def test_other_rules_for_its_requests_leave_what_was_judged() -> None:
    condition = both()
    condition.failed(1.0, "refused", MANY)
    condition.become(both(failures=3), 1.5)
    assert condition.failed(2.0, "refused", MANY) == []
    assert words(condition.failed(3.0, "refused", MANY)).startswith("in -> ejected")
    condition.become(both(failures=9), 4.0)
    assert not condition.usable
    condition.become(Condition(Threshold()), 5.0)
    assert condition.usable
    assert condition.since == 5.0
    condition.become(both(failures=1), 6.0)
    assert words(condition.failed(7.0, "refused", MANY)).startswith("in -> ejected")


def test_the_first_probe_of_a_server_that_was_used_before_it_begins_no_slow_start() -> None:
    condition = both(Health.UNKNOWN)
    condition.probed(True, "status 200", 5.0)
    assert condition.since < 0
    condition = both(Health.UNKNOWN)
    condition.probed(False, "status 500", 5.0)
    condition.probed(True, "status 200", 6.0)
    assert condition.since == 6.0
