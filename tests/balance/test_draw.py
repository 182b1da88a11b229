"""Drawing lots, where it differs from the algorithm that only draws."""

from __future__ import annotations

from random import Random

from proxy.balance.draw import Draw
from tests.balance.fleet import NOW, LiveServer, about, fleet


def test_new_servers_are_noticed() -> None:
    draw, random = Draw[LiveServer](), Random(1)
    few, many = fleet(1), fleet(1, 1, 1)
    assert {str(draw.draw(few, NOW, random, ())) for _ in range(50)} == {"a"}
    assert {str(draw.draw(many, NOW, random, ())) for _ in range(50)} == {"a", "b", "c"}


def test_also_after_many_misses_a_young_server_gets_little() -> None:
    servers, draw, random = fleet(*[1] * 40), Draw[LiveServer](slow_start=10.0), Random(1)
    for server in servers[2:]:
        server.available = False
    servers[0].since = NOW
    lots = [str(draw.draw(servers, NOW, random, ())) for _ in range(6000)]
    low, high = about(0.1 / 1.1)
    assert low <= lots.count("a") / 6000 <= high


def test_the_same_seed_draws_the_same_lots() -> None:
    servers = fleet(1, 2, 3)
    lots = [[Draw[LiveServer]().draw(servers, NOW, Random(seed), ()) for seed in range(50)] for _ in range(2)]
    assert lots[0] == lots[1]
