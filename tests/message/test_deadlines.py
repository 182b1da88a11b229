"""How long anything may take."""

from __future__ import annotations

from proxy import limits
from proxy.message import Deadlines
from proxy.message.deadlines import DEFAULT


def test_the_defaults_are_those_of_the_page_of_limits() -> None:
    assert Deadlines() == DEFAULT
    assert DEFAULT.request_head == limits.HEAD_SECONDS
    assert DEFAULT.tunnel_idle == limits.TUNNEL_IDLE_SECONDS


def test_nothing_but_a_stream_waits_for_ever_unless_somebody_says_so() -> None:
    assert [name for name, seconds in DEFAULT._asdict().items() if not seconds] == ["stream_idle"]
