"""Many worlds, each drawn from its seed. `python -m tests.simulation SEED` tells the story of one that is broken.

REVERSEPROXY_WORLDS=20000 runs more of them.
"""

from __future__ import annotations

import gc
import os

import pytest
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from proxy.observe import ExchangeRecord
from tests.simulation.draw import draw
from tests.simulation.world import World

WORLDS = int(os.environ.get("REVERSEPROXY_WORLDS", "1200"))
PARTS = 8


@implementer(ILogObserver)
class Late:
    """What nobody waited for is logged when it is thrown away."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        if "log_failure" in event or event.get("isError"):
            self.events.append(event)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_breaks_in_many_worlds(part: int) -> None:
    late = Late()
    globalLogPublisher.addObserver(late)
    try:
        for seed in range(part, WORLDS, PARTS):
            offences = World(draw(seed)).run().offences
            if offences:
                pytest.fail(f"python -m tests.simulation {seed}\n" + "\n".join(offences), pytrace=False)
        gc.collect()
    finally:
        globalLogPublisher.removeObserver(late)
    assert late.events == []


def test_a_seed_replays_exactly() -> None:
    for seed in (1, 2, 3, 5, 8, 13):
        first, second = World(draw(seed), telling=True), World(draw(seed), telling=True)
        first.run()
        second.run()
        assert first.timeline
        assert first.timeline == second.timeline


def test_the_worlds_reach_all_that_can_go_wrong() -> None:
    """Invariants that hold because nothing happens say nothing."""
    records: list[ExchangeRecord] = []
    for seed in range(400):
        records += World(draw(seed)).run().records
    reasons = {record.reason for record in records}
    assert reasons >= {
        *("", "client.closed", "client.head.timeout", "client.body.timeout", "client.write.timeout"),
        *("upstream.none_available", "upstream.queue.full", "upstream.queue.timeout", "upstream.circuit.open"),
        *("upstream.connect.refused", "upstream.connect.timeout", "upstream.response.timeout"),
        *("upstream.response.truncated", "upstream.response.closed", "upstream.response.invalid"),
        "upstream.response.idle",
    }
    assert any(record.attempts > 1 and not record.reason for record in records)
    assert any(record.reused for record in records)
    assert sum(not record.reason for record in records) > len(records) / 3
