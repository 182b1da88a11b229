"""The circuit breaker of an upstream: when too much of what it is asked fails, it is asked nothing for a while.

closed     all requests pass; the part that failed is watched
open       none pass, for some seconds
half open  a few pass, on trial: if all of them go well it closes, if one fails it opens again
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from proxy import limits
from proxy.health.change import Change

# The window moves in steps of a tenth.
_STEPS = 10


class BreakerPolicy(NamedTuple):
    """When to open, and how to come back.

    @ivar ratio: the part of all requests in the window that must fail.
    @ivar minimum: with fewer requests in the window nothing is concluded.
    @ivar window_seconds: how far back is looked.
    @ivar open_seconds: how long nothing passes.
    @ivar trials: requests that pass while half open, and must all go well.
    """

    ratio: float = limits.BREAKER_RATIO
    minimum: int = limits.BREAKER_MINIMUM
    window_seconds: float = limits.BREAKER_WINDOW_SECONDS
    open_seconds: float = limits.BREAKER_OPEN_SECONDS
    trials: int = limits.BREAKER_TRIALS


DEFAULT = BreakerPolicy()


class Circuit(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


class Admission(NamedTuple):
    """What the breaker says to a request.

    @ivar admitted: whether it may pass.
    @ivar trial: whether it passes on trial; to be given back to `Breaker.ended`.
    @ivar change: what changed by asking.
    """

    admitted: bool
    trial: bool = False
    change: Change | None = None


_PASS = Admission(True)
_REFUSE = Admission(False)
_TRY = Admission(True, trial=True)


class Breaker:
    """The breaker of one upstream."""

    __slots__ = ("_passed", "_policy", "_reopens_at", "_trials", "_window", "state")

    def __init__(self, policy: BreakerPolicy = DEFAULT) -> None:
        self._policy = policy
        self._window = Window(policy.window_seconds)
        self._reopens_at = 0.0
        self._trials = 0
        self._passed = 0
        self.state = Circuit.CLOSED

    def admit(self, now: float) -> Admission:
        """Whether a request may pass. Every one that was admitted is followed by one call of `ended`."""
        if self.state is Circuit.CLOSED:
            return _PASS
        if self.state is Circuit.OPEN:
            if now < self._reopens_at:
                return _REFUSE
            self._trials, self._passed = 1, 0
            change = self._become(Circuit.HALF_OPEN, f"open for {self._policy.open_seconds:g} s, trying")
            return Admission(True, trial=True, change=change)
        if self._trials < self._policy.trials:
            self._trials += 1
            return _TRY
        return _REFUSE

    def seconds_left(self, now: float) -> float:
        """How long nothing passes yet; 0.0 where something may at any moment."""
        return max(self._reopens_at - now, 0.0) if self.state is Circuit.OPEN else 0.0

    def ended(self, now: float, passed: bool | None, trial: bool = False) -> Change | None:
        """An admitted request is over.

        @param passed: whether it went well; None where nobody can say: no server was asked, or the client broke it off.
        @param trial: what `Admission.trial` said. While half open only trials count: others are from before.
        """
        if self.state is Circuit.CLOSED:
            return self._watch(now, passed) if passed is not None else None
        if self.state is Circuit.OPEN or not trial:
            return None
        if passed is None:
            self._trials -= 1
            return None
        if not passed:
            return self._open(now, "a trial failed")
        self._passed += 1
        if self._passed < self._policy.trials:
            return None
        self._window.clear()
        return self._become(Circuit.CLOSED, f"{self._passed} trials went well")

    def take_back(self, now: float) -> Change | None:
        """A request that had gone well failed in the end: a response counts when its head comes, and has just broken
        off in its body. While half open that fails the trial, whose-ever it was: it happened now, and not before.
        """
        if self.state is Circuit.CLOSED:
            return self._judge(now, *self._window.take_back(now))
        if self.state is Circuit.HALF_OPEN:
            return self._open(now, "a response broke off")
        return None

    def _watch(self, now: float, passed: bool) -> Change | None:
        total, failed = self._window.count(now, passed)
        return None if passed else self._judge(now, total, failed)

    def _judge(self, now: float, total: int, failed: int) -> Change | None:
        """One more has failed."""
        if total < self._policy.minimum or failed < self._policy.ratio * total:
            return None
        return self._open(now, f"{failed} of {total} requests failed in {self._policy.window_seconds:g} s")

    def _open(self, now: float, why: str) -> Change:
        self._reopens_at = now + self._policy.open_seconds
        return self._become(Circuit.OPEN, why)

    def _become(self, state: Circuit, why: str) -> Change:
        before, self.state = self.state, state
        return Change(before, state, why)

    def __repr__(self) -> str:
        return f"<Breaker {self.state.value}>"


class Window:
    """Counts what happened in the last seconds, in steps, so that forgetting costs nothing for each request.

    @param seconds: how far back; what is older than that is forgotten, a tenth at a time.
    """

    __slots__ = ("_failed", "_step", "_step_seconds", "_sum_failed", "_sum_total", "_total")

    def __init__(self, seconds: float) -> None:
        self._step_seconds = seconds / _STEPS
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._step = 0
        self._total = [0] * _STEPS
        self._failed = [0] * _STEPS
        self._sum_total = 0
        self._sum_failed = 0

    def count(self, now: float, passed: bool) -> tuple[int, int]:
        """One more.

        @return: how many there were in the window, and how many of them failed.
        """
        place = self._place(now)
        self._total[place] += 1
        self._sum_total += 1
        if not passed:
            self._fail(place)
        return self._sum_total, self._sum_failed

    def take_back(self, now: float) -> tuple[int, int]:
        """One that has passed failed after all: the youngest, for nobody knows which. Where it has left the window
        since it passed, it is one more.

        @return: as `count` does.
        """
        newest = self._place(now)
        for age in range(_STEPS):
            place = (newest - age) % _STEPS
            if self._failed[place] < self._total[place]:
                self._fail(place)
                return self._sum_total, self._sum_failed
        return self.count(now, False)

    def _fail(self, place: int) -> None:
        self._failed[place] += 1
        self._sum_failed += 1

    def _place(self, now: float) -> int:
        """Forget what is too old; where what happens now is counted."""
        step = int(now / self._step_seconds)
        for passing in range(max(self._step + 1, step - _STEPS + 1), step + 1):
            place = passing % _STEPS
            self._sum_total -= self._total[place]
            self._sum_failed -= self._failed[place]
            self._total[place] = self._failed[place] = 0
        self._step = max(step, self._step)
        return self._step % _STEPS
