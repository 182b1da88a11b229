"""A question that is asked again and again, in the background: never twice at once, and never for too long."""

from __future__ import annotations

from collections.abc import Coroutine
from random import Random
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from proxy.alarm import NEVER, Alarm
from proxy.flow.walk import Walk
from proxy.health.probe import delay

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Pace(NamedTuple):
    """How often, and how long.

    @ivar interval: seconds from the end of one round to the next, about.
    @ivar timeout: seconds that one round may take.
    """

    interval: float
    timeout: float


class Asker(Protocol[T]):
    """Who asks, and hears what came of it."""

    def ask(self) -> Coroutine[Any, Any, T]:
        """One round; it is cancelled when it takes too long."""

    def answered(self, answer: T) -> None:
        """What the round found."""

    def failed(self, error: BaseException) -> None:
        """It found nothing: whatever it raised, or a `TimeoutError`."""


class Rounds(Generic[T]):
    """Sends an asker round, until it is stopped."""

    def __init__(self, asker: Asker[T], pace: Pace, alarm: Alarm, random: Random) -> None:
        self.deadline = self.look_at = NEVER
        self._asker = asker
        self._pace = pace
        self._alarm = alarm
        self._random = random
        self._walk: Walk[T] | None = None
        self._stopped = False

    @property
    def under_way(self) -> bool:
        """Whether an answer is being waited for."""
        return self._walk is not None

    def start(self) -> None:
        """The first round comes soon."""
        self._alarm.set(self, max(delay(self._pace.interval, self._random, first=True), 0.001))

    def stop(self) -> None:
        """No more rounds, ever."""
        if not self._stopped:
            self._stopped = True
            self._alarm.forget(self)
            self._cancel()
            del self._asker  # the two hold each other, and what is asked

    def time_passed(self) -> None:
        """The next round is due, or the present one takes too long."""
        if self._walk is not None:
            self._cancel()
            self._failed(TimeoutError(f"no answer in {self._pace.timeout:g} s"))
            return
        self._alarm.set(self, self._pace.timeout)
        self._walk = walk = Walk(self._asker.ask(), self._answered, self._failed)
        walk.start()

    def _cancel(self) -> None:
        walk, self._walk = self._walk, None
        if walk is not None:
            walk.cancel(_TooLateError())

    def _answered(self, answer: T) -> None:
        if self._goes_on():
            self._asker.answered(answer)

    def _failed(self, error: BaseException) -> None:
        if self._goes_on():
            self._asker.failed(error)

    def _goes_on(self) -> bool:
        self._walk = None
        if self._stopped:
            return False
        self._alarm.set(self, delay(self._pace.interval, self._random))
        return True


class _TooLateError(Exception):
    """The round was given up."""
