"""The writes of one loop turn, flushed together at its end.

A write to a socket whose peer sleeps pays for waking it. One read event often answers many requests (or
one request in many pieces), so the streams written to in a turn wait in this list, and one callback per
turn sends what each has gathered: one system call a stream and a turn, however often it was written to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["Outbox", "Sender"]


class Sender(Protocol):
    """A stream with something to do at the end of the turn."""

    def flush(self) -> None:
        """Send what was gathered. Never raises."""


class Outbox:
    """The streams waiting for the end of this loop turn.

    `call_soon` is the loop's: its callback runs after the events of this poll, before the next poll.
    """

    __slots__ = ("_call_soon", "_senders")

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._senders: list[Sender] = []

    def add(self, sender: Sender) -> None:
        """Call ``sender.flush()`` once, at the end of this turn. The sender adds itself only once."""
        if not self._senders:
            self._call_soon(self._flush)
        self._senders.append(sender)

    def _flush(self) -> None:
        # Whoever writes during the flush starts the list of the next turn: a producer that always has
        # more cannot hold the loop.
        senders, self._senders = self._senders, []
        for sender in senders:
            sender.flush()
