"""A client that sends nothing more, in the middle of an exchange: it may wait for its answer, or be gone."""

from __future__ import annotations

from collections.abc import Callable

from proxy.alarm import NEVER, Alarm
from proxy.limits import HALF_CLOSED_SECONDS


def _nothing() -> None:
    """Nobody is there."""


class HalfClosed:
    """Waits on for such a client, as long as something is written to it every now and then.

    Who sends a request and shuts its side down (`nc -N`, some old programs) looks like one who has closed the
    connection, until something is sent to it: only then its machine says that nobody is there. To take all for gone
    leaves the first without an answer; to take all for waiting works on for those who gave up. So there is a deadline.

    @param written: other than before as soon as more was written; None while the client has yet to read what was.
    @param cut: ends the connection.
    """

    def __init__(self, alarm: Alarm, written: Callable[[], object], cut: Callable[[], None]) -> None:
        self.deadline = self.look_at = NEVER
        self._alarm = alarm
        self._written = written
        self._cut = cut
        self._before = written()
        alarm.set(self, HALF_CLOSED_SECONDS)

    def time_passed(self) -> None:
        """Something has been written since the last look, or else nobody is waited for any more."""
        written, before = self._written(), self._before
        if written is not None and written == before:
            self._cut()
        else:
            self._before = written
            self._alarm.set(self, HALF_CLOSED_SECONDS)

    def stop(self) -> None:
        """The connection is closed: keep nothing of it."""
        self._alarm.forget(self)
        self._written = self._cut = _nothing

    def __repr__(self) -> str:
        return f"<HalfClosed {self._before!r}>"
