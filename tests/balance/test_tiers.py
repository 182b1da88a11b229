"""Backups, panic, and the second attempt."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from proxy.balance.catalog import NAMES, tiers
from proxy.balance.consistent_hash import ConsistentHash
from proxy.balance.tiers import Tiers
from tests.balance.fleet import NOW, LiveServer, fleet

LAYOUT = (("a", 0), ("b", 0), ("backup", 1), ("last", 2))


def layout() -> tuple[LiveServer, ...]:
    return tuple(LiveServer(name, 1, priority) for name, priority in LAYOUT)


def chosen(servers: tuple[LiveServer, ...], panic: float | None = None, name: str = "round_robin") -> set[str]:
    choice, random = choice_of(name, panic), Random(1)
    return {str(choice.choose(servers, b"key-%d" % n, NOW, random)) for n in range(40)}


def choice_of(name: str, panic: float | None = None) -> Tiers[LiveServer]:
    return tiers(name, panic=panic)


@pytest.mark.parametrize("name", NAMES)
def test_a_tier_is_asked_when_the_one_before_has_nobody(name: str) -> None:
    servers = layout()
    assert chosen(servers, name=name) <= {"a", "b"}
    servers[0].available = False
    assert chosen(servers, name=name) == {"b"}
    servers[1].available = False
    assert chosen(servers, name=name) == {"backup"}
    servers[2].available = False
    assert chosen(servers, name=name) == {"last"}
    servers[3].available = False
    assert chosen(servers, name=name) == {"None"}
    servers[1].available = True
    assert chosen(servers, name=name) == {"b"}


@pytest.mark.parametrize("name", NAMES)
def test_in_a_panic_health_is_ignored_but_room_is_not(name: str) -> None:
    servers = layout()
    for server in servers:
        server.available = False
    servers[0].has_room = False
    assert chosen(servers, name=name) == {"None"}
    assert chosen(servers, 0.0, name) == {"b"}
    servers[2].available = True
    assert chosen(servers, 0.0, name) == {"backup"}, "nobody panics while a backup is well"
    servers[2].available = False
    for server in servers:
        server.has_room = False
    assert chosen(servers, 0.0, name) == {"None"}


def test_panic_can_come_before_everybody_is_down() -> None:
    servers = layout()[:2] + tuple(LiveServer(name) for name in "cd")
    for server in servers[1:]:
        server.available = False
    assert chosen(servers, 0.25) == {"a"}
    assert chosen(servers, 0.5) == {"a", "b", "c", "d"}


def test_a_retry_goes_elsewhere_also_to_a_backup_and_home_only_as_a_last_resort() -> None:
    servers, random = layout(), Random(1)
    choice = choice_of("round_robin")
    assert choice.choose(servers, None, NOW, random, servers[:1]) is servers[1]
    assert choice.choose(servers, None, NOW, random, servers[:2]) is servers[2]
    assert choice.choose(servers, None, NOW, random, servers) in servers[:2]
    assert choice.choose(servers[:1], None, NOW, random, servers[:1]) is servers[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("panic", [0.0, 0.9])
def test_in_a_panic_too_a_retry_goes_elsewhere(panic: float, name: str) -> None:
    """Rather to one that seems bad than once more to the one that has failed it, whether that seems well or not."""
    servers, choice = layout()[:3], choice_of(name, panic)
    for seems_well in (True, False):
        servers[0].available = seems_well
        servers[1].available = servers[2].available = False
        second = choice.choose(servers, b"key", NOW, Random(1), servers[:1])
        assert str(second) == "b"
        assert str(choice.choose(servers, b"key", NOW, Random(1), servers[:2])) == "backup"
        assert choice.choose(servers, b"key", NOW, Random(1), servers) is not None, "there is no other"


def test_each_tier_keeps_its_own_turns() -> None:
    servers, random = layout(), Random(1)
    choice = choice_of("round_robin")
    got = Counter(str(choice.choose(servers, None, NOW, random)) for _ in range(100))
    assert got == {"a": 50, "b": 50}


def test_without_servers_there_is_none() -> None:
    for panic in (None, 0.0, 0.5):
        assert choice_of("round_robin", panic).choose((), None, NOW, Random(1)) is None


@pytest.mark.parametrize(("panic", "rings"), [(0.0, 2), (1.0, 1)])
def test_a_panic_builds_no_ring_for_each_request(monkeypatch: pytest.MonkeyPatch, panic: float, rings: int) -> None:
    built: list[int] = []
    build = ConsistentHash._build

    def counted(ring: ConsistentHash[Any], servers: Any) -> None:
        built.append(len(servers))
        build(ring, servers)

    monkeypatch.setattr(ConsistentHash, "_build", counted)
    servers, choice = fleet(1, 1, 1), choice_of("hash", panic)
    for server in servers:
        server.available = False
    keys = [b"key-%d" % number for number in range(40)]
    owners = [str(choice.choose(servers, key, NOW, Random(1))) for key in keys]
    assert built == [3] * rings
    servers[0].has_room = False
    without = [str(choice.choose(servers, key, NOW, Random(1))) for key in keys]
    assert built == [3] * rings, "who has no room is passed by"
    assert all(now == before for now, before in zip(without, owners, strict=True) if before != "a")
    assert "a" in owners
    assert "a" not in without
    if panic:
        assert str(choice.choose(servers, keys[0], NOW, Random(1), servers[1:2])) == "c", "and who was tried"
    choice.choose(servers[:2], keys[0], NOW, Random(1))
    assert built == [3] * rings + [2] * rings
