"""Stories of agents: they are asked, they answer, and their servers get more, less or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from random import Random

import pytest
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs, formatEvent

from proxy.alarm import Alarm
from proxy.balance.catalog import tiers
from proxy.health.agent import REPLY_BYTES, Agent
from proxy.health.condition import Condition
from proxy.upstream.agent_check import AgentCheck, AgentPlan
from proxy.upstream.dial import Address
from proxy.upstream.factory import ProxyClientFactory, ServerPlan
from proxy.upstream.pool import Pool
from tests.support.ends import End, FakeEndpoint


class Pair:
    """Two servers of one pool; the agent of the first is played by the test."""

    def __init__(self, plan: AgentPlan) -> None:
        self.clock = Clock()
        alarm = Alarm(self.clock, self.clock.seconds)
        self.ends: list[End] = []
        self.endpoint = FakeEndpoint(self.clock, self.ends.append)
        self.servers = [
            ProxyClientFactory(
                ServerPlan(name, Address("198.51.100.1", 80), weight=100, weight_unit=100, connections=50),
                self.endpoint,
                alarm,
                Condition(agent=Agent()),
            )
            for name in ("a", "b")
        ]
        self.first = self.servers[0]
        self.first.attendants = (AgentCheck(self.first, plan, self.endpoint, alarm, Random(1)),)
        self.pool = Pool("api", self.servers, alarm, random=Random(1))
        self.pool.start()

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.05] * int(seconds * 20))

    def connected(self) -> End:
        """The end of the agent, when it is asked the next time."""
        known = len(self.ends)
        while len(self.ends) == known:
            self.wait(0.1)
        self.clock.advance(0)
        return self.ends[-1]

    def says(self, line: bytes) -> None:
        end = self.connected()
        end.says(line)
        self.clock.advance(0)
        assert end.closed is not None, "one line, and it is over"

    def shares(self) -> dict[str, int]:
        chosen: Counter[str] = Counter()
        for _ in range(100):
            server = self.pool._choice.choose(self.pool.servers, None, self.clock.seconds(), Random(2))
            assert server is not None
            chosen[server.name] += 1
        return dict(chosen)


def complaints(events: Iterable[LogEvent]) -> int:
    return sum("the agent of a cannot be asked" in formatEvent(event) for event in events)


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair(AgentPlan(b"a\n", interval=10.0, timeout=2.0))
    yield pair
    pair.pool.close()
    pair.wait(1.0)
    assert all(end.closed is not None for end in pair.ends), "a question was left open"
    pair.clock.advance(1e6)
    assert not pair.clock.getDelayedCalls()


def test_it_is_told_who_is_meant_and_a_line_is_enough(pair: Pair) -> None:
    end = pair.connected()
    assert end.takes_raw() == b"a\n"
    end.says(b"2")
    end.says(b"5%\nmore")
    pair.clock.advance(0)
    assert end.closed is not None
    assert pair.first.weight == 25
    assert pair.first.state().weight == 0.25
    assert pair.shares() == {"a": 20, "b": 80}


def test_the_end_of_the_connection_ends_the_line_too(pair: Pair) -> None:
    end = pair.connected()
    end.says(b"drain")
    end.leaves()
    pair.wait(0.1)
    assert pair.shares() == {"b": 100}
    assert pair.first.state().state == "draining"
    assert pair.first.state().why.startswith("its agent says so")
    assert pair.first.available, "those who stick to it are still let in"
    pair.says(b"ready\n")
    assert pair.shares() == {"a": 50, "b": 50}


def test_down_maintenance_and_back(pair: Pair) -> None:
    for line, state in ((b"down #disk full\n", "down"), (b"up maint\n", "maintenance"), (b"ready\n", "up")):
        with capturedLogs() as events:
            pair.says(line)
        assert pair.first.state().state == state
        assert pair.first.available is (state == "up")
        assert any("upstream api: server a" in formatEvent(event) for event in events)
    assert pair.first.last_change == "maintenance -> ready: its agent says so"


def test_not_even_a_panic_uses_a_server_in_maintenance(pair: Pair) -> None:
    pair.pool._choice = tiers(panic=0.0)
    pair.says(b"maint\n")
    assert pair.shares() == {"b": 100}
    pair.servers[1].condition.usable = False
    assert pair.shares() == {"b": 100}
    pair.servers[1].drain()
    assert pair.pool._choice.choose(pair.pool.servers, None, 0.0, Random(2)) is None
    pair.says(b"down ready\n")
    assert pair.shares() == {"a": 100}, "what it thinks of its health is only that"


def test_fewer_at_once(pair: Pair) -> None:
    pair.says(b"maxconn:2\n")
    pair.first.in_flight = 2
    assert not pair.first.has_room
    pair.says(b"maxconn:0\n")
    assert pair.first.has_room
    pair.first.in_flight = 50
    assert not pair.first.has_room, "what the configuration says"


@pytest.mark.parametrize("how", ["refused", "silent", "nonsense", "endless"])
def test_an_agent_that_cannot_be_asked_changes_nothing_and_is_told_of_once(pair: Pair, how: str) -> None:
    pair.says(b"50%\n")
    with capturedLogs() as events:
        for _ in range(3):
            if how == "refused":
                pair.endpoint.error = ConnectionRefusedError()
                pair.wait(12.0)
            elif how == "silent":
                pair.connected()
                pair.wait(3.0)
            else:
                pair.says(b"x" * (REPLY_BYTES + 1) if how == "endless" else b"what?\n")
    assert complaints(events) == 1
    assert (pair.first.weight, pair.first.state().state) == (50, "up")
    pair.endpoint.error = None
    with capturedLogs() as events:
        pair.says(b"100%\n")
        pair.says(b"what?\n")
    assert complaints(events) == 1, "it was fine in between"
