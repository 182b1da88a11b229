"""Lots fall as weights say."""

from __future__ import annotations

from random import Random

import pytest

from proxy.balance.view import RAMP_START
from proxy.balance.weighted_random import WeightedRandom
from tests.balance.fleet import NOW, LiveServer, about, fleet, shares


@pytest.mark.parametrize("weights", [[1, 1, 1], [1, 2, 3], [10, 0, 1]])
def test_shares(weights: list[int]) -> None:
    got = shares(WeightedRandom(), fleet(*weights))
    for name, weight in zip("abc", weights, strict=True):
        low, high = about(weight / sum(weights))
        assert low <= got.get(name, 0.0) <= high


def test_the_odds_of_the_others_stay_when_one_is_down() -> None:
    servers = fleet(1, 2, 3, 3)
    servers[3].available = False
    got = shares(WeightedRandom(), servers)
    for name, part in (("a", 1 / 6), ("b", 2 / 6), ("c", 3 / 6)):
        low, high = about(part)
        assert low <= got[name] <= high


def test_a_server_that_came_back_starts_slowly() -> None:
    servers = fleet(1, 1)
    servers[0].since = NOW
    low, high = about(RAMP_START / (1 + RAMP_START))
    assert low <= shares(WeightedRandom(slow_start=10.0), servers)["a"] <= high


def test_one_of_many_is_found_however_bad_the_lots_fall() -> None:
    servers = fleet(*[1] * 20)
    for server in servers[1:]:
        server.available = False
    assert shares(WeightedRandom(), servers, 500) == {"a": 1.0}
    servers[0].since = NOW
    assert shares(WeightedRandom(slow_start=10.0), servers, 500) == {"a": 1.0}


def test_without_servers_there_is_none() -> None:
    for weights in ([], [0, 0]):
        assert WeightedRandom[LiveServer]().choose(fleet(*weights), None, NOW, Random(1)) is None
    servers = fleet(1, 1)
    assert WeightedRandom[LiveServer]().choose(servers, None, NOW, Random(1), servers) is None
