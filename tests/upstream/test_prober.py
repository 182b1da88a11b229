"""Stories of probes: what a server is asked, what its answer means, and who hears of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock

from proxy.alarm import Alarm
from proxy.health.change import Change
from proxy.health.condition import Condition
from proxy.health.ejection import Company, Ejection, EjectionPolicy
from proxy.health.probe import BODY_BYTES, Expectation
from proxy.health.threshold import Health, Threshold
from proxy.upstream.dial import Address
from proxy.upstream.factory import ProxyClientFactory, ServerPlan
from proxy.upstream.prober import ProbePlan, Prober
from tests.support.ends import End, FakeEndpoint

PROBE = b"GET /up HTTP/1.1\r\nHost: a.test\r\nUser-Agent: reverseproxy-probe\r\nConnection: close\r\nX-A: b\r\n\r\n"
PLAN = ProbePlan(b"/up", fields=((b"X-A", b"b"),), interval=10.0, timeout=2.0)


class Watched:
    """A server that is probed; it is also the pool that hears of its changes."""

    def __init__(self, plan: ProbePlan, condition: Condition) -> None:
        self.clock = Clock()
        alarm = Alarm(self.clock, self.clock.seconds)
        self.ends: list[End] = []
        self.endpoint = FakeEndpoint(self.clock, self.ends.append)
        self.server = ProxyClientFactory(
            ServerPlan("s", Address("198.51.100.1", 80), authority=b"a.test"), self.endpoint, alarm, condition
        )
        self.server.owner = self
        self.server.attendants = (Prober(self.server, plan, self.endpoint, alarm, Random(1)),)
        self.changes: list[str] = []

    def freed(self, server: ProxyClientFactory) -> None:
        """Nobody waits."""

    def changed(self, server: ProxyClientFactory, changes: list[Change]) -> None:
        self.changes += map(str, changes)

    def company(self, server: ProxyClientFactory) -> Company:
        return Company(4, 0, 3)

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.05] * int(seconds * 20))

    def probe(self, answer: bytes | None) -> bytes:
        """The next probe; the server says `answer`, or hangs up. What it was asked."""
        known = len(self.ends)
        while len(self.ends) == known:
            self.wait(0.1)
        self.clock.advance(0)
        end = self.ends[-1]
        heard = end.takes_raw()
        if answer is None:
            end.leaves()
        else:
            end.says(answer)
        self.clock.advance(0)
        return heard

    @property
    def usable(self) -> bool:
        return self.server.available


@contextmanager
def watching(plan: ProbePlan = PLAN, initial: Health = Health.UNKNOWN, **more: Any) -> Iterator[Watched]:
    watched = Watched(plan, Condition(Threshold(rise=2, fall=3, initial=initial), **more))
    watched.server.start()
    yield watched
    watched.server.close()
    watched.wait(1.0)
    assert all(end.closed is not None for end in watched.ends), "a probe was left open"
    watched.clock.advance(1e6)
    assert not watched.clock.getDelayedCalls()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"


def test_the_first_probe_comes_soon_and_decides() -> None:
    with watching() as watched:
        assert watched.probe(OK) == PROBE
        assert watched.clock.seconds() < 1.3
        assert watched.changes == ["unknown -> up: status 200"]
        assert watched.usable


def test_an_unknown_server_is_used_and_one_that_is_down_is_not() -> None:
    with watching() as watched:
        assert watched.usable
    with watching(initial=Health.DOWN) as watched:
        assert not watched.usable
        watched.probe(OK)
        assert not watched.usable
        watched.probe(OK)
        assert watched.usable


def test_three_bad_answers_take_it_down_and_two_good_ones_bring_it_back() -> None:
    with watching() as watched:
        watched.probe(OK)
        for _ in range(3):
            assert watched.usable
            watched.probe(BAD)
        assert not watched.usable
        watched.probe(OK)
        assert not watched.usable
        watched.probe(OK)
        assert watched.usable
        assert watched.changes == [
            "unknown -> up: status 200",
            "failing -> down: status 500, expected 200-399",
            "rising -> up: status 200",
        ]
        assert watched.server.since == pytest.approx(watched.clock.seconds(), abs=0.1), "slow start begins here"


def test_probes_come_at_their_interval_more_or_less() -> None:
    with watching() as watched:
        watched.probe(OK)
        times = []
        for _ in range(10):
            watched.probe(OK)
            times.append(watched.clock.seconds())
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert all(8.3 < gap < 11.9 for gap in gaps)
        assert len(set(gaps)) > 3


def test_an_answer_that_does_not_come_is_a_bad_one() -> None:
    with watching() as watched:
        watched.wait(1.2)
        assert len(watched.ends) == 1
        watched.wait(2.2)
        assert watched.changes == ["unknown -> down: no answer in 2 s"]
        assert watched.ends[0].closed is not None


def test_a_connection_that_is_not_made_is_given_up() -> None:
    with watching() as watched:
        watched.endpoint.silent = True
        watched.wait(3.5)
        assert watched.endpoint.given_up == 1
        assert watched.changes == ["unknown -> down: no answer in 2 s"]


def test_a_refused_connection_says_so() -> None:
    with watching() as watched:
        watched.endpoint.error = ConnectionRefusedError()
        watched.wait(1.5)
        [change] = watched.changes
        assert "198.51.100.1:80" in change
        assert "refused" in change


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 nonsense\r\n\r\n"])
def test_an_answer_that_is_none(answer: bytes | None) -> None:
    with watching() as watched:
        watched.probe(answer)
        assert not watched.usable


def test_the_body_is_looked_at_as_far_as_it_goes() -> None:
    plan = PLAN._replace(expect=Expectation(body=re.compile(b"ready")))
    with watching(plan) as watched:
        watched.probe(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready")
        assert watched.usable
        for _ in range(3):
            watched.probe(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + b"x" * BODY_BYTES + b"ready")
        assert not watched.usable
        watched.probe(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nrea")
        watched.wait(3.0)
        assert watched.server.condition.why == "no answer in 2 s"


def test_a_probe_that_only_connects() -> None:
    with watching(PLAN._replace(path=b"")) as watched:
        watched.wait(1.5)
        assert watched.changes == ["unknown -> up: connected"]
        assert watched.ends[0].takes_raw() == b""


@pytest.mark.parametrize("path", [b"/up", b""])
def test_a_probe_is_no_line_in_the_log(path: bytes) -> None:
    with watching(PLAN._replace(path=path)) as watched:
        watched.wait(1.5)
        assert not watched.endpoint.factory.noisy


def test_another_method_and_another_host() -> None:
    with watching(PLAN._replace(method=b"HEAD", host=b"b.test")) as watched:
        assert watched.probe(OK[:-2]).startswith(b"HEAD /up HTTP/1.1\r\nHost: b.test\r\n")
        assert watched.usable


def test_probes_that_bring_a_server_up_end_its_ejection() -> None:
    ejection = Ejection(EjectionPolicy(failures=1))
    with watching(ejection=ejection) as watched:
        watched.probe(OK)
        for _ in range(3):
            watched.probe(BAD)
        watched.server.refused("it said so itself")
        assert not watched.usable
        watched.probe(OK)
        watched.probe(OK)
        assert watched.usable


def test_a_removed_server_is_left_alone() -> None:
    with watching() as watched:
        watched.wait(1.2)
        watched.server.close()
        watched.clock.advance(0)
        assert watched.ends[0].closed is not None
        watched.wait(60.0)
        assert len(watched.ends) == 1
        assert watched.changes == []
