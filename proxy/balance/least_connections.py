"""Least connections: whoever has the least in flight for each unit of its weight."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random
from typing import Generic

from proxy.balance.view import S, load


class LeastConnections(Generic[S]):
    """Looks at every server. Among equals it takes turns, so that a quiet upstream uses all of its servers."""

    __slots__ = ("_next", "_slow_start")

    def __init__(self, slow_start: float = 0.0) -> None:
        self._slow_start = slow_start
        self._next = 0

    def choose(
        self, servers: Sequence[S], key: bytes | None, now: float, random: Random, tried: Collection[S] = ()
    ) -> S | None:
        best: S | None = None
        best_load = float("inf")
        count, start, slow_start = len(servers), self._next, self._slow_start
        for step in range(count):
            place = (start + step) % count
            server = servers[place]
            if not server.weight or not server.available or server in tried:
                continue
            busy = load(server, now, slow_start)
            if busy < best_load:
                best, best_load = server, busy
                self._next = place + 1
        return best
