"""How long a server takes, by an average that believes bad news at once and good news slowly (peak EWMA)."""

from __future__ import annotations

from math import exp

#: After so many seconds what was seen counts for about a third.
DECAY_SECONDS = 10.0


class PeakEwma:
    """The latency of one server.

    An average over time, not over requests: a server that gets little is not remembered longer than one that gets
    much. A higher value replaces it at once. Unheard of, it fades: so a server that was avoided is tried again.

    @param decay: seconds.
    """

    __slots__ = ("_at", "_decay", "_seconds")

    def __init__(self, decay: float = DECAY_SECONDS) -> None:
        self._decay = decay
        self._seconds = 0.0
        self._at = 0.0

    def observe(self, seconds: float, now: float) -> None:
        """A request took `seconds` until the head of its response was here."""
        if seconds >= self._seconds:
            self._seconds = seconds
        else:
            kept = exp((self._at - now) / self._decay)
            self._seconds = self._seconds * kept + seconds * (1.0 - kept)
        self._at = now

    @property
    def seconds(self) -> float:
        """The latency as it was when something was last seen, however long ago; 0.0 where nothing ever was."""
        return self._seconds

    def at(self, now: float) -> float:
        """The latency as it looks at `now`, in seconds; 0.0 where nothing was ever seen."""
        return self._seconds * exp((self._at - now) / self._decay) if self._seconds else 0.0

    def __repr__(self) -> str:
        return f"<PeakEwma {self._seconds * 1000:.1f} ms>"
