"""The servers of a pool come and go with what its names stand for."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock

from proxy.alarm import Alarm
from proxy.errors import NAME_UNRESOLVED, QUEUE_TIMEOUT, ProxyError
from proxy.flow.walk import Walk
from proxy.message import EMPTY, Exchange, Fields, Peer, RequestHead
from proxy.observe import ExchangeRecord
from proxy.policy.resolution import Answer, Question, ResolutionPolicy, Target
from proxy.upstream.dial import Address
from proxy.upstream.factory import ProxyClientFactory, ServerPlan
from proxy.upstream.names import NameGoneError
from proxy.upstream.pool import Lease, Pool
from proxy.upstream.roster import Named, Roster
from tests.support.ends import End, FakeEndpoint
from tests.upstream.test_names import FakeResolver


def answer(*hosts: str, weight: int = 1) -> Answer:
    return Answer(tuple(Target(host, port=80, weight=weight) for host in hosts), 30.0)


class House:
    """A pool of one fixed server (unless `alone`) and one name, in this order."""

    def __init__(self, alone: bool = False) -> None:
        self.clock = Clock()
        self.alarm = Alarm(self.clock, self.clock.seconds)
        self.resolver = FakeResolver()
        self.ends: list[End] = []
        self.fixed = [] if alone else [self.make(Target("10.9.9.9", port=80))]
        named = Named(Question("api.test", 80), self.make, weight=2, rank=1)
        self.pool = Pool("pool", self.fixed, self.alarm)
        self.pool.roster = Roster(
            self.pool, [*self.fixed, named], self.resolver, self.alarm, ResolutionPolicy(5.0, 60.0, 2.0)
        )

    def make(self, target: Target) -> ProxyClientFactory:
        plan = ServerPlan(target.host, Address(target.host, target.port), weight=target.weight, priority=target.rank)
        return ProxyClientFactory(plan, FakeEndpoint(self.clock, self.ends.append), self.alarm)

    def learn(self, said: Answer | Exception) -> None:
        """The name is looked up, with this result."""
        self.resolver.says = said
        self.wait(61.0)

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.1] * int(seconds * 10))

    @property
    def names(self) -> list[str]:
        return [server.name for server in self.pool.servers]

    def ask(self) -> list[Any]:
        """Somebody wants a server; what comes of it appears in the list."""
        head = RequestHead(b"GET", b"/", b"a", 1, Fields())
        exchange = Exchange(head, b"/", EMPTY, Peer("192.0.2.1", 1), ExchangeRecord(0.0, 0.0), lambda head: None)
        came: list[Any] = []
        Walk(self.pool.lease(exchange, []), came.append, came.append).start()
        return came


@pytest.fixture
def house() -> House:
    return House()


def test_a_name_stands_where_it_is_written(house: House) -> None:
    house.resolver.says = answer("10.0.0.1", "10.0.0.2")
    house.pool.start()
    assert house.names == ["10.9.9.9", "10.0.0.1", "10.0.0.2"]
    assert [(server.weight, server.priority) for server in house.pool.servers] == [(1, 0), (2, 1), (2, 1)]


def test_a_change_touches_only_what_changed(house: House) -> None:
    house.resolver.says = answer("10.0.0.1", "10.0.0.2")
    house.pool.start()
    fixed, one, two = house.pool.servers
    house.learn(answer("10.0.0.2", "10.0.0.3"))
    assert house.names == ["10.9.9.9", "10.0.0.2", "10.0.0.3"]
    assert house.pool.servers[0] is fixed
    assert house.pool.servers[1] is two
    assert not one.has_room, "it drains"
    assert house.pool.servers[2].since > 0, "one that joins later starts slowly"
    assert fixed.since < 0


def test_weights_change_with_the_answer(house: House) -> None:
    house.resolver.says = answer("10.0.0.1")
    house.pool.start()
    before = house.pool.servers
    house.learn(answer("10.0.0.1", weight=5))
    assert house.pool.servers[1] is before[1]
    assert house.pool.servers[1].weight == 10
    assert house.pool.servers is not before, "balancers see by this that something changed"


def test_requests_wait_for_the_first_answer() -> None:
    house = House(alone=True)
    house.pool.start()
    came = house.ask()
    assert came == []
    assert house.resolver.open is not None
    house.resolver.open.callback(answer("10.0.0.1"))
    house.clock.advance(0)
    [lease] = came
    assert isinstance(lease, Lease)
    assert lease.server.name == "10.0.0.1"


def test_but_not_for_ever() -> None:
    house = House(alone=True)
    house.pool.start()
    came = house.ask()
    house.wait(1.9)
    assert came == []
    house.wait(0.4)
    [error] = came
    assert isinstance(error, ProxyError)
    assert error.reason is NAME_UNRESOLVED
    assert "no answer in 2 s" in error.detail


def test_a_name_that_does_not_resolve_is_a_503_until_it_does() -> None:
    house = House(alone=True)
    house.resolver.says = NameGoneError("there is no api.test")
    house.pool.start()
    [error] = house.ask()
    assert error.reason is NAME_UNRESOLVED
    assert error.reason.status == 503
    house.learn(answer("10.0.0.1"))
    came = house.ask()
    house.clock.advance(0)
    assert isinstance(came[0], Lease)


def test_a_name_that_does_not_resolve_is_in_the_picture_with_the_resolvers_words() -> None:
    house = House()
    house.resolver.says = NameGoneError("there is no api.test")
    house.pool.start()
    assert house.pool.state().unresolved == "there is no api.test"
    house.learn(answer("10.0.0.1"))
    assert house.pool.state().unresolved == ""


def test_who_is_refused_for_a_name_learns_when_it_is_looked_up_again() -> None:
    house = House(alone=True)
    house.resolver.says = NameGoneError("there is no api.test")
    house.pool.start()
    assert house.ask()[0].fields == ((b"Retry-After", b"1"),)
    house.wait(20.0)  # asked again after 1, 2, 4 and 8 s, then after 16
    [error] = house.ask()
    before, seconds = len(house.resolver.asked), int(error.fields[0][1])
    house.wait(seconds - 1.5)
    assert len(house.resolver.asked) == before
    house.wait(2.0)
    assert len(house.resolver.asked) == before + 1


def test_other_servers_go_on_without_the_name(house: House) -> None:
    house.resolver.says = NameGoneError("there is no api.test")
    house.pool.start()
    came = house.ask()
    house.clock.advance(0)
    assert isinstance(came[0], Lease)


def test_a_name_without_servers_any_more(house: House) -> None:
    house.resolver.says = answer("10.0.0.1")
    house.pool.start()
    house.resolver.says = NameGoneError("gone")
    house.wait(200.0)
    assert house.names == ["10.9.9.9"]


def test_a_closed_pool_asks_no_more(house: House) -> None:
    house.resolver.says = answer("10.0.0.1")
    house.pool.start()
    house.pool.close()
    house.wait(200.0)
    assert len(house.resolver.asked) == 1


def test_who_waits_for_room_keeps_the_deadline_when_servers_change(house: House) -> None:
    house.resolver.says = answer("10.0.0.1")
    house.pool.start()
    for server in house.pool.servers:
        server.in_flight = server.plan.connections
    came = house.ask()
    house.wait(3.0)
    house.pool.replace(tuple(house.pool.servers))
    assert came == []
    house.wait(2.3)
    [error] = came
    assert error.reason is QUEUE_TIMEOUT


def test_a_reload_while_the_name_server_fails_takes_nobody_away(house: House) -> None:
    house.resolver.says = answer("10.0.0.1")
    house.pool.start()
    standing = house.pool.servers
    new = House()
    new.resolver.says = OSError("the name server is away")
    house.pool.become(new.pool)
    new.wait(1.0)
    assert house.pool.servers == standing
    new.learn(answer("10.0.0.2"))
    assert house.names == ["10.9.9.9", "10.0.0.2"]
