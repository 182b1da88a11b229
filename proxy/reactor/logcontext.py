"""The prefix of log entries, worked out only when something is logged.

Twisted's reactors push a new log context for every event (1.1 µs), so that `log.msg` within it names the connection.
Here one context stays for the whole run and looks up whose event is being served, which costs an assignment.
"""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["LogContext", "Serving"]


class Serving(Protocol):
    """A reactor that knows whose event it is serving: something with `logPrefix`, or None."""

    serving: Any


class LogContext(dict[str, Any]):
    """What `twisted.python.log` finds as its context while `reactor` runs."""

    def __init__(self, reactor: Serving) -> None:
        super().__init__(isError=0, system="-")
        self._reactor = reactor

    def __getitem__(self, key: str) -> Any:
        if key == "system" and self._reactor.serving is not None:
            return self._reactor.serving.logPrefix()
        return super().__getitem__(key)

    def copy(self) -> dict[str, Any]:
        return {"isError": self["isError"], "system": self["system"]}
