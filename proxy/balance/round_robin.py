"""Round robin with smooth weights: a, a, b, a rather than a, a, a, b.

The weighted form is nginx's: in each round every server gains its weight in credit; the richest is chosen, and pays
what all together have gained. With equal weights that comes down to taking turns, which is done without arithmetic.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random
from typing import Generic

from proxy.balance.view import S, ramp


class RoundRobin(Generic[S]):
    """Takes turns.

    @param slow_start: seconds in which a server that came back grows to its full share.
    """

    __slots__ = ("_credits", "_equal", "_next", "_servers", "_slow_start")

    def __init__(self, slow_start: float = 0.0) -> None:
        self._slow_start = slow_start
        self._servers: Sequence[S] = ()
        self._equal = True
        self._next = 0
        self._credits: list[float] = []

    def choose(
        self, servers: Sequence[S], key: bytes | None, now: float, random: Random, tried: Collection[S] = ()
    ) -> S | None:
        if servers is not self._servers:
            self._begin(servers, random)
        if not self._equal or self._slow_start:
            return self._richest(now, tried)
        place, count = self._next, len(servers)
        for _ in range(count):
            server = servers[place]
            place += 1
            if place == count:
                place = 0
            if server.available and server not in tried:
                self._next = place
                return server
        return None

    def _begin(self, servers: Sequence[S], random: Random) -> None:
        """Get to know new servers. Start anywhere: many processes that all start with the first would rush at it."""
        self._servers = servers
        weights = {server.weight for server in servers}
        self._equal = len(weights) == 1 and 0 not in weights
        self._next = random.randrange(len(servers)) if servers else 0
        total = sum(server.weight for server in servers)
        self._credits = [random.random() * total for _ in servers]

    def _richest(self, now: float, tried: Collection[S]) -> S | None:
        best: S | None = None
        best_place, total, slow_start, credits = 0, 0.0, self._slow_start, self._credits
        for place, server in enumerate(self._servers):
            if not server.weight or not server.available or server in tried:
                continue
            share = server.weight * ramp(server, now, slow_start) if slow_start else server.weight
            credits[place] += share
            total += share
            if best is None or credits[place] > credits[best_place]:
                best, best_place = server, place
        if best is not None:
            credits[best_place] -= total
        return best

    def __repr__(self) -> str:
        return f"<RoundRobin over {len(self._servers)}, next {self._next}>"
