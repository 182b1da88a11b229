"""Passive health: a server that fails real requests, several in a row, is left alone for a while.

Longer each time, never the last one that is left, and never more than half of an upstream: when everybody fails it is
the network, or the requests.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from proxy import limits
from proxy.health.change import Change

#: What a server says when it stands before something that does not work.
GATEWAY_STATUSES = frozenset({502, 503, 504})


class EjectionPolicy(NamedTuple):
    """When and for how long.

    @ivar failures: in a row.
    @ivar first_seconds: how long the first time; twice as long each time after it.
    @ivar longest_seconds: but no longer than this.
    @ivar share: the part of an upstream's servers that may be out at once.
    """

    failures: int = limits.EJECTION_FAILURES
    first_seconds: float = limits.EJECTION_SECONDS
    longest_seconds: float = limits.EJECTION_LONGEST_SECONDS
    share: float = limits.EJECTION_SHARE


DEFAULT = EjectionPolicy()


class Place(Enum):
    """Whether a server takes part."""

    IN = "in"
    EJECTED = "ejected"


class Company(NamedTuple):
    """The other servers of the upstream, as far as it matters whether one more may go.

    @ivar total: how many servers the upstream has, this one included.
    @ivar ejected: how many of them are ejected.
    @ivar available: how many *other* servers would be left to take requests.
    """

    total: int
    ejected: int
    available: int


class Ejection:
    """The passive health of one server."""

    __slots__ = ("_in_since", "failures", "forgiven", "policy", "times", "until", "why")

    def __init__(self, policy: EjectionPolicy = DEFAULT) -> None:
        self.policy = policy
        self._in_since = 0.0
        #: Failures in a row.
        self.failures = 0
        #: How many the last success has made up for.
        self.forgiven = 0
        #: How often it has been ejected without a good time in between.
        self.times = 0
        #: When it may come back, in seconds of the monotonic clock; 0.0 while it is in.
        self.until = 0.0
        #: The words of the last ejection.
        self.why = ""

    @property
    def ejected(self) -> bool:
        """Whether the server is out. It stays so until `restore` finds that its time has come."""
        return self.until > 0.0

    def passed(self, now: float) -> None:
        """A request went well. A server that has been in for as long as it was out last starts from the beginning."""
        self.forgiven, self.failures = self.failures, 0
        if self.times and not self.ejected and now >= self._in_since + self._seconds:
            self.times = 0

    def take_back(self) -> None:
        """The last success was none: a response is one when its head comes, and may still break off in its body.
        Without this a server that breaks off in all of them would never fail twice in a row."""
        self.failures += self.forgiven
        self.forgiven = 0

    def failed(self, now: float, why: str, company: Company) -> Change | None:
        """A request failed by the server's doing (`ProxyError.of_server`).

        @return: the change, where it is out by it.
        """
        if self.ejected:
            return None  # A request from before; it has been judged.
        self.failures += 1
        policy = self.policy
        if self.failures < policy.failures or not self._may_go(company):
            return None
        self.times += 1
        seconds = self._seconds
        self.until = now + seconds
        self.why = f"{self.failures} failures in a row, out for {seconds:g} s; the last: {why}"
        self.failures = 0
        return Change(Place.IN, Place.EJECTED, self.why)

    def restore(self, now: float) -> Change | None:
        """Let the server back in if its time has come."""
        if not self.ejected or now < self.until:
            return None
        self._in_since = now
        self.until = 0.0
        return Change(Place.EJECTED, Place.IN, f"its {self._seconds:g} s are over")

    def pardon(self, why: str) -> Change | None:
        """Let the server back in now, and forget what it did: somebody knows better."""
        self.failures = 0
        self.times = 0
        if not self.ejected:
            return None
        self.until = 0.0
        return Change(Place.EJECTED, Place.IN, why)

    @property
    def _seconds(self) -> float:
        """How long the last ejection was, or is."""
        # The exponent is bounded: 2 to the power of a year's ejections is no float.
        doubled = self.policy.first_seconds * 2.0 ** min(self.times - 1, 32)
        return min(doubled, self.policy.longest_seconds)

    def _may_go(self, company: Company) -> bool:
        return company.available >= 1 and company.ejected + 1 <= self.policy.share * company.total

    def __repr__(self) -> str:
        return f"<Ejection {'out' if self.ejected else 'in'}, {self.failures} failures, {self.times} times>"
