"""Least time: whoever will probably answer first, by peak EWMA (as Finagle and Linkerd do it).

A server's cost is its latency times the requests it would have in flight. Latency is an average that rises at once
and falls slowly (`proxy.health.latency`), so a server that stalls is avoided after one slow answer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random
from typing import Generic

from proxy.balance.view import S, load

#: What an unknown server is taken to need while its first answers are awaited; without this, all would run to it.
UNKNOWN_SECONDS = 1.0


class LeastTime(Generic[S]):
    """Looks at every server. One that nobody has heard of yet gets one request, then waits for its first answer."""

    __slots__ = ("_next", "_slow_start")

    def __init__(self, slow_start: float = 0.0) -> None:
        self._slow_start = slow_start
        self._next = 0

    def choose(
        self, servers: Sequence[S], key: bytes | None, now: float, random: Random, tried: Collection[S] = ()
    ) -> S | None:
        best: S | None = None
        best_cost = float("inf")
        count, start = len(servers), self._next
        for step in range(count):
            place = (start + step) % count
            server = servers[place]
            if not server.weight or not server.available or server in tried:
                continue
            seconds = server.latency(now) or (UNKNOWN_SECONDS if server.in_flight else 0.0)
            cost = seconds * load(server, now, self._slow_start)
            if cost < best_cost:
                best, best_cost = server, cost
                self._next = place + 1
        return best
