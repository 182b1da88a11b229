"""Whoever will probably answer first."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from proxy.balance.least_time import LeastTime
from tests.balance.fleet import NOW, LiveServer, fleet


def test_the_quicker_server_gets_more() -> None:
    servers, least, random = fleet(1, 1), LeastTime[LiveServer](), Random(1)
    servers[0].seconds, servers[1].seconds = 0.010, 0.030
    for _ in range(40):
        chosen = least.choose(servers, None, NOW, random)
        assert chosen is not None
        chosen.in_flight += 1
    assert [server.in_flight for server in servers] == [30, 10]


def test_an_unknown_server_is_tried_once_and_then_waited_for() -> None:
    servers, least, random = fleet(1, 1), LeastTime[LiveServer](), Random(1)
    servers[0].seconds = 0.010
    got = []
    for _ in range(20):
        chosen = least.choose(servers, None, NOW, random)
        assert chosen is not None
        chosen.in_flight += 1
        got.append(str(chosen))
    assert Counter(got) == {"a": 19, "b": 1}
    assert got[0] == "b"


def test_equals_take_turns() -> None:
    servers, least, random = fleet(1, 1, 1), LeastTime[LiveServer](), Random(1)
    for server in servers:
        server.seconds = 0.010
    assert "".join(str(least.choose(servers, None, NOW, random)) for _ in range(6)) == "abcabc"


def test_weight_and_slow_start_count() -> None:
    servers, random = fleet(1, 4), Random(1)
    for server in servers:
        server.seconds, server.in_flight = 0.010, 1
    assert LeastTime[LiveServer]().choose(servers, None, NOW, random) is servers[1]
    servers[1].since = NOW
    assert LeastTime[LiveServer](slow_start=10.0).choose(servers, None, NOW, random) is servers[0]


@pytest.mark.parametrize("spoil", ["available", "weight", "tried"])
def test_only_who_can_be_asked_is_asked(spoil: str) -> None:
    servers = fleet(1, 1)
    servers[0].seconds, servers[1].seconds = 0.001, 5.0
    tried: tuple[LiveServer, ...] = ()
    if spoil == "tried":
        tried = servers[:1]
    else:
        setattr(servers[0], spoil, 0)
    assert LeastTime[LiveServer]().choose(servers, None, NOW, Random(1), tried) is servers[1]
