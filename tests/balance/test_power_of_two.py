"""Two choices: even without looking at everybody, and away from whoever is busy."""

from __future__ import annotations

from random import Random

from proxy.balance.power_of_two import PowerOfTwo
from proxy.balance.weighted_random import WeightedRandom
from tests.balance.fleet import NOW, LiveServer, about, fleet, shares


def fill(balancer: PowerOfTwo[LiveServer] | WeightedRandom[LiveServer], servers: tuple[LiveServer, ...]) -> list[int]:
    """Requests that never end."""
    random = Random(3)
    for _ in range(100 * len(servers)):
        chosen = balancer.choose(servers, None, NOW, random)
        assert chosen is not None
        chosen.in_flight += 1
    return [server.in_flight for server in servers]


def test_two_choices_are_exponentially_better_than_one() -> None:
    two, one = fill(PowerOfTwo(), fleet(*[1] * 20)), fill(WeightedRandom(), fleet(*[1] * 20))
    assert max(two) - min(two) <= 6
    assert max(one) - min(one) >= 20


def test_weights_are_met_under_load() -> None:
    filled = fill(PowerOfTwo(), fleet(1, 2, 3))
    for got, weight in zip(filled, (1, 2, 3), strict=True):
        assert abs(got - 50 * weight) <= 15


def test_the_busier_of_two_is_never_taken() -> None:
    servers = fleet(1, 1)
    servers[0].in_flight = 1
    assert shares(PowerOfTwo(), servers, 200) == {"b": 1.0}


def test_with_one_left_there_is_no_choice() -> None:
    servers = fleet(1, 1, 1)
    servers[0].available = servers[1].available = False
    assert shares(PowerOfTwo(), servers, 200) == {"c": 1.0}
    servers[2].available = False
    assert shares(PowerOfTwo(), servers, 10) == {"None": 1.0}


def test_a_server_that_came_back_starts_slowly_though_it_is_free() -> None:
    servers = fleet(1, 1, 1)
    servers[0].since = NOW
    servers[1].in_flight = servers[2].in_flight = 10
    # It is one of the two drawn in about a fifth of all cases (0.1 of 2.1, then 0.1 of 1.1), and then always wins.
    part = 0.1 / 2.1 + 2 * (1 / 2.1) * (0.1 / 1.1)
    low, high = about(part)
    assert low <= shares(PowerOfTwo(slow_start=10.0), servers)["a"] <= high
