"""A change of mind in words."""

from __future__ import annotations

from proxy.health.change import Change
from proxy.health.threshold import Health


def test_it_reads_as_a_line_of_a_log() -> None:
    assert str(Change(Health.FAILING, Health.DOWN, "status 500")) == "failing -> down: status 500"
