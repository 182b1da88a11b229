"""One server of an upstream, and every connection to it."""

from __future__ import annotations

from math import ceil, inf
from typing import NamedTuple
from typing import Protocol as Interface

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import ClientFactory

from proxy import limits
from proxy.alarm import NEVER, Alarm
from proxy.errors import ProxyError
from proxy.health.agent import Report
from proxy.health.change import Change
from proxy.health.condition import Condition
from proxy.health.idle import IdleTimeout
from proxy.health.latency import PeakEwma
from proxy.upstream.connection import UpstreamConnection
from proxy.upstream.dial import Address, dial_error
from proxy.upstream.owner import Alone, Owner
from proxy.upstream.state import ServerState
from proxy.wire import ResponseLimits

RESPONSE_LIMITS = ResponseLimits()


class ServerPlan(NamedTuple):
    """What the configuration says about one server.

    @ivar name: unique in its upstream, stable over restarts.
    @ivar authority: its own name, for Host where the client's is not kept.
    @ivar weight: its share of the load; 0 takes nothing new.
    @ivar weight_unit: what a weight of 1 in the configuration is here: an agent speaks of hundredths.
    @ivar priority: 0 is used first; backups have more.
    @ivar connections: how many exchanges it may have at once; 0 is no limit.
    @ivar connect_seconds: how long its endpoint tries to connect.
    @ivar idle_seconds: how long an idle connection is kept at first; what is learned changes it.
    @ivar idle_max_seconds: how long one is kept at most.
    @ivar watch: how it is reached and watched, in words that are only compared.
    """

    name: str
    address: Address
    authority: bytes = b""
    weight: int = 1
    weight_unit: int = 1
    priority: int = 0
    connections: int = limits.UPSTREAM_CONNECTIONS
    idle_connections: int = limits.UPSTREAM_IDLE_CONNECTIONS
    idle_seconds: float = limits.UPSTREAM_IDLE_SECONDS
    idle_max_seconds: float = limits.UPSTREAM_IDLE_MAX_SECONDS
    response_limits: ResponseLimits = RESPONSE_LIMITS
    watch: str = ""
    connect_seconds: float = 0.0

    @property
    def identity(self) -> ServerPlan:
        """The plan less its numbers: while this is the same it is the same server, whatever changes about it."""
        return self._replace(
            weight=1, weight_unit=1, priority=0, connections=0, idle_connections=0,
            idle_seconds=0.0, idle_max_seconds=0.0, connect_seconds=0.0,
        )  # fmt: skip


