"""A canary: requests are split among branches by weight, and whoever is hashed stays with the branch it got.

Branches own consecutive parts of a line from 0 to 1 in configuration order. A key always lies at the same place of
it, so moving a bound from 5 % to 10 % moves only those between the two bounds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random

from proxy.balance.hashing import SPACE, stable_hash

# Another hash than the balancers': else a branch's servers would see only one part of their ring.
_SALT = b"split"


class Split:
    """Chooses a branch, by its index.

    @param weights: one for each branch, in order; the share of a branch is its part of the sum.
    @raise ValueError: a weight is negative, or all are 0.
    """

    __slots__ = ("_bounds", "_total")

    def __init__(self, weights: Sequence[int]) -> None:
        if any(weight < 0 for weight in weights) or not any(weights):
            raise ValueError("a split needs weights of 0 or more, and not only of 0")
        self._bounds = list(accumulate(weights))
        self._total = self._bounds[-1]

    def choose(self, key: bytes | None, random: Random) -> int:
        """The branch of a request.

        @param key: what keeps a client with its branch; None to draw lots.
        """
        if key is None:
            return bisect_right(self._bounds, random.randrange(self._total))
        # Whole numbers all the way: a float would round the last keys over the end of the line.
        return bisect_right(self._bounds, stable_hash(key, _SALT) * self._total // SPACE)

    def __repr__(self) -> str:
        return f"Split(bounds={self._bounds})"
