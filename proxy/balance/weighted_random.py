"""Random: no memory at all, and so nothing that many proxies before the same servers could fall into step with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random
from typing import Generic

from proxy.balance.draw import Draw
from proxy.balance.view import S


class WeightedRandom(Generic[S]):
    """Draws a server, each as often as its weight says."""

    __slots__ = ("_draw",)

    def __init__(self, slow_start: float = 0.0) -> None:
        self._draw: Draw[S] = Draw(slow_start)

    def choose(
        self, servers: Sequence[S], key: bytes | None, now: float, random: Random, tried: Collection[S] = ()
    ) -> S | None:
        return self._draw.draw(servers, now, random, tried)
