"""The target that splits requests among upstreams by weight: a canary beside what is proven."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from proxy.balance.key import KeyRule
from proxy.balance.split import Split
from proxy.message import Deadlines, Exchange, Response
from proxy.resources.forward import Forward


class Branch(NamedTuple):
    """One way.

    @ivar deadlines: of exchanges that go it.
    """

    forward: Forward
    weight: int
    deadlines: Deadlines


class SplitForward:
    """Forwards each exchange to one of several pools.

    @param key: what keeps a client with its branch; None, and requests that have no such key, draw lots.
    """

    def __init__(self, branches: Sequence[Branch], random: Random, key: KeyRule | None = None) -> None:
        self.branches = tuple(branches)
        self.key = key
        self._split = Split([branch.weight for branch in branches])
        self._random = random

    def choose(self, exchange: Exchange) -> Branch:
        """The branch of an exchange."""
        key = None if self.key is None else self.key.key(exchange.head, exchange.path, exchange.client)
        return self.branches[self._split.choose(key, self._random)]

    async def __call__(self, exchange: Exchange) -> Response:
        """The response of the branch's pool.

        @raise ProxyError: it gave none.
        """
        branch = self.choose(exchange)
        exchange.deadlines = branch.deadlines
        return await branch.forward(exchange)

    def __repr__(self) -> str:
        return f"<SplitForward {[(branch.weight, branch.forward) for branch in self.branches]!r}>"
