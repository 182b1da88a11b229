"""A server that fails is left alone for a while; never all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.health.ejection import Company, Ejection, EjectionPolicy, Place

PLENTY = Company(total=10, ejected=0, available=9)


def fail(server: Ejection, now: float, times: int = 5, company: Company = PLENTY) -> list[str]:
    changes = [server.failed(now, "connection refused", company) for _ in range(times)]
    return [str(change) for change in changes if change is not None]


def test_five_failures_in_a_row_are_enough() -> None:
    server = Ejection()
    assert fail(server, 0.0, 4) == []
    assert fail(server, 0.0, 1) == ["in -> ejected: 5 failures in a row, out for 10 s; the last: connection refused"]
    assert server.ejected
    assert server.restore(9.9) is None
    change = server.restore(10.0)
    assert change is not None
    assert (change.before, change.after, change.why) == (Place.EJECTED, Place.IN, "its 10 s are over")
    assert not server.ejected


def test_one_that_goes_well_breaks_the_row() -> None:
    server = Ejection()
    for _ in range(10):
        assert fail(server, 0.0, 4) == []
        server.passed(0.0)


def test_a_success_that_is_taken_back_does_not() -> None:
    server = Ejection()
    for _ in range(4):
        server.passed(0.0)
        server.take_back()
        assert fail(server, 0.0, 1) == []
    server.passed(0.0)
    server.take_back()
    assert len(fail(server, 0.0, 1)) == 1
    server.take_back()
    assert server.failures == 0, "what led to an ejection is judged"


def test_a_success_after_it_makes_up_for_all() -> None:
    server = Ejection()
    fail(server, 0.0, 4)
    server.passed(0.0)
    server.passed(0.0)
    server.take_back()
    assert server.failures == 0


def test_each_time_is_twice_as_long_up_to_five_minutes() -> None:
    server, now, lengths = Ejection(), 0.0, []
    for _ in range(50):
        assert fail(server, now)
        lengths.append(server.until - now)
        now = server.until
        assert server.restore(now) is not None
    assert lengths[:7] == [10, 20, 40, 80, 160, 300, 300]
    assert set(lengths[5:]) == {300}


def test_a_good_time_as_long_as_the_last_ejection_makes_up_for_it() -> None:
    server = Ejection()
    fail(server, 0.0)
    server.restore(10.0)
    server.passed(19.9)
    assert server.times == 1
    server.passed(20.0)
    assert server.times == 0
    fail(server, 30.0)
    assert server.until == 40.0


def test_failures_while_it_is_out_are_from_before() -> None:
    server = Ejection()
    fail(server, 0.0)
    assert fail(server, 1.0, 20) == []
    server.passed(1.0)
    assert server.ejected
    assert server.until == 10.0


@pytest.mark.parametrize(
    ("company", "goes"),
    [
        (Company(total=1, ejected=0, available=0), False),
        (Company(total=2, ejected=0, available=1), True),
        (Company(total=2, ejected=0, available=0), False),
        (Company(total=2, ejected=1, available=0), False),
        (Company(total=3, ejected=1, available=1), False),
        (Company(total=4, ejected=1, available=2), True),
        (Company(total=4, ejected=2, available=1), False),
    ],
)
def test_never_the_last_and_never_more_than_half(company: Company, goes: bool) -> None:
    server = Ejection()
    assert bool(fail(server, 0.0, 5, company)) is goes
    # Once there is company again, the next failure counts.
    assert bool(fail(server, 1.0, 1)) is not goes


def test_a_pardon_brings_it_back_at_once() -> None:
    server = Ejection()
    assert server.pardon("asked to") is None
    fail(server, 0.0)
    assert str(server.pardon("three probes passed")) == "ejected -> in: three probes passed"
    assert (server.ejected, server.times) == (False, 0)


def test_the_policy_can_be_another() -> None:
    server = Ejection(EjectionPolicy(failures=1, first_seconds=1.0, longest_seconds=1.5, share=1.0))
    assert fail(server, 0.0, 1, Company(2, 1, 1))
    assert server.until == 1.0
    server.restore(1.0)
    fail(server, 1.0, 1)
    assert server.until == 2.5


@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.floats(0.0, 30.0)), max_size=200))
def test_whatever_happens_half_of_the_servers_and_one_stay(count: int, story: list[tuple[int, bool, float]]) -> None:
    servers, now = [Ejection(EjectionPolicy(failures=1)) for _ in range(count)], 0.0
    for number, passed, wait in story:
        now += wait
        for server in servers:
            server.restore(now)
        one = servers[number % count]
        out = sum(server.ejected for server in servers)
        others = sum(not server.ejected for server in servers if server is not one)
        if passed:
            one.passed(now)
        else:
            one.failed(now, "why", Company(count, out, others))
        out = sum(server.ejected for server in servers)
        assert out <= count / 2
        assert out < count
