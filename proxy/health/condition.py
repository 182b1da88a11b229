"""All that is thought of one server: what probes say of it, and what its own requests do."""

from __future__ import annotations

from enum import Enum
from math import inf

from proxy.health.agent import Agent, Mode, Report
from proxy.health.change import Change
from proxy.health.ejection import Company, Ejection
from proxy.health.threshold import Health, Threshold


class Hand(Enum):
    """What somebody who runs the proxy says of a server."""

    USED = "used"
    DRAINED = "drained"


class Condition:
    """The health of one server. It outlives a reload that does not touch the server.

    @param threshold: active health; None where nobody probes.
    @param ejection: passive health; None where it is switched off.
    @param agent: what stands beside it and speaks for it; None where nothing does.
    @ivar probed_at: when a probe last ended, in seconds of the monotonic clock; None before the first.
    @ivar drained: somebody has taken it out by hand, whatever its health; see `reverseproxy drain`.
    @ivar usable: whether requests may go there.
    @ivar since: when it last became usable, in seconds of the monotonic clock; slow start counts from here.
    """

    __slots__ = ("agent", "drained", "ejection", "probed_at", "since", "threshold", "usable")

    def __init__(
        self, threshold: Threshold | None = None, ejection: Ejection | None = None, agent: Agent | None = None
    ) -> None:
        self.threshold = threshold
        self.ejection = ejection
        self.agent = agent
        self.probed_at: float | None = None
        self.drained = False
        self.since = -inf
        self.usable = self._judge()

    def probed(self, passed: bool, why: str, now: float) -> list[Change]:
        """A probe has ended. A server that probes find well is let in again, whatever its requests did before."""
        assert self.threshold is not None
        self.probed_at = now
        changes = [self.threshold.judge(passed, why)]
        if passed and changes[0] is not None and self.ejection is not None:
            changes.append(self.ejection.pardon("probes find it well"))
        return self._settle(changes, now)

    def reported(self, report: Report, now: float) -> list[Change]:
        """Its agent has spoken."""
        assert self.agent is not None
        return self._settle([*self.agent.heard(report)], now)

    def passed(self, now: float) -> None:
        """A request went well."""
        ejection = self.ejection
        if ejection is not None and (ejection.failures or ejection.times or ejection.forgiven):
            ejection.passed(now)

    def take_back(self) -> None:
        """What went well last did not go well in the end; a failure follows."""
        if self.ejection is not None:
            self.ejection.take_back()

    def failed(self, now: float, why: str, company: Company) -> list[Change]:
        """A request failed by the server's doing."""
        if self.ejection is None:
            return []
        return self._settle([self.ejection.failed(now, why, company)], now)

    def restore(self, now: float) -> list[Change]:
        """Time has passed: an ejection may be over."""
        if self.ejection is None:
            return []
        return self._settle([self.ejection.restore(now)], now)

    def drain(self, drained: bool, now: float) -> list[Change]:
        """Somebody takes it out by hand, or puts it back."""
        if drained is self.drained:
            return []
        self.drained = drained
        words = (Hand.USED, Hand.DRAINED) if drained else (Hand.DRAINED, Hand.USED)
        return self._settle([Change(*words, "by hand")], now)

    def become(self, new: Condition, now: float) -> None:
        """Judge requests by the rules of `new`, of which nothing is known; what was judged stays. (Probes and agents
        are the same: see `ServerPlan.identity`.)"""
        if self.ejection is None or new.ejection is None:
            self.ejection = new.ejection
        else:
            self.ejection.policy = new.ejection.policy
        self._settle([], now)

    def _settle(self, changes: list[Change | None], now: float) -> list[Change]:
        usable = self._judge()
        if usable and not self.usable:
            self.since = now
        self.usable = usable
        return [change for change in changes if change is not None]

    def _judge(self) -> bool:
        if self.drained:
            return False
        if self.ejection is not None and self.ejection.ejected:
            return False
        if self.agent is not None and not self.agent.usable:
            return False
        return self.threshold is None or self.threshold.good or self.threshold.state is Health.UNKNOWN

    @property
    def withdrawn(self) -> bool:
        """Whether somebody who knows has taken it out, by hand or by its agent: not even a panic uses it then."""
        return self.drained or (self.agent is not None and self.agent.mode is Mode.MAINTENANCE)

    @property
    def word(self) -> str:
        """The state in one word, for people: `up`, `down`, `ejected`, `unknown`, ..."""
        if self.drained:
            return Hand.DRAINED.value
        if self.ejection is not None and self.ejection.ejected:
            return "ejected"
        agent = self.agent
        if agent is not None and not agent.usable:
            return agent.mode.value if agent.mode is Mode.MAINTENANCE else agent.word.value
        return "up" if self.threshold is None else self.threshold.state.value

    @property
    def why(self) -> str:
        """The words behind it: of whoever decided, which need not be the probes."""
        if self.drained:
            return "by hand"
        if self.ejection is not None and self.ejection.ejected:
            return self.ejection.why
        if self.agent is not None and not self.agent.usable:
            return self.agent.why
        return "" if self.threshold is None else self.threshold.why

    def __repr__(self) -> str:
        return f"<Condition {self.word} {self.why}>"