class Attendant(Interface):
    """Somebody who works for a server or a pool, in the background, between its start and its end."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """Do nothing any more."""


class ProxyClientFactory(ClientFactory):
    """Makes connections to one server, keeps the idle ones, counts what is under way, and knows how the server is.

    It is a `proxy.balance.view.ServerView`: balancers choose among these objects themselves.

    Idle connections are a stack: the one used last is used next, so that in quiet times the others grow old and close
    by themselves. A connection is closed by us before the server would do it, as far as that can be learned.

    @param endpoint: connects to the server.
    @ivar in_flight: exchanges that hold a connection or wait for one to be made.
    @ivar room: for so many exchanges at once; 0 once it closes, and while somebody has taken it out.
    @ivar attendants: ask the server, or others, how it is.
    """

    noisy = False

    def __init__(
        self,
        plan: ServerPlan,
        endpoint: IStreamClientEndpoint,
        alarm: Alarm,
        condition: Condition | None = None,
    ) -> None:
        self.plan = plan
        self.name = plan.name
        self.weight = self._weight = plan.weight
        self.priority = plan.priority
        self.authority = plan.authority
        self.condition = condition if condition is not None else Condition()
        self.now = alarm.now
        self.in_flight = 0
        self.requests = 0
        self.failures = 0
        self.owner: Owner = Alone()
        self.attendants: tuple[Attendant, ...] = ()
        self.room = self._cap = plan.connections or inf
        self.last_change = ""
        self.deadline = self.look_at = NEVER
        self._endpoint = endpoint
        self._alarm = alarm
        self._latency = PeakEwma()
        self._idle_timeout = IdleTimeout(plan.idle_seconds, plan.idle_max_seconds)
        self._idle: list[UpstreamConnection] = []
        self._closing = False

    # --- doors --------------------------------------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> UpstreamConnection:
        return UpstreamConnection(self, self._alarm, self.plan.response_limits)

    # --- seen by balancers --------------------------------------------------------------------------------

    @property
    def available(self) -> bool:
        """Whether it may be given one more exchange."""
        return self.in_flight < self.room and self.condition.usable

    @property
    def has_room(self) -> bool:
        """Whether it could take one more, whatever its health."""
        return self.in_flight < self.room

    @property
    def since(self) -> float:
        return self.condition.since

    def latency(self, now: float) -> float:
        return self._latency.at(now)

    # --- asked by the pool --------------------------------------------------------------------------------

    def take_idle(self) -> UpstreamConnection | None:
        """A connection that waits for work, counted as in flight from now on; None if there is none."""
        if not self._idle:
            return None
        self.in_flight += 1
        self.requests += 1
        connection = self._idle.pop()
        connection.leased = True
        return connection

    async def dial(self) -> UpstreamConnection:
        """A new connection, counted as in flight from the start.

        @raise ProxyError: it cannot be had; nothing was sent.
        """
        self.in_flight += 1
        self.requests += 1
        try:
            made = await self._endpoint.connect(self)
        except (CancelledError, ConnectingCancelledError) as cancelled:  # Twisted's endpoints raise the second
            self._free()
            if isinstance(cancelled.__cause__, ProxyError):
                raise cancelled.__cause__ from None  # it knows whether the server is to blame
            raise
        except Exception as error:
            self._free()
            raise dial_error(error, self.plan.address) from error
        assert isinstance(made, UpstreamConnection)
        return made

    # --- told by the exchanges ----------------------------------------------------------------------------

    def answered(self, sent_at: float) -> None:
        """A request that was sent at `sent_at` was answered, with something that does not speak against the server."""
        now = self.now()
        self._latency.observe(now - sent_at, now)
        self.condition.passed(now)

    def failed(self, error: ProxyError) -> None:
        """A request failed. Only what is the server's doing counts against it."""
        if error.of_server:
            self.refused(str(error))

    def refused(self, why: str) -> None:
        """The server says, or shows, that it does not work."""
        self.failures += 1
        self._note(self.condition.failed(self.now(), why, self.owner.company(self)))
        ejection = self.condition.ejection
        if ejection is not None and ejection.ejected and self.deadline == NEVER:
            self._alarm.set(self, ejection.until - self.now())

    def probed(self, passed: bool, why: str) -> None:
        """A probe has ended."""
        self._note(self.condition.probed(passed, why, self.now()))

    def reported(self, report: Report) -> None:
        """Its agent has spoken."""
        changes = self.condition.reported(report, self.now())
        if report.connections is not None:
            self._cap = report.connections or self.plan.connections or inf
        self._make_room()
        self._note(changes)
        self.owner.freed(self)
        self._weigh()

    def drain(self, drained: bool = True) -> None:
        """Take it out by hand, until it is put back: it gets no new exchange, not even of clients that stick to it;
        what is under way ends as it began. It is still asked how it is."""
        changes = self.condition.drain(drained, self.now())
        self._make_room()
        if drained:
            self._close_idle()
        self._note(changes)

    def _make_room(self) -> None:
        self.room = 0 if self._closing or self.condition.withdrawn else self._cap

    def place(self, weight: int, priority: int) -> None:
        """Its place among the others is this one, as the records of its name say."""
        self._weight, self.priority = weight, priority
        self._weigh()

    def _weigh(self) -> None:
        agent = self.condition.agent
        weight = self._weight if agent is None else ceil(self._weight * agent.weight)
        if weight != self.weight:
            self.weight = weight
            self.owner.reweighed(self)

    def time_passed(self) -> None:
        """An ejection may be over."""
        self._note(self.condition.restore(self.now()))
        ejection = self.condition.ejection
        if ejection is not None and ejection.ejected:
            self._alarm.set(self, max(ejection.until - self.now(), 0.01))

    def _note(self, changes: list[Change]) -> None:
        if changes:
            self.last_change = str(changes[-1])
            self.owner.changed(self, changes)
            self.owner.freed(self)

    # --- told by the connections --------------------------------------------------------------------------

    def released(self, connection: UpstreamConnection) -> None:
        seconds = self._idle_timeout.for_connection(connection.announced_idle)
        if not seconds or not self.room or not self.plan.idle_connections:
            connection.close()  # `gone` follows
            return
        connection.leased = False
        if len(self._idle) >= self.plan.idle_connections:
            # Answers that come in one turn of the loop give back all their connections before the next requests take
            # them: closing at once what is too many would mean a new connection for every other request.
            seconds = min(seconds, limits.UPSTREAM_SURPLUS_SECONDS)
        connection.wait_idle(seconds)
        self._idle.append(connection)
        self._free()

    def broke_off(self, error: ProxyError) -> None:
        """What had counted as an answer when its head came is none, if that is the server's doing."""
        if error.of_server:
            self.condition.take_back()
            self.refused(str(error))
            self.owner.broke_off()

    def gone(self, connection: UpstreamConnection) -> None:
        """It can carry no more exchanges: told as soon as that is known, and again when the socket is closed."""
        if connection.leased:
            connection.leased = False
            self._free()
        elif connection in self._idle:
            self._idle.remove(connection)

    def closed_while_idle(self, seconds: float) -> None:
        """The server closed a connection that had been idle for `seconds`."""
        self._idle_timeout.closed_by_server(seconds, self.now())

    def outlasted(self, seconds: float) -> None:
        """A connection was still good after `seconds` of idleness."""
        self._idle_timeout.outlasted(seconds, self.now())

    def _free(self) -> None:
        self.in_flight -= 1
        self.owner.freed(self)

    # --- beginning and end --------------------------------------------------------------------------------

    def become(self, new: ProxyClientFactory) -> None:
        """Have the numbers of `new`, whose identity is the same and which nobody has used. What is known and under way
        stays, so that one server never has more to do than it may: what is too much ends first."""
        before, plan = self.plan, new.plan
        self.plan = plan
        if plan.connect_seconds != before.connect_seconds:
            self._endpoint = new._endpoint  # else that one stays: it may know sessions of TLS
        if (plan.idle_seconds, plan.idle_max_seconds) != (before.idle_seconds, before.idle_max_seconds):
            self._idle_timeout = new._idle_timeout
        self.condition.become(new.condition, self.now())
        agent = self.condition.agent
        self._cap = (agent.connections if agent is not None else 0) or plan.connections or inf
        self._make_room()
        for connection in self._idle[: max(len(self._idle) - plan.idle_connections, 0)]:
            connection.close()
        self.place(plan.weight, plan.priority)
        self.owner.freed(self)

    def start(self) -> None:
        """The server is to be used from now on."""
        for attendant in self.attendants:
            attendant.start()

    def unwatch(self) -> None:
        """Nobody asks how it is any more."""
        for attendant in self.attendants:
            attendant.stop()

    def close(self) -> None:
        """No new exchanges; idle connections close now, the others when they are released."""
        self._closing = True
        self._make_room()
        self.unwatch()
        self.attendants = ()  # they hold this one
        self._alarm.forget(self)
        self._close_idle()

    def _close_idle(self) -> None:
        for connection in tuple(self._idle):
            connection.close()

    def state(self) -> ServerState:
        """What it looks like now."""
        condition = self.condition
        drains = self._closing or not self.weight or (condition.drained and self.in_flight)
        return ServerState(
            self.name,
            str(self.plan.address),
            "draining" if drains else condition.word,
            self._why(),
            self.weight / self.plan.weight_unit,
            self.priority,
            self.in_flight,
            len(self._idle),
            round(self._latency.seconds * 1000, 3),
            self.requests,
            self.failures,
            None if condition.probed_at is None else round(self.now() - condition.probed_at, 1),
        )

    def _why(self) -> str:
        """The words behind its state."""
        if self._closing:
            return "taken out"
        condition = self.condition
        if not self.weight and condition.usable:
            return condition.agent.why if condition.agent is not None and self._weight else "weight 0"
        return condition.why or self.last_change

    def __repr__(self) -> str:
        return (
            f"<ProxyClientFactory {self.name} {self.condition.word}, {self.in_flight} in flight, "
            f"{len(self._idle)} idle>"
        )
