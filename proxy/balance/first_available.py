"""First available: fill one server before the next is touched, so that the last ones can be switched off."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random
from typing import Generic

from proxy.balance.view import S


class FirstAvailable(Generic[S]):
    """Takes the first server, in configuration order, that is available: one at its cap is not."""

    __slots__ = ()

    def choose(
        self, servers: Sequence[S], key: bytes | None, now: float, random: Random, tried: Collection[S] = ()
    ) -> S | None:
        for server in servers:
            if server.available and server.weight and server not in tried:
                return server
        return None
