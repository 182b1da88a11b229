"""The same key finds the same server, and only the keys of one that goes move."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.balance.consistent_hash import ConsistentHash
from proxy.balance.view import FrozenServer
from tests.balance.fleet import NOW, LiveServer, fleet, frozen

KEYS = [b"user-%d" % number for number in range(4000)]


def owners(servers: tuple[FrozenServer, ...]) -> dict[bytes, str]:
    ring, random = ConsistentHash[FrozenServer](), Random(1)
    found = {}
    for key in KEYS:
        chosen = ring.choose(servers, key, NOW, random)
        assert chosen is not None
        found[key] = chosen.name
    return found


@pytest.mark.parametrize("count", [3, 10, 20])
def test_few_keys_move_when_a_server_is_removed(count: int) -> None:
    servers = frozen(count)
    before = owners(servers)
    for gone in range(count):
        after = owners(servers[:gone] + servers[gone + 1 :])
        moved = [key for key in KEYS if before[key] != after[key]]
        assert len(moved) <= 1.5 / count * len(KEYS)
        assert {before[key] for key in moved} == {servers[gone].name}, "no key moves between two that stay"


@pytest.mark.parametrize("count", [3, 10])
def test_being_down_and_being_removed_come_to_the_same(count: int) -> None:
    servers = frozen(count)
    down = (servers[0]._replace(available=False), *servers[1:])
    assert owners(down) == owners(servers[1:])


def test_the_order_of_servers_does_not_matter() -> None:
    servers = frozen(7)
    assert owners(servers) == owners(servers[::-1])


@pytest.mark.parametrize("weights", [[1] * 10, [1, 2, 3], [100, 300]])
def test_shares_are_near_the_weights(weights: list[int]) -> None:
    servers = tuple(FrozenServer(f"s{place}", weight) for place, weight in enumerate(weights))
    got = Counter(owners(servers).values())
    for server in servers:
        fair = server.weight / sum(weights) * len(KEYS)
        assert 0.7 * fair <= got[server.name] <= 1.3 * fair


def test_a_weight_that_changes_moves_no_key_between_two_others() -> None:
    servers = tuple(FrozenServer(f"s{place}", 2) for place in range(5))
    before, after = owners(servers), owners((servers[0]._replace(weight=3), *servers[1:]))
    moved = {(before[key], after[key]) for key in KEYS if before[key] != after[key]}
    assert {to for _, to in moved} == {"s0"}


def test_a_server_of_weight_0_gets_no_key() -> None:
    servers = (FrozenServer("drained", 0), *frozen(3))
    assert owners(servers) == owners(frozen(3))


@settings(max_examples=50)
@given(st.binary(), st.sets(st.integers(0, 4), max_size=5))
def test_whoever_can_be_asked_is_found(key: bytes, tried: set[int]) -> None:
    servers = frozen(5)
    failed = tuple(servers[place] for place in tried)
    chosen = ConsistentHash[FrozenServer]().choose(servers, key, NOW, Random(1), failed)
    assert (chosen is None) is (len(tried) == 5)
    assert chosen not in failed


def test_without_a_key_turns_are_taken() -> None:
    servers, ring, random = fleet(1, 1, 1), ConsistentHash[LiveServer](), Random(1)
    assert Counter(str(ring.choose(servers, None, NOW, random)) for _ in range(30)) == {"a": 10, "b": 10, "c": 10}


def test_a_popular_key_cannot_drown_a_server() -> None:
    servers, ring, random = fleet(1, 1, 1, 1), ConsistentHash[LiveServer](load_factor=1.25), Random(1)
    for _ in range(100):
        chosen = ring.choose(servers, b"popular", NOW, random)
        assert chosen is not None
        chosen.in_flight += 1
    assert max(server.in_flight for server in servers) <= 1.25 * 100 / 4 + 1
    for server in servers:
        server.in_flight = 0
    home = ring.choose(servers, b"popular", NOW, random)
    assert ConsistentHash[LiveServer]().choose(servers, b"popular", NOW, random) is home


def test_a_bound_below_the_fair_share_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="could not take"):
        ConsistentHash[LiveServer](load_factor=0.9)
    assert ConsistentHash[LiveServer]().choose((), b"key", NOW, Random(1)) is None
