"""Coroutines at the same time: the first good result counts. And one alone, that may not take for ever."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.interfaces import IDelayedCall

from proxy.alarm import NEVER, Alarm
from proxy.flow.walk import Promise, Walk

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

#: The wheel is up to two ticks late, 0.2 s: a hedge after 20 ms would go out ten times too late.
EXACT_BELOW_SECONDS = 1.0


class Referee(Protocol[T_contra]):
    """Knows a good result."""

    def is_good(self, result: T_contra) -> bool:
        """Whether it wins at once. One that is not is only good enough when nothing better comes."""

    def unused(self, result: T_contra) -> None:
        """Nobody will have it."""


class Race(Generic[T]):
    """Some coroutines, of which one is to give a result.

    @param beaten: raised in those that are too late; see `Walk.cancel`. Where whoever waits is cancelled, they all get
        what that one got.
    @param referee: None where every result is good.
    @ivar running: how many are still under way.
    """

    def __init__(self, alarm: Alarm, beaten: BaseException, referee: Referee[T] | None = None) -> None:
        self.deadline = self.look_at = NEVER
        self._alarm = alarm
        self._beaten = beaten
        self._referee = referee
        self._poor: list[T] = []  # what is good enough if nothing better comes: one, at most
        self._first: Promise[T] = Promise()
        self._walks: list[Walk[T]] = []
        self._then: Callable[[], None] | None = None
        self._timer: IDelayedCall | None = None

    @property
    def running(self) -> int:
        return len(self._walks)

    def enter(self, coroutine: Coroutine[Any, None, T]) -> None:
        """One more."""
        walk: Walk[T] = Walk(
            coroutine, lambda result: self._done(walk, result), lambda error: self._failed(walk, error)
        )
        self._walks.append(walk)
        walk.start()

    def after(self, seconds: float, then: Callable[[], None]) -> None:
        """Unless there is a result in `seconds`, call `then`. Takes the place of any earlier wish; 0 is never."""
        self._then = then
        self._stop_waiting()
        if 0 < seconds < EXACT_BELOW_SECONDS:
            self._timer = self._alarm.exactly(seconds, self.time_passed)
        else:
            self._alarm.set(self, seconds)

    def _stop_waiting(self) -> None:
        self._alarm.forget(self)
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def time_passed(self) -> None:
        if self._then is not None and not self._first.settled:
            self._then()

    def give_up(self, error: BaseException) -> None:
        """There will be no other result: whoever waits for one gets what is there, or `error`, as do all that are under
        way."""
        self._stop(error)
        self._settle(error)

    async def result(self) -> T:
        """The first good result; or the last of the others, when nothing is under way any more.

        @raise Exception: what the last one raised, when there is none.
        """
        try:
            return await self._first
        except Exception as error:
            self._stop(error)  # nobody waits any more, and they learn why: their servers may be to blame
            raise
        finally:
            self._then = None
            self._stop_waiting()
            self._stop(self._beaten)
            self._drop_poor()
            self._referee = None  # who may hold this race

    def _stop(self, error: BaseException) -> None:
        walks, self._walks = self._walks, []
        for walk in walks:
            walk.cancel(error)

    def _done(self, walk: Walk[T], result: T) -> None:
        self._walks.remove(walk)
        if self._walks and self._referee is not None and not self._referee.is_good(result):
            self._drop_poor()
            self._poor.append(result)
        else:
            self._first.keep(result)

    def _failed(self, walk: Walk[T], error: BaseException) -> None:
        self._walks.remove(walk)
        if not self._walks:
            self._settle(error)

    def _settle(self, error: BaseException) -> None:
        """Nothing is under way any more."""
        if self._first.settled:
            return
        if self._poor:
            self._first.keep(self._poor.pop())
        else:
            self._first.fail(error)

    def _drop_poor(self) -> None:
        if self._poor and self._referee is not None:
            self._referee.unused(self._poor.pop())

    def __repr__(self) -> str:
        return f"<Race of {len(self._walks)}>"


async def within(
    alarm: Alarm, seconds: float, coroutine: Coroutine[Any, None, T], late: Callable[[], BaseException]
) -> T:
    """The result of `coroutine`, if it has one in `seconds`.

    @param late: what is raised when it has none; it is cancelled with the same.
    """
    race: Race[T] = Race(alarm, TimeoutError())  # of one alone nobody is beaten
    race.after(seconds, lambda: race.give_up(late()))
    race.enter(coroutine)
    return await race.result()
