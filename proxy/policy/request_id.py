"""Names for requests: short, unique, cheap."""

from __future__ import annotations

from random import Random


class RequestIds:
    """Makes request ids: a random prefix for this process, and a number that counts up.

    They are names, not secrets: whoever has one may guess others.

    @param random: where the prefix comes from; seeded differently in every process.
    """

    __slots__ = ("_count", "_prefix")

    def __init__(self, random: Random) -> None:
        self._prefix = b"%016x" % random.getrandbits(64)
        self._count = 0

    def __call__(self) -> bytes:
        """The next id: 16 hexadecimal digits, a hyphen, a decimal number."""
        self._count = count = self._count + 1
        return b"%b-%d" % (self._prefix, count)
