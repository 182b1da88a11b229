"""Active health: so many failed probes in a row and a server is down, so many passed and it is up again.

The machine is the table below: what a probe's result leads to from each state, at once or when enough of the same
have come in a row. The first probe ever decides alone: `fall` and `rise` protect a judgement, and there is none yet.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from proxy import limits
from proxy.health.change import Change


class Health(Enum):
    """What probes say about a server."""

    UNKNOWN = "unknown"
    UP = "up"
    FAILING = "failing"
    DOWN = "down"
    RISING = "rising"


class _Step(NamedTuple):
    """Where one result leads: to `to`, or to `when_enough` if it completes the row that `counts` names."""

    to: Health
    counts: str = ""
    when_enough: Health | None = None


TABLE: dict[tuple[Health, bool], _Step] = {
    (Health.UNKNOWN, True): _Step(Health.UP),
    (Health.UNKNOWN, False): _Step(Health.DOWN),
    (Health.UP, True): _Step(Health.UP),
    (Health.UP, False): _Step(Health.FAILING, "fall", Health.DOWN),
    (Health.FAILING, True): _Step(Health.UP),
    (Health.FAILING, False): _Step(Health.FAILING, "fall", Health.DOWN),
    (Health.DOWN, True): _Step(Health.RISING, "rise", Health.UP),
    (Health.DOWN, False): _Step(Health.DOWN),
    (Health.RISING, True): _Step(Health.RISING, "rise", Health.UP),
    (Health.RISING, False): _Step(Health.DOWN),
}

#: A server in one of these gets requests. One that nobody has probed yet does so only if it is configured to.
_GOOD = frozenset({Health.UP, Health.FAILING})


class Threshold:
    """The active health of one server.

    @param rise: passed probes in a row that bring it up.
    @param fall: failed probes in a row that take it down.
    @param initial: what is believed before the first probe: UP, DOWN, or UNKNOWN.
    """

    __slots__ = ("_fall", "_rise", "_row", "state", "why")

    def __init__(
        self,
        rise: int = limits.PROBE_RISE,
        fall: int = limits.PROBE_FALL,
        initial: Health = Health.UNKNOWN,
    ) -> None:
        self._rise = rise
        self._fall = fall
        self._row = 0
        self.state = initial
        #: The words of the last probe.
        self.why = "not probed yet"

    @property
    def good(self) -> bool:
        """Whether probes allow requests."""
        return self.state in _GOOD

    def judge(self, passed: bool, why: str) -> Change | None:
        """A probe has ended.

        @param why: what it saw.
        @return: the change, where the server came up or went down by it.
        """
        before, self.why = self.state, why
        step = TABLE[before, passed]
        after = step.to
        if step.when_enough is not None:
            self._row = self._row + 1 if before is step.to else 1
            if self._row >= (self._rise if step.counts == "rise" else self._fall):
                after = step.when_enough
        self.state = after
        if before is not Health.UNKNOWN and (before in _GOOD) is (after in _GOOD):
            return None
        return Change(before, after, why)

    def __repr__(self) -> str:
        return f"<Threshold {self.state.value}: {self.why}>"
