"""Time passed: every deadline of the data path hangs on one coarse wheel.

A connection has at most one deadline at a time, the one its state needs. Moving it is an attribute and a
comparison: no timer is made or cancelled for a request. The wheel looks at an owner when the earliest deadline it
was told has come; if the deadline has moved on by then, it looks again later. So a deadline is never early,
and late by at most two ticks: it waits for the end of its own, and the wheel need not turn at that very moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

log = Logger()

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
        self._slots: dict[int, dict[Watched, None]] = {}  # of each the keys, in the order in which they came
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

    def exactly(self, seconds: float, call: Callable[[], None]) -> IDelayedCall:
        """A timer of its own, for the few who cannot wait for a tick more."""
        return self._reactor.callLater(seconds, call)

    def clear(self, owner: Watched) -> None:
        """`owner` waits for nothing, for now."""
        owner.deadline = NEVER

    def forget(self, owner: Watched) -> None:
        """`owner` will never wait for anything again: keep nothing of it. (It would stay until its look is due, and
        with it all that belonged to a connection; thousands of short connections a second would fill the memory.)"""
        owner.deadline = NEVER
        self._take_out(owner)

    def _take_out(self, owner: Watched) -> None:
        if owner.look_at != NEVER:
            number = round(owner.look_at / TICK_SECONDS)
            owner.look_at = NEVER
            slot = self._slots.get(number)
            if slot is not None:
                slot.pop(owner, None)
                if not slot:
                    del self._slots[number]

    def _put(self, owner: Watched, deadline: float) -> None:
        self._take_out(owner)
        if self._timer is None:
            self._tick_done = int(self.now() / TICK_SECONDS)
            self._timer = self._reactor.callLater(TICK_SECONDS, self._turn)
        # What should have been before now is looked at in the next tick: those before it are over.
        slot = max(int(deadline / TICK_SECONDS), self._tick_done) + 1
        owner.look_at = slot * TICK_SECONDS
        self._slots.setdefault(slot, {})[owner] = None

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
            return  # it was forgotten, or has another deadline, since this slot was opened
        owner.look_at = NEVER
        if owner.deadline <= now:
            owner.deadline = NEVER
            try:
                owner.time_passed()
            except Exception:  # noqa: BLE001 - told, and no reason to keep the others of this tick waiting for ever
                log.failure("{owner!r} failed when its time had passed", owner=owner)
        elif owner.deadline != NEVER:
            self._put(owner, owner.deadline)

    def __repr__(self) -> str:
        return f"<Alarm {sum(map(len, self._slots.values()))} to look at>"
