"""A whole proxy in memory: clients and servers are objects of the test, time passes when the test says so.

    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()          # the connection that the proxy has just made
        server.hears(GET)
        server.says(OK)
        client.hears(OK)

What lies between is the real thing: `ProxySite`, `ProxyChannel`, the tree, gates, `Forward`, `Pool`,
`ProxyClientFactory`, `UpstreamConnection`. Only the transports and the endpoints are fakes: see `tests.support.ends`.

At the end of each play everybody goes home, and nothing may be left: no connection, no exchange in flight, no deadline,
no request without its record, and nothing in the log that is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from proxy.alarm import TICK_SECONDS, Alarm
from proxy.downstream.admission import Admission
from proxy.downstream.site import ProxySite
from proxy.errors import ROUTE_NONE, ProxyError
from proxy.gates.chain import Gate, Proceed
from proxy.message import Deadlines, Exchange
from proxy.message.deadlines import DEFAULT
from proxy.observe import ExchangeRecord
from proxy.policy.forwarding import ForwardingPolicy
from proxy.resources.forward import Forward
from proxy.resources.tree import RouteNode
from proxy.upstream.dial import Address
from proxy.upstream.factory import ProxyClientFactory, ServerPlan
from proxy.upstream.pool import Pool, PoolPlan
from tests.support.ends import End, FakeEndpoint

#: What both sides say most.
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

CLIENT_HOST = "192.0.2.7"


class Script:
    """What may be asked of a play before it begins; every part has a default."""

    def __init__(
        self,
        servers: int = 1,
        *,
        target: Proceed | None = None,
        gates: Sequence[Gate] = (),
        deadlines: Deadlines = DEFAULT,
        body_limit: int = 0,
        upgrades: Sequence[bytes] = (),
        own_host: bool = False,
        forwarding: ForwardingPolicy | None = None,
        pool: Mapping[str, Any] | None = None,
        server: Mapping[str, Any] | None = None,
        site: Mapping[str, Any] | None = None,
    ) -> None:
        self.servers = servers
        self.target = target
        self.gates = gates
        self.deadlines = deadlines
        self.body_limit = body_limit
        self.upgrades = upgrades
        self.own_host = own_host
        self.forwarding = forwarding or ForwardingPolicy(request_id=b"")
        self.pool = pool or {}
        self.server = server or {}
        self.site = site or {}


@implementer(ILogObserver)
class Play:
    """One proxy: a site whose one route (every path but /nowhere) leads to one pool, or to `Script.target`.

    @ivar clock: all the time there is.
    @ivar node: the route that everything takes.
    @ivar records: what the observers have seen, in order.
    @ivar errors: what was logged as an error; a test that expects some takes them away.
    @ivar endpoints: one for each server of the pool.
    """

    def __init__(self, script: Script) -> None:
        self.clock = Clock()
        self.alarm = Alarm(self.clock, self.clock.seconds)
        self.records: list[ExchangeRecord] = []
        self.exchanges = 0
        self._server_ends: list[End] = []
        self.endpoints = [FakeEndpoint(self.clock, self._server_ends.append) for _ in range(script.servers)]
        self.servers = [
            ProxyClientFactory(
                ServerPlan(
                    f"s{number}",
                    Address("198.51.100.1", 9000 + number),
                    authority=b"198.51.100.1:%d" % (9000 + number),
                    **script.server,
                ),
                endpoint,
                self.alarm,
            )
            for number, endpoint in enumerate(self.endpoints, 1)
        ]
        self.pool = Pool("pool", self.servers, self.alarm, PoolPlan(**script.pool), random=Random(1))
        target = script.target or Forward(
            self.pool, script.forwarding, own_host=script.own_host, upgrades=script.upgrades
        )
        self.node = RouteNode("route", target, script.gates, script.deadlines, script.body_limit)
        self.site = ProxySite(
            self,
            self.alarm,
            Admission(script.forwarding, lambda: b"id-1"),  # type: ignore[arg-type] # whatever makes an id
            self.clock,
            observers=[self],
            deadlines=script.deadlines,
            name="play",
            **script.site,
        )
        self._clients: list[End] = []
        self._met = 0
        self.errors: list[LogEvent] = []

    # --- what the site asks of it -------------------------------------------------------------------------

    def resource_for(self, exchange: Exchange) -> RouteNode:
        """The root of the tree: one route."""
        self.exchanges += 1
        if exchange.path == b"/nowhere":
            raise ProxyError(ROUTE_NONE, "nowhere")
        return self.node

    def observe(self, record: ExchangeRecord) -> None:
        self.records.append(record)

    # --- what the test asks of it -------------------------------------------------------------------------

    def client(self) -> End:
        """Somebody connects."""
        address = IPv4Address("TCP", CLIENT_HOST, 50000 + len(self._clients))
        end = End(self.clock, address)
        self._clients.append(end)
        end.joins(self.site.buildProtocol(address))
        self.turn()
        return end

    def server(self) -> End:
        """The next connection that the proxy has made, in the order in which it made them."""
        assert len(self._server_ends) > self._met, "the proxy has made no other connection"
        self._met += 1
        return self._server_ends[self._met - 1]

    def no_server(self) -> None:
        """The proxy has made no connection that the test does not know."""
        assert len(self._server_ends) == self._met

    @property
    def endpoint(self) -> FakeEndpoint:
        """That of the only server."""
        [endpoint] = self.endpoints
        return endpoint

    @property
    def record(self) -> ExchangeRecord:
        """Of the only exchange."""
        [record] = self.records
        return record

    @property
    def reasons(self) -> list[str]:
        return [record.reason for record in self.records]

    @property
    def in_flight(self) -> int:
        return sum(server.in_flight for server in self.servers)

    def turn(self) -> None:
        """Whatever is due happens."""
        self.clock.advance(0)

    def wait(self, seconds: float) -> None:
        """Time passes: a quarter of a tick at a time, or in a thousand steps where that would take long."""
        steps = min(max(int(seconds / TICK_SECONDS * 4), 1), 1000)
        self.clock.pump([seconds / steps] * steps)

    def __call__(self, event: LogEvent) -> None:
        """Something was logged."""
        if event.get("isError") or event.get("log_failure") is not None:
            self.errors.append(event)

    def curtain(self) -> None:
        """Everybody leaves; then nothing may be left."""
        for client in self._clients:
            client.leaves()
        self.turn()
        assert self.in_flight == 0, f"still in flight: {self.servers!r}"
        self.pool.close()
        self.wait(60.0)
        assert not self.site.channels, f"still there: {self.site.channels!r}"
        left = [end for end in self._server_ends if end.closed is None]
        assert not left, f"connections to servers that nobody closed: {left!r}"
        self.clock.advance(1e6)
        assert not self.clock.getDelayedCalls(), f"somebody still waits: {self.alarm!r}"
        assert len(self.records) >= self.exchanges, "an exchange that nobody has a record of"
        assert not self.errors, self.errors


@contextmanager
def playing(servers: int = 1, **asked: Any) -> Iterator[Play]:
    """A play; see `Script` for what may be asked. A test that ends well ends with `Play.curtain`."""
    play = Play(Script(servers, **asked))
    globalLogPublisher.addObserver(play)
    try:
        yield play
        play.curtain()
    finally:
        globalLogPublisher.removeObserver(play)
