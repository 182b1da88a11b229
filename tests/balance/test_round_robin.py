"""Turns are taken, weights are smooth, and nobody inherits the turn of a neighbor that is down."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.balance.round_robin import RoundRobin
from proxy.balance.view import RAMP_START
from tests.balance.fleet import NOW, LiveServer, fleet


def turns(weights: list[int], count: int, seed: int = 1) -> str:
    servers, robin, random = fleet(*weights), RoundRobin[LiveServer](), Random(seed)
    return "".join(str(robin.choose(servers, None, NOW, random)) for _ in range(count))


def test_equal_servers_take_turns() -> None:
    order = turns([1, 1, 1], 6)
    assert order in ("abcabc", "bcabca", "cabcab")
    assert {turns([1, 1, 1], 1, seed) for seed in range(20)} == {"a", "b", "c"}, "processes start anywhere"


@given(st.lists(st.integers(0, 7), min_size=1, max_size=6).filter(any), st.integers(0, 1000))
def test_weights_are_met_within_one_turn(weights: list[int], seed: int) -> None:
    rounds = 20
    got = Counter(turns(weights, rounds * sum(weights), seed))
    for name, weight in zip("abcdef", weights, strict=False):
        assert abs(got[name] - rounds * weight) <= len(weights)
        assert weight or not got[name]


def test_a_heavy_server_is_not_given_its_share_in_one_go() -> None:
    order = turns([5, 1, 1], 70)
    assert order.count("a") == 50
    assert "aaaaa" not in order[7:]
    assert all(pair in ("aa", "ab", "ac", "ba", "ca", "bc", "cb") for pair in map("".join, pairwise(order)))


def test_the_turn_of_a_server_that_is_down_is_not_its_neighbors() -> None:
    servers, robin, random = fleet(1, 1, 1), RoundRobin[LiveServer](), Random(1)
    servers[1].available = False
    got = Counter(str(robin.choose(servers, None, NOW, random)) for _ in range(1000))
    assert got == {"a": 500, "c": 500}


def test_whoever_failed_the_request_is_not_asked_again() -> None:
    for weights in ([1, 1, 1], [3, 2, 1]):
        servers, robin, random = fleet(*weights), RoundRobin[LiveServer](), Random(1)
        for _ in range(20):
            assert robin.choose(servers, None, NOW, random, servers[:2]) is servers[2]
        assert robin.choose(servers, None, NOW, random, servers) is None


@pytest.mark.parametrize("weights", [[], [0], [0, 0]])
def test_without_servers_there_is_none(weights: list[int]) -> None:
    assert RoundRobin[LiveServer]().choose(fleet(*weights), None, NOW, Random(1)) is None


@pytest.mark.parametrize(("age", "part"), [(0.0, RAMP_START), (5.0, 0.5), (10.0, 1.0)])
def test_a_server_that_came_back_starts_slowly(age: float, part: float) -> None:
    servers, robin, random = fleet(1, 1), RoundRobin[LiveServer](slow_start=10.0), Random(1)
    servers[0].since = NOW - age
    got = Counter(str(robin.choose(servers, None, NOW, random)) for _ in range(1100))
    assert got["a"] == pytest.approx(1100 * part / (1 + part), abs=2)
