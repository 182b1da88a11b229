from __future__ import annotations

from typing import Any

from proxy.reactor.logcontext import LogContext


class Reactor:
    serving: Any = None


class Talkative:
    def logPrefix(self) -> str:
        return "Echo,3,10.0.0.1"


def test_nobody_is_served() -> None:
    assert LogContext(Reactor()).copy() == {"isError": 0, "system": "-"}


def test_the_prefix_is_that_of_whom_is_served_now() -> None:
    reactor = Reactor()
    context = LogContext(reactor)
    reactor.serving = Talkative()
    assert context["system"] == "Echo,3,10.0.0.1"
    assert context.copy() == {"isError": 0, "system": "Echo,3,10.0.0.1"}
