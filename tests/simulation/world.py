"""One world: the real house in the middle, scripted peers around it, and time that jumps to what comes next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import implementer

from proxy.alarm import NEVER, Alarm
from proxy.balance.catalog import tiers
from proxy.config.routes import Route
from proxy.downstream.admission import Admission
from proxy.downstream.site import ProxySite
from proxy.health.agent import Agent, Report
from proxy.health.breaker import Breaker, BreakerPolicy
from proxy.health.change import Change
from proxy.health.condition import Condition
from proxy.health.ejection import Ejection, EjectionPolicy
from proxy.health.threshold import Threshold
from proxy.message import BodySource, Deadlines, Exchange, Peer, RequestHead
from proxy.policy.forwarding import ForwardingPolicy
from proxy.policy.request_id import RequestIds
from proxy.resources.forward import Forward
from proxy.resources.tree import Root, RouteNode
from proxy.routing import build
from proxy.upstream.dial import Address
from proxy.upstream.factory import ProxyClientFactory, ServerPlan
from proxy.upstream.pool import Pool, PoolPlan
from proxy.upstream.prober import ProbePlan, Prober
from tests.simulation.clients import Ask, ClientScript, ScriptedClient
from tests.simulation.invariants import Judge
from tests.simulation.network import End, Line, connect
from tests.simulation.servers import ScriptedServer, ServerScript

#: Short, so that a world is soon over.
DEADLINES = Deadlines(2.0, 2.0, 2.0, 3.0, 1.0, 2.0, 2.0, 5.0)
#: After so many seconds every deadline has passed, and every connection is closed.
QUIET_SECONDS = 250.0

#: When all is over every server is healed, and somebody asks once more, this much later: long enough for ejections
#: and open circuits to end.
HEALING_SECONDS = 8.0
EPILOGUE = ClientScript(tuple(Ask(number) for number in range(9001, 9005)))


class Setting(NamedTuple):
    """All that a world is made of: a value, so that the same setting makes the same world.

    @ivar seed: of what is drawn while the world runs: how bytes are cut, which answer comes next.
    @ivar connections: exchanges at one server at once.
    @ivar removed: when which server (by its place) leaves the pool, in seconds.
    @ivar drained: when the site is drained; 0 for never.
    @ivar hands: from when to when which server (by its place) is drained by hand.
    @ivar reports: when the agent of which server says what; there are no agents where there are none.
    """

    servers: tuple[ServerScript, ...]
    clients: tuple[ClientScript, ...]
    seed: int = 0
    line: Line = Line()
    plan: PoolPlan = PoolPlan()
    balance: str = "round_robin"
    slow_start: float = 0.0
    panic: float | None = None
    connections: int = 0
    idle_connections: int = 8
    idle_seconds: float = 1.0
    connect_seconds: float = 1.0
    ejection: EjectionPolicy | None = EjectionPolicy()
    probe: ProbePlan | None = None
    breaker: BreakerPolicy | None = None
    deadlines: Deadlines = DEADLINES
    removed: tuple[tuple[float, int], ...] = ()
    drained: float = 0.0
    hands: tuple[tuple[float, float, int], ...] = ()
    reports: tuple[tuple[float, int, Report], ...] = ()


class Channels(dict[Any, None]):
    """What a site keeps its channels in, but in their order: a set's depends on where objects lie in memory."""

    def add(self, channel: Any) -> None:
        self[channel] = None

    def discard(self, channel: Any) -> None:
        self.pop(channel, None)


class WatchedPool(Pool):
    """A pool whose judge looks on."""

    judge: Judge
    _retrying = 0

    @property
    def retrying(self) -> int:
        return self._retrying

    @retrying.setter
    def retrying(self, count: int) -> None:
        if count:
            self.judge.retrying(self._retrying, count)
        self._retrying = count

    @property
    def waiting(self) -> list[Exchange]:
        """Those in the queue, in order."""
        return [waiting.exchange for waiting in self._queue.waiting]

    def choose(self, exchange: Exchange, tried: Sequence[ProxyClientFactory]) -> ProxyClientFactory | None:
        server = super().choose(exchange, tried)
        if server is not None and self._queue.waiting:
            self.judge.chosen(exchange, self.waiting)
        return server

    def changed(self, server: ProxyClientFactory, changes: list[Change]) -> None:
        super().changed(server, changes)
        self.judge.changed(changes)


