"""Consistent hashing: the same key finds the same server, and when one goes only its own keys move.

Servers sit on a ring, each at many points; a key belongs to the first point after its hash. A server that cannot
take the request is passed by, so its keys spread over all others and come back with it.

With bounded load (Mirrokni, Thorup and Zadimoghaddam, 2016) a server that has more than `load_factor` times its fair
share in flight is passed by too: one popular key cannot drown one server.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from math import ceil
from random import Random
from typing import Generic

from proxy.balance.hashing import stable_hash, stable_hashes
from proxy.balance.round_robin import RoundRobin
from proxy.balance.view import S

#: Points on the ring for each unit of weight. Shares then differ by some 8 % (one over the square root).
POINTS = 160
#: Points on a ring: making them takes some 10 ms, which is all that a change of servers may hold up the others.
RING_POINTS = 16384


class ConsistentHash(Generic[S]):
    """A ring. A request without key (its cookie is not there yet) takes its turn, as in round robin.

    @param load_factor: how many times its fair share of all that is in flight a server may have; 0 for no bound.
        1.25 is a good one.
    """

    __slots__ = ("_load_factor", "_owners", "_points", "_servers", "_turns")

    def __init__(self, load_factor: float = 0.0) -> None:
        if load_factor and load_factor < 1.0:
            raise ValueError("below 1, all servers together could not take what there is")
        self._load_factor = load_factor
        self._servers: Sequence[S] = ()
        self._points: list[int] = []
        self._owners: list[S] = []
        self._turns: RoundRobin[S] = RoundRobin()

    def choose(
        self, servers: Sequence[S], key: bytes | None, now: float, random: Random, tried: Collection[S] = ()
    ) -> S | None:
        if key is None:
            return self._turns.choose(servers, key, now, random, tried)
        if servers is not self._servers:
            self._build(servers)
        caps = self._caps() if self._load_factor else None
        place, count = bisect_right(self._points, stable_hash(key)), len(self._points)
        passed: set[str] = set()
        full: S | None = None
        for step in range(count):
            server = self._owners[(place + step) % count]
            if server.name in passed:
                continue
            if server.available and server not in tried:
                if caps is None or server.in_flight < caps[server.name]:
                    return server
                full = full or server
            passed.add(server.name)
            if len(passed) == len(servers):
                break
        return full

    def _build(self, servers: Sequence[S]) -> None:
        """Put the servers on the ring. Where a server's points lie depends on its name, how many there are on its
        weight: one that comes, goes or changes its weight moves no key between two others. (Weights so large that
        their points would not fit are halved until they do; then a new sum can move keys, once.)"""
        self._servers = servers
        shift = 0
        while POINTS * sum(server.weight for server in servers) >> shift > RING_POINTS:
            shift += 1
        ring: list[tuple[int, int]] = []
        for index, server in enumerate(servers):
            if server.weight:
                count = max(1, POINTS * server.weight >> shift)
                ring.extend((point, index) for point in stable_hashes(server.name.encode("utf-8"), count))
        ring.sort()
        self._points = [point for point, _ in ring]
        self._owners = [servers[index] for _, index in ring]

    def _caps(self) -> dict[str, int]:
        """How many requests each server may have in flight."""
        usable = [server for server in self._servers if server.weight and server.available]
        weights = sum(server.weight for server in usable)
        total = sum(server.in_flight for server in usable) + 1
        return {server.name: ceil(self._load_factor * total * server.weight / weights) for server in usable}
