"""How long an idle connection to a server may be kept: a little less than the server itself keeps it.

Application servers close idle connections after 2 s (gunicorn), 5 s (uvicorn, Node), 60 s, or never. A request sent
in the moment when the server closes is lost, or has to be repeated; so we must be first. We start below nearly all
of them, grow while nobody closes on us, and go below the earliest close that we see.
"""

from __future__ import annotations

import re

from proxy import limits
from proxy.message.fields import Fields

#: Keep this part of the time after which a server was seen to close: its timer and ours do not start together.
MARGIN = 0.75
#: A server that restarts closes connections that were idle for no time at all; that is no reason to keep none.
SHORTEST_SECONDS = 1.0
#: One step of growth, when a connection was idle for all of the limit and the server had not closed it.
GROWTH = 1.5
#: After so long a close that was seen is history: the server may have been configured anew.
REMEMBERED_SECONDS = 600.0

_TIMEOUT = re.compile(rb"(?:^|[,;\s])timeout\s*=\s*\"?([0-9]{1,6})", re.IGNORECASE)


class IdleTimeout:
    """What was learned about one server.

    @ivar seconds: how long to keep an idle connection now.
    """

    __slots__ = ("_ceiling", "_longest", "_seen_at", "seconds")

    def __init__(
        self, start: float = limits.UPSTREAM_IDLE_SECONDS, longest: float = limits.UPSTREAM_IDLE_MAX_SECONDS
    ) -> None:
        self._longest = longest
        self._ceiling = longest
        self._seen_at = 0.0
        self.seconds = min(start, longest)

    def closed_by_server(self, idle: float, now: float) -> bool:
        """The server closed a connection that had been idle for `idle` seconds.

        @return: whether the limit shrank by it.
        """
        below = max(idle * MARGIN, SHORTEST_SECONDS)
        if below <= self._ceiling:
            self._ceiling = below
            self._seen_at = now
        if below >= self.seconds:
            return False
        self.seconds = below
        return True

    def outlasted(self, idle: float, now: float) -> None:
        """A connection was still there after `idle` seconds, when we closed it or gave it a request."""
        if self._ceiling < self._longest and now - self._seen_at > REMEMBERED_SECONDS:
            self._ceiling = self._longest
        if idle >= self.seconds * MARGIN:
            self.seconds = max(self.seconds, min(idle * GROWTH, self._ceiling))

    def for_connection(self, announced: float | None) -> float:
        """How long to keep one connection.

        @param announced: what its last response said (`announced_seconds`). It counts more than what was learned,
            in both directions, but our own longest time holds.
        @return: 0.0 for one that is not to be kept at all.
        """
        if announced is None:
            return self.seconds
        return min(announced * MARGIN if announced < 4 else announced - 1.0, self._longest)

    def __repr__(self) -> str:
        return f"<IdleTimeout {self.seconds:.1f} s, at most {self._ceiling:.1f} s>"


def announced_seconds(fields: Fields) -> float | None:
    """The `timeout` of a response's `Keep-Alive` (RFC 2068 section 19.7.1.1); None where there is none."""
    for value in fields.all(b"keep-alive"):
        match = _TIMEOUT.search(value)
        if match:
            return float(match[1])
    return None
