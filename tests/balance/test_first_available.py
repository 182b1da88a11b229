"""One is filled before the next is touched."""

from __future__ import annotations

from random import Random

from proxy.balance.first_available import FirstAvailable
from tests.balance.fleet import NOW, LiveServer, fleet


def test_the_first_that_has_room() -> None:
    servers, first, random = fleet(1, 0, 1, 1), FirstAvailable[LiveServer](), Random(1)
    assert first.choose(servers, None, NOW, random) is servers[0]
    servers[0].available = False
    assert first.choose(servers, None, NOW, random) is servers[2]
    assert first.choose(servers, None, NOW, random, (servers[2],)) is servers[3]
    assert first.choose(servers, None, NOW, random, servers) is None
