"""Time passed: the one door for it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import (
    IDelayedCall,
    IReactorCore,
    IReactorTCP,
    IReactorTime,
)


class Reactor(IReactorTCP, IReactorTime, IReactorCore):
    """The sides of the reactor that we use. Types only."""


class Alarm:
    """One deadline at a time; setting it anew replaces the one before. The only `callLater` there is."""

    def __init__(self, clock: IReactorTime, time_passed: Callable[[], None]) -> None:
        self._clock, self._time_passed = clock, time_passed
        self._call: IDelayedCall | None = None

    def set(self, seconds: float) -> None:
        if self._call is not None and self._call.active():
            self._call.reset(seconds)
        else:
            self._call = self._clock.callLater(seconds, self._time_passed)

    def clear(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
