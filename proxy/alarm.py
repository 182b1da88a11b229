"""Time passed: every deadline of the data path hangs on one coarse wheel.

A connection has at most one deadline at a time, the one its state needs. Moving it is an attribute and a
comparison: no timer is made or cancelled for a request. The wheel looks at an owner when the earliest deadline it
was told has come; if the deadline has moved on by then, it looks again later. So a deadline is late by at most one
tick, and never early.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: No deadline.
NEVER = inf

TICK_SECONDS = 0.1


class Watched(Protocol):
    """Who can have a deadline. Both attributes start as `NEVER`; only the alarm writes them.

    @ivar deadline: seconds on the alarm's clock.
    @ivar look_at: the tick at which the wheel will look at the deadline; `NEVER` while it will not.
    """

    deadline: float
    look_at: float

    def time_passed(self) -> None:
        """The deadline has passed. It is cleared; set another if there is more to wait for."""


class Alarm:
    """The wheel.

    @param reactor: gives `callLater`.
    @param now: a monotonic clock, in seconds.
    """

    def __init__(self, reactor: IReactorTime, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._reactor = reactor
        self._slots: dict[int, list[Watched]] = {}
        self._tick_done = 0
        self._timer: IDelayedCall | None = None

    def set(self, owner: Watched, seconds: float) -> None:
        """Let `owner` know when `seconds` from now have passed, instead of any earlier wish. 0 means never."""
        if not seconds:
            owner.deadline = NEVER
            return
        deadline = owner.deadline = self.now() + seconds
        if deadline < owner.look_at - TICK_SECONDS:
            self._put(owner, deadline)

    def clear(self, owner: Watched) -> None:
        """`owner` waits for nothing."""
        owner.deadline = NEVER

    def _put(self, owner: Watched, deadline: float) -> None:
        if self._timer is None:
            self._tick_done = int(self.now() / TICK_SECONDS)
            self._timer = self._reactor.callLater(TICK_SECONDS, self._turn)
        # What should have been before now is looked at in the next tick: those before it are over.
        slot = max(int(deadline / TICK_SECONDS), self._tick_done) + 1
        owner.look_at = slot * TICK_SECONDS
        self._slots.setdefault(slot, []).append(owner)

    def _turn(self) -> None:
        now = self.now()
        tick = int(now / TICK_SECONDS)
        # A suspended machine wakes up many ticks later: visit the slots that exist, not every tick in between.
        if tick - self._tick_done > len(self._slots):
            due = sorted(slot for slot in self._slots if slot <= tick)
        else:
            due = [slot for slot in range(self._tick_done + 1, tick + 1) if slot in self._slots]
        self._tick_done = tick
        try:
            for slot in due:
                for owner in self._slots.pop(slot):
                    self._look(owner, slot, now)
        finally:
            # Not before: who sets a deadline meanwhile would take the wheel for idle, and begin anew at the present
            # tick. If that has moved on since `now`, its owners would never be looked at.
            self._timer = self._reactor.callLater(TICK_SECONDS, self._turn) if self._slots else None

    def _look(self, owner: Watched, slot: int, now: float) -> None:
        if owner.look_at != slot * TICK_SECONDS:
            return  # an earlier look has been arranged meanwhile, and has taken its place
        owner.look_at = NEVER
        if owner.deadline <= now:
            owner.deadline = NEVER
            owner.time_passed()
        elif owner.deadline != NEVER:
            self._put(owner, owner.deadline)

    def __repr__(self) -> str:
        return f"<Alarm {sum(map(len, self._slots.values()))} to look at>"
