"""Drawing lots by weight."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import accumulate
from random import Random
from typing import Generic

from proxy.balance.view import S, ramp

# Lots that are drawn before all servers are looked at. With half of them out this misses once in 256 draws.
_DRAWS = 8


class Draw(Generic[S]):
    """Draws available servers, each as often as its weight says.

    A lot that falls on a server that cannot be taken is drawn again; that leaves the odds among the others as they
    are, and needs no look at every server.
    """

    __slots__ = ("_bounds", "_servers", "_slow_start", "_total")

    def __init__(self, slow_start: float = 0.0) -> None:
        self._slow_start = slow_start
        self._servers: Sequence[S] = ()
        self._bounds: list[int] = []
        self._total = 0

    def draw(self, servers: Sequence[S], now: float, random: Random, tried: Collection[S]) -> S | None:
        """One of `servers` that is available and not in `tried`."""
        if servers is not self._servers:
            self._servers = servers
            self._bounds = list(accumulate(server.weight for server in servers))
            self._total = self._bounds[-1] if self._bounds else 0
        if not self._total:
            return None
        slow_start = self._slow_start
        for _ in range(_DRAWS):
            server = servers[bisect_right(self._bounds, random.random() * self._total)]
            if not server.available or server in tried:
                continue
            if not slow_start or random.random() < ramp(server, now, slow_start):
                return server
        return self._among_all(now, random, tried)

    def _among_all(self, now: float, random: Random, tried: Collection[S]) -> S | None:
        left = [server for server in self._servers if server.weight and server.available and server not in tried]
        if not left:
            return None
        slow_start = self._slow_start
        shares = [server.weight * (ramp(server, now, slow_start) if slow_start else 1.0) for server in left]
        return random.choices(left, shares)[0]
