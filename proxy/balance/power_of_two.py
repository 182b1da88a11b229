"""Power of two choices: draw two servers, take the less busy one (Mitzenmacher, 2001).

Nearly as even as looking at all servers, and many proxies that do it never all run to the same one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random
from typing import Generic

from proxy.balance.draw import Draw
from proxy.balance.view import S, load


class PowerOfTwo(Generic[S]):
    """Draws two different servers by weight and takes the one with less in flight for each unit of its weight."""

    __slots__ = ("_draw", "_slow_start")

    def __init__(self, slow_start: float = 0.0) -> None:
        self._slow_start = slow_start
        # The draw alone slows the start: a young server that is drawn may show that it is free.
        self._draw: Draw[S] = Draw(slow_start)

    def choose(
        self, servers: Sequence[S], key: bytes | None, now: float, random: Random, tried: Collection[S] = ()
    ) -> S | None:
        one = self._draw.draw(servers, now, random, tried)
        if one is None:
            return None
        other = self._draw.draw(servers, now, random, (*tried, one))
        if other is None or load(one, now, 0.0) <= load(other, now, 0.0):
            return one
        return other