class WatchedSite(ProxySite):
    """A site whose judge counts."""

    judge: Judge

    def open_exchange(self, head: RequestHead, body: BodySource, peer: Peer, interim: Any) -> Exchange:
        exchange = super().open_exchange(head, body, peer, interim)
        self.judge.began(exchange)
        return exchange


@implementer(ILogObserver)
class World:
    """Runs one setting.

    @ivar timeline: what happened, as (seconds, who, what), if somebody wants to read it.
    """

    def __init__(self, setting: Setting, telling: bool = False) -> None:
        self.setting = setting
        self.line = setting.line
        self.clock = Clock()
        self.clock.advance(1000.0)  # no deadline is near zero, where 0.0 has a meaning
        self.began = self.clock.seconds()
        self.timeline: list[tuple[float, str, str]] = []
        self.near_ends: list[End] = []
        self.far_ends: list[End] = []
        self.address = IPv4Address("TCP", "192.0.2.1", 80)
        self._telling = telling
        self._links = 0
        self.judge = Judge(self, EPILOGUE.asks)
        self.alarm = Alarm(self.clock, self.clock.seconds)
        self._build_house()
        self.clients = [ScriptedClient(self, f"client {place}", script) for place, script in enumerate(setting.clients)]

    def _build_house(self) -> None:
        """As `proxy.assemble` does it."""
        setting = self.setting
        self.servers = [
            ScriptedServer(self, script, Random(f"{setting.seed} server {script.name}")) for script in setting.servers
        ]
        self.all_servers = tuple(map(self._server, self.servers))
        self.pool = WatchedPool(
            "u",
            self.all_servers,
            self.alarm,
            setting.plan,
            tiers(setting.balance, slow_start=setting.slow_start, panic=setting.panic),
            breaker=Breaker(setting.breaker) if setting.breaker is not None else None,
            random=Random(f"{setting.seed} pool"),
        )
        self.pool.judge = self.judge
        self.probers = [
            Prober(server, setting.probe, scripted, self.alarm, Random(f"{setting.seed} probes {server.name}"))
            for server, scripted in zip(self.all_servers, self.servers, strict=True)
            if setting.probe is not None
        ]
        forwarding = ForwardingPolicy()
        router = build([Route.model_validate({"path": "/", "upstream": "u"})])
        node = RouteNode("r", Forward(self.pool, forwarding), deadlines=setting.deadlines)
        admission = Admission(forwarding, RequestIds(Random(setting.seed)))
        self.site = WatchedSite(
            Root(router, [node]), self.alarm, admission, self.clock, [self.judge], setting.deadlines
        )
        self.site.judge = self.judge
        self.site.channels = Channels()  # type: ignore[assignment] # as good as a set here

    def _server(self, scripted: ScriptedServer) -> ProxyClientFactory:
        setting, script = self.setting, scripted.script
        plan = ServerPlan(
            script.name,
            Address("192.0.2.9", 80),
            weight=script.weight,
            priority=script.priority,
            connections=setting.connections,
            idle_connections=setting.idle_connections,
            idle_seconds=setting.idle_seconds,
        )
        condition = Condition(
            Threshold() if setting.probe is not None else None,
            Ejection(setting.ejection) if setting.ejection is not None else None,
            Agent() if setting.reports else None,
        )
        return ProxyClientFactory(plan, scripted, self.alarm, condition)

    # --- asked by the peers -------------------------------------------------------------------------------

    def connection(self, name: str) -> tuple[End, End]:
        """The two ends of a new connection."""
        self._links += 1
        self.tell("the network", f"connection {self._links} {name}")
        random = Random(f"{self.setting.seed} connection {self._links}")
        return connect(self.clock, self.line, random, self.address, self.address)

    def watch_far(self, end: End) -> None:
        """One of ours to a server."""
        self.far_ends.append(end)
        self._watch(end)

    def _watch(self, end: End) -> None:
        def read(data: bytes) -> None:
            if not data and end.connected:
                self.judge.proxy_has_read(end.protocol)

        end.watch = read

    def tell(self, who: str, what: str) -> None:
        if self._telling:
            self.timeline.append((self.clock.seconds() - self.began, who, what))

    # --- running ------------------------------------------------------------------------------------------

    def run(self) -> Judge:
        """From the first connection until nothing moves any more."""
        setting = self.setting
        for client, script in zip(self.clients, setting.clients, strict=True):
            self.clock.callLater(script.start, self._connect, client)
        for at, place in setting.removed:
            self.clock.callLater(at, self._remove, self.all_servers[place])
        for since, until, place in setting.hands:
            self.clock.callLater(since, self._take_out, self.all_servers[place], True)
            self.clock.callLater(until, self._take_out, self.all_servers[place], False)
        for at, place, report in setting.reports:
            self.clock.callLater(at, self._report, self.all_servers[place], report)
        if setting.drained:
            self.clock.callLater(setting.drained, self._drain)
        for prober in self.probers:
            prober.start()
        globalLogPublisher.addObserver(self)
        try:
            self._run()
        finally:
            globalLogPublisher.removeObserver(self)
        return self.judge

    def _run(self) -> None:
        clock, judge = self.clock, self.judge
        until, gone = self.began + QUIET_SECONDS, 0
        while clock.calls and clock.seconds() < until and not judge.offences:
            clock.advance(max(0.0, clock.calls[0].getTime() - clock.seconds()))
            judge.look()
            if gone < 2 and all(client.gone for client in self.clients):
                (self._heal, self._retire)[gone]()
                gone += 1
        if judge.offences:
            return
        if clock.calls:
            judge.broken(f"{QUIET_SECONDS:g} s later this is still to come: {clock.calls!r}")
        judge.look_at_the_end()
        for owner in self._watched():
            judge.broken(f"{owner!r} still has a deadline")

    def _heal(self) -> None:
        """Everybody has been served, somehow. Is the house still able to serve somebody well?"""
        for server in self.servers:
            server.healed = True
        self.clients.append(ScriptedClient(self, "epilogue", EPILOGUE))
        self.clock.callLater(HEALING_SECONDS, self._connect, self.clients[-1])

    def _retire(self) -> None:
        """Everybody has been served. In half of all worlds the pool is closed, in the others it grows old."""
        self.tell("the world", "all clients are gone")
        for prober in self.probers:
            prober.stop()
        if self.setting.seed % 2:
            self.pool.close()

    def _watched(self) -> Iterator[Any]:
        slots = getattr(self.alarm, "_slots")  # noqa: B009 - private: nobody else may know what it waits for
        for owners in slots.values():
            yield from (owner for owner in owners if owner.deadline != NEVER)

    def _connect(self, client: ScriptedClient) -> None:
        far, near = self.connection(f"from {client.name}")
        near.protocol = self.site.buildProtocol(self.address)
        far.protocol = client
        self.near_ends.append(near)
        self._watch(near)
        near.protocol.makeConnection(near)
        client.makeConnection(far)

    def _remove(self, server: ProxyClientFactory) -> None:
        self.tell("the operator", f"removes {server.name}")
        self.pool.replace([other for other in self.pool.servers if other is not server])

    def _take_out(self, server: ProxyClientFactory, out: bool) -> None:
        self.tell("the operator", f"{'takes out' if out else 'puts back'} {server.name}")
        server.drain(out)

    def _report(self, server: ProxyClientFactory, report: Report) -> None:
        self.tell(f"agent of {server.name}", repr(report))
        server.reported(report)

    def _drain(self) -> None:
        self.tell("the operator", "drains the site")
        self.site.drain(lambda: self.tell("the site", "is empty"))

    def __call__(self, event: LogEvent) -> None:
        """As an observer of the log."""
        level = event.get("log_level", LogLevel.info)
        if "log_failure" in event or event.get("isError") or level >= LogLevel.error:
            self.judge.failure(event)
        elif self._telling:
            self.tell("the house", formatEvent(event))
