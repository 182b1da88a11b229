"""Algorithms by name."""

from __future__ import annotations

from random import Random

import pytest

from proxy.balance.catalog import DEFAULT, NAMES, balancer
from proxy.balance.view import Balancer
from tests.balance.fleet import NOW, LiveServer, fleet


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_an_algorithm_that_spreads_nothing_over_drained_servers(name: str) -> None:
    algorithm: Balancer[LiveServer] = balancer(name, slow_start=1.0, load_factor=1.25)
    servers = fleet(0, 2, 0)
    assert {str(algorithm.choose(servers, b"key", NOW, Random(seed))) for seed in range(20)} == {"b"}


def test_the_default_is_one_of_them_and_others_are_unknown() -> None:
    assert DEFAULT in NAMES
    with pytest.raises(KeyError):
        balancer("magic")
