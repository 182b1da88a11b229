"""Whoever has least in flight for its weight."""

from __future__ import annotations

from collections import Counter
from random import Random

from proxy.balance.least_connections import LeastConnections
from tests.balance.fleet import NOW, LiveServer, fleet, shares


def test_the_idlest_is_taken() -> None:
    servers = fleet(1, 1, 1)
    servers[0].in_flight, servers[1].in_flight, servers[2].in_flight = 3, 1, 2
    assert LeastConnections[LiveServer]().choose(servers, None, NOW, Random(1)) is servers[1]


def test_in_flight_is_kept_as_weights_say() -> None:
    servers, least, random = fleet(1, 2, 4), LeastConnections[LiveServer](), Random(1)
    for _ in range(70):
        chosen = least.choose(servers, None, NOW, random)
        assert chosen is not None
        chosen.in_flight += 1
    assert [server.in_flight for server in servers] == [10, 20, 40]


def test_a_quiet_upstream_uses_all_of_its_servers() -> None:
    assert shares(LeastConnections(), fleet(1, 1, 1), 300) == {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}


def test_only_who_can_be_asked_is_asked() -> None:
    servers, least, random = fleet(1, 0, 1, 1), LeastConnections[LiveServer](), Random(1)
    servers[0].available = False
    got = Counter(str(least.choose(servers, None, NOW, random, (servers[3],))) for _ in range(20))
    assert got == {"c": 20}


def test_a_server_that_came_back_is_not_run_over() -> None:
    servers, least, random = fleet(1, 1), LeastConnections[LiveServer](slow_start=10.0), Random(1)
    servers[0].since = NOW - 5
    for _ in range(30):
        chosen = least.choose(servers, None, NOW, random)
        assert chosen is not None
        chosen.in_flight += 1
    assert [server.in_flight for server in servers] == [10, 20]
