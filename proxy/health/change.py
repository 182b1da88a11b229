"""One change of mind about a server or an upstream."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Change(NamedTuple):
    """Something is other than before.

    @ivar before: a state of the machine that changed.
    @ivar after: the state that it has now.
    @ivar why: for people, without the name of the server; it begins in lower case and has no full stop.
    """

    before: Enum
    after: Enum
    why: str

    def __str__(self) -> str:
        return f"{self.before.value} -> {self.after.value}: {self.why}"
