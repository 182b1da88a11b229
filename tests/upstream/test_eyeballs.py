"""Two addresses of one server: whichever answers."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError, TimeoutError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from zope.interface import implementer

from proxy.upstream.dial import Address, endpoint_for
from proxy.upstream.eyeballs import EitherFamily
from tests.support.ends import End, FakeEndpoint

SOON = 0.25


class Quiet(Protocol):
    pass


class Both:
    """Two endpoints, and who was connected to."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.ends: list[list[End]] = [[], []]
        self.six, self.four = (FakeEndpoint(self.clock, ends.append) for ends in self.ends)
        self.endpoint = EitherFamily(self.clock, self.six, self.four, SOON)
        self.made: list[Any] = []
        self.failed: list[type[BaseException]] = []

    def connect(self) -> Any:
        attempt = self.endpoint.connect(Factory.forProtocol(Quiet))
        attempt.addCallbacks(self.made.append, lambda failure: self.failed.append(failure.type))
        return attempt

    @property
    def dialed(self) -> tuple[int, int]:
        return self.six.dialed, self.four.dialed


@pytest.fixture
def both() -> Both:
    return Both()


def test_version_6_comes_first_and_alone_if_it_answers(both: Both) -> None:
    both.connect()
    both.clock.advance(0)
    assert len(both.made) == 1
    both.clock.advance(10)
    assert both.dialed == (1, 0)
    assert not both.clock.getDelayedCalls()


def test_version_4_follows_at_once_where_6_is_refused_and_is_first_from_then_on(both: Both) -> None:
    both.six.error = ConnectionRefusedError()
    both.connect()
    both.clock.pump([0, 0])
    assert len(both.made) == 1
    assert both.dialed == (1, 1)
    both.connect()
    both.clock.advance(0)
    assert len(both.made) == 2
    assert both.dialed == (1, 2)


def test_version_4_follows_soon_where_6_is_silent(both: Both) -> None:
    both.six.silent = True
    both.connect()
    both.clock.advance(SOON / 2)
    assert both.dialed == (1, 0)
    both.clock.pump([SOON / 2, 0])
    assert len(both.made) == 1
    assert both.six.given_up == 1


@implementer(IStreamClientEndpoint)
class ByHand:
    """Connects when the test says so."""

    def __init__(self) -> None:
        self.factory: Any = None
        self.attempt: Deferred[Any] = Deferred()

    def connect(self, protocolFactory: Any) -> Deferred[Any]:  # noqa: N803 - the interface's word
        self.factory = protocolFactory
        return self.attempt

    def connects(self) -> Any:
        return self.factory.buildProtocol(IPv4Address("TCP", "198.51.100.1", 1))


def test_the_first_may_still_win_and_of_two_at_once_the_second_gets_nothing() -> None:
    clock, six, four, made = Clock(), ByHand(), ByHand(), []
    EitherFamily(clock, six, four, SOON).connect(Factory.forProtocol(Quiet)).addCallback(made.append)
    clock.advance(SOON)
    assert four.factory is not None
    winner = six.connects()
    assert isinstance(winner, Quiet)
    assert four.connects() is None
    six.attempt.callback(winner)
    assert made == [winner]


def test_when_both_fail_it_fails(both: Both) -> None:
    both.six.error, both.four.error = ConnectionRefusedError(), TimeoutError()
    both.connect()
    both.clock.pump([0, 0, 0])
    assert both.failed == [TimeoutError]
    assert not both.clock.getDelayedCalls()


def test_nobody_waits_any_more(both: Both) -> None:
    both.six.silent = both.four.silent = True
    attempt = both.connect()
    both.clock.advance(SOON)
    attempt.cancel()
    assert both.failed == [CancelledError]
    assert (both.six.given_up, both.four.given_up) == (1, 1)
    assert not both.clock.getDelayedCalls()


def test_an_address_of_both_families_is_dialed_so() -> None:
    reactor = MemoryReactorClock()
    endpoint = endpoint_for(reactor, Address("127.0.0.1", 81, other="::1"), 5.0)
    endpoint.connect(Factory.forProtocol(Quiet))
    assert [call[:2] for call in reactor.tcpClients] == [("::1", 81)]
    reactor.advance(SOON)
    assert [call[:2] for call in reactor.tcpClients] == [("::1", 81), ("127.0.0.1", 81)]
