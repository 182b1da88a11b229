"""We close before the server does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.health.idle import MARGIN, REMEMBERED_SECONDS, SHORTEST_SECONDS, IdleTimeout, announced_seconds
from proxy.message import Fields


def test_it_grows_while_nobody_closes_on_us() -> None:
    idle, seen = IdleTimeout(), []
    for _ in range(10):
        seen.append(idle.seconds)
        idle.outlasted(idle.seconds, 0.0)
    assert seen[:4] == [4.0, 6.0, 9.0, 13.5]
    assert seen[-1] == 60.0


def test_busy_connections_prove_nothing() -> None:
    idle = IdleTimeout()
    for _ in range(1000):
        idle.outlasted(0.1, 0.0)
    assert idle.seconds == 4.0


@pytest.mark.parametrize("servers_own", [2.0, 5.0, 15.0, 75.0])
def test_it_settles_below_the_servers_own_time(servers_own: float) -> None:
    idle, closes = IdleTimeout(), 0
    for turn in range(100):
        now = float(turn)
        if idle.seconds >= servers_own:
            closes += idle.closed_by_server(servers_own, now)
        else:
            idle.outlasted(idle.seconds, now)
    assert closes <= 1
    assert idle.seconds == (servers_own * MARGIN if servers_own <= 60.0 else 60.0)


def test_a_server_that_restarts_does_not_end_reuse() -> None:
    idle = IdleTimeout()
    assert idle.closed_by_server(0.01, 0.0)
    assert idle.seconds == SHORTEST_SECONDS
    assert not idle.closed_by_server(0.01, 1.0)
    idle.outlasted(1.0, 10.0)
    assert idle.seconds == SHORTEST_SECONDS
    idle.outlasted(1.0, 2.0 + REMEMBERED_SECONDS)
    assert idle.seconds == 1.5


def test_a_later_close_changes_nothing() -> None:
    idle = IdleTimeout()
    assert idle.closed_by_server(4.0, 0.0)
    assert not idle.closed_by_server(50.0, 1.0)
    assert idle.seconds == 3.0


@pytest.mark.parametrize(
    ("announced", "seconds"), [(None, 4.0), (5.0, 4.0), (2.0, 1.5), (0.0, 0.0), (65.0, 60.0), (30.0, 29.0)]
)
def test_what_the_server_announces_counts_more(announced: float | None, seconds: float) -> None:
    assert IdleTimeout().for_connection(announced) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"timeout=5", 5.0),
        (b"Timeout=5, max=100", 5.0),
        (b"max=100,timeout = 75", 75.0),
        (b'max=1;timeout="3"', 3.0),
        (b"notimeout=5", None),
        (b"timeout=", None),
        (b"timeout=-1", None),
        (b"115", None),
    ],
)
def test_keep_alive_fields(value: bytes, seconds: float | None) -> None:
    assert announced_seconds(Fields([(b"Keep-Alive", value)])) == seconds


def test_without_the_field_nothing_is_announced() -> None:
    assert announced_seconds(Fields()) is None


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 1e6), st.floats(0.0, 1e6)), max_size=50))
def test_it_stays_within_its_bounds(story: list[tuple[bool, float, float]]) -> None:
    idle, now = IdleTimeout(), 0.0
    for closed, seconds, wait in story:
        now += wait
        if closed:
            idle.closed_by_server(seconds, now)
            assert idle.seconds <= max(seconds, SHORTEST_SECONDS)
        else:
            idle.outlasted(seconds, now)
        assert SHORTEST_SECONDS <= idle.seconds <= 60.0
