"""One upstream: a named pool of servers, and the queue of those who wait for one."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from random import Random
from typing import Any, NamedTuple, Protocol
from weakref import WeakSet

from twisted.logger import Logger

from proxy import limits
from proxy.alarm import Alarm
from proxy.balance.catalog import tiers
from proxy.balance.key import KeyRule
from proxy.balance.tiers import Tiers
from proxy.balance.view import Stickiness
from proxy.errors import (
    CIRCUIT_OPEN,
    CONNECT_TIMEOUT,
    NAME_UNRESOLVED,
    NO_SERVER,
    QUEUE_FULL,
    QUEUE_TIMEOUT,
    ProxyError,
    Retry,
)
from proxy.flow.race import within
from proxy.health.breaker import Breaker
from proxy.health.change import Change
from proxy.health.ejection import Company
from proxy.message import Exchange
from proxy.policy.answer import come_again
from proxy.policy.retry import DEFAULT, RetryPolicy, budget_admits
from proxy.upstream.connection import UpstreamConnection
from proxy.upstream.factory import Attendant, ProxyClientFactory
from proxy.upstream.owner import Alone
from proxy.upstream.queue import Queue
from proxy.upstream.state import PoolState

log = Logger()


class Lease(NamedTuple):
    """A connection in the hands of one exchange, and the server it leads to."""

    connection: UpstreamConnection
    server: ProxyClientFactory


class PoolPlan(NamedTuple):
    """What the configuration says about an upstream, its servers aside.

    @ivar queue: how many exchanges may wait; 0 refuses at once.
    @ivar queue_seconds: how long one waits at most.
    @ivar key: what requests are hashed by, where they are.
    @ivar connect_seconds: how long its servers' endpoints take at most. Exchanges that wait less see to it themselves.
    """

    queue: int = limits.UPSTREAM_QUEUE
    queue_seconds: float = limits.QUEUE_SECONDS
    retry: RetryPolicy = DEFAULT
    key: KeyRule | None = None
    connect_seconds: float = limits.CONNECT_SECONDS


class Guide(Attendant, Protocol):
    """Keeps the servers of a pool in step with names."""

    def serve(self, pool: Pool) -> None:
        """Do it for this pool from now on."""

    def seconds_left(self) -> float:
        """Until one of the names that do not resolve is looked up again; 0.0 where that may be at any moment."""


class Pool:
    """The servers behind one name.

    An exchange asks for a lease: a server is chosen, then an idle connection of it taken or a new one made. While every
    healthy server has as many exchanges as it may, exchanges wait in order. Whatever makes room lets in as many as fit,
    at once: so nobody waits while there is room, and who comes later and finds room overtakes nobody.

    @ivar servers: replaced as a whole when one comes or goes, so that balancers notice.
    @ivar guarded: it has a breaker, sticky clients or a total deadline.
    @ivar hedges: an attempt is bounded in time or hedged.
    @ivar retrying: exchanges that are being tried once more at this moment.
    @ivar roster: keeps the servers in step with names, where there are any.
    @ivar expecting: a name is being looked up for the first time: who finds no server waits for it.
    @ivar unresolved: what is wrong with names that do not resolve, else "".
    @ivar leaves: it is taken away: its servers end what is under way and what waits.
    """

    def __init__(
        self,
        name: str,
        servers: Sequence[ProxyClientFactory],
        alarm: Alarm,
        plan: PoolPlan = PoolPlan(),  # noqa: B008 - immutable
        choice: Tiers[ProxyClientFactory] | None = None,
        sticky: Stickiness[ProxyClientFactory] | None = None,
        breaker: Breaker | None = None,
        random: Random | None = None,
    ) -> None:
        self.name = name
        self.plan = plan
        self.servers: tuple[ProxyClientFactory, ...] = ()
        self.sticky = sticky
        self.breaker = breaker
        self.retrying = 0
        self.roster: Guide | None = None
        self.expecting = False
        self.unresolved = ""
        self.leaves = False
        self._started = False
        self._gone: WeakSet[ProxyClientFactory] = WeakSet()  # what is under way keeps them
        self.alarm = alarm
        self._choice: Tiers[ProxyClientFactory] = choice if choice is not None else tiers()
        self._random = random if random is not None else Random()
        self._queue = Queue(alarm)
        self._settle()
        self.replace(servers)

    def _settle(self) -> None:
        """Know once, not for each request, what the pool asks of those who use it."""
        retry = self.plan.retry
        self.guarded = self.breaker is not None or self.sticky is not None or retry.total > 0
        self.hedges = bool(retry.hedge_after or retry.per_try)

    def start(self) -> None:
        """Begin to watch the servers, and to look up their names; again does nothing."""
        if self._started:
            return
        self._started = True
        for server in self.servers:
            server.start()
        if self.roster is not None:
            self.roster.start()

    def replace(self, servers: Sequence[ProxyClientFactory]) -> None:
        """From now on these are the servers. Those that are not among them any more take nothing new and drain. What
        was drained by hand stays so, also where another server takes its place under its name."""
        before = set(self.servers)
        drained = {server.name for server in before if server.condition.drained}
        self.servers = tuple(servers)
        for server in before.difference(self.servers):
            server.close()
            self._gone.add(server)
        for server in self.servers:
            if server not in before:
                server.owner = self
                if server.name in drained:
                    server.drain()
                if self._started:
                    server.start()
        self._let_in()  # or let them learn that there is no server any more

    def become(self, new: Pool) -> None:
        """Be what `new` is, a pool of the same name that was built beside this one and not started.

        Servers that are the same but for their numbers stay: their connections, their health, what was learned of them.
        """
        if self.roster is not None:
            self.roster.stop()
        self.plan, self.sticky, self.breaker, self._choice = new.plan, new.sticky, new.breaker, new._choice
        self._settle()
        self.roster, self.unresolved = new.roster, ""
        if self.roster is not None:
            self.roster.serve(self)  # the present servers serve until its names are known
            self.roster.start()
        else:
            self.replace(self.keep(new.servers))
        for server in new.servers:  # those that were not needed: `new` and they hold each other
            if server.owner is new:
                server.owner = Alone()
                server.close()

    def keep(self, made: Sequence[ProxyClientFactory]) -> list[ProxyClientFactory]:
        """Servers for this pool: those of `made`, but where it has the same one already that one, with the numbers of
        the other. New ones among others that are busy already start slowly."""
        standing = {server.name: server for server in self.servers}
        kept = []
        for server in made:
            present = standing.get(server.name)
            if present is None or present.plan.identity != server.plan.identity:
                if standing:
                    server.condition.since = self.alarm.now()
                kept.append(server)
            else:
                if present is not server:
                    present.become(server)
                kept.append(present)
        return kept

    # --- a connection for an exchange ---------------------------------------------------------------------

    async def lease(
        self, exchange: Exchange, tried: list[ProxyClientFactory], server: ProxyClientFactory | None = None
    ) -> Lease:
        """A connection for `exchange`, to a server that it has not tried yet if there is one.

        What needs no waiting is done without a coroutine of its own: see `Forward._attempt`.

        @param tried: those that failed it; the one that is tried now is added.
        @param server: what `choose` said, where it was asked.
        @raise ProxyError: no server, no room, no time, or the server could not be reached.
        """
        if server is None:
            server = self.choose(exchange, tried) or await self._wait_for(exchange, tried)
        # After a failure only a new connection will do: what killed one idle connection has mostly killed them all.
        connection = None if tried else server.take_idle()
        tried.append(server)
        if connection is None:
            exchange.record.server = server.name  # named already, in case it cannot be reached
            try:
                connection = await self._dial(server, exchange.deadlines.connect)
            except ProxyError as error:
                server.failed(error)
                raise
        return Lease(connection, server)

    def _dial(self, server: ProxyClientFactory, seconds: float) -> Coroutine[Any, None, UpstreamConnection]:
        """A new connection, within the time of one exchange."""
        if seconds >= self.plan.connect_seconds:
            return server.dial()
        why = f"{server.plan.address}: no connection in {seconds:g} s"
        return within(self.alarm, seconds, server.dial(), lambda: ProxyError(CONNECT_TIMEOUT, why, Retry.UNSENT))

    def choose(self, exchange: Exchange, tried: Sequence[ProxyClientFactory]) -> ProxyClientFactory | None:
        """A server that has room; None while all that are healthy are full.

        @raise ProxyError: there is none, however long anybody waits.
        """
        sticky = self.sticky
        if sticky is not None:
            server = sticky.find(exchange.head.fields, self.servers, tried, self.alarm.now())
            if server is not None:
                return server
        rule = self.plan.key
        key = rule.key(exchange.head, exchange.path, exchange.client) if rule is not None else None
        server = self._choice.choose(self.servers, key, self.alarm.now(), self._random, tried)
        if server is None and not any(server.condition.usable and server.weight for server in self.servers):
            self._refuse_if_nobody()
        return server

    def _refuse_if_nobody(self) -> None:
        """No server could take a request, however long it waits; unless it is one that is being looked up."""
        if self.expecting:
            return
        if self._choice.may_panic and any(server.weight and server.room for server in self.servers):
            return  # they are full, and would be used
        if not self.servers and self.unresolved:
            seconds = self.roster.seconds_left() if self.roster is not None else 0.0
            raise ProxyError(NAME_UNRESOLVED, f"upstream {self.name}: {self.unresolved}", fields=come_again(seconds))
        raise ProxyError(NO_SERVER, f"upstream {self.name}: {self._why_none()}")

    def _why_none(self) -> str:
        if not self.servers:
            return "it has no server now"
        return "; ".join(f"{server.name} {server.condition.word}" for server in self.servers[:8])

    async def _wait_for(self, exchange: Exchange, tried: Sequence[ProxyClientFactory]) -> ProxyClientFactory:
        """A server that has room, as soon as there is one."""
        plan = self.plan
        if plan.queue_seconds <= 0:
            raise ProxyError(QUEUE_TIMEOUT)
        if len(self._queue.waiting) >= plan.queue:
            raise ProxyError(QUEUE_FULL, f"{len(self._queue.waiting)} wait for upstream {self.name}")
        return await self._queue.wait(exchange, tried, plan.queue_seconds)

    def _let_in(self) -> None:
        """Look whether there is room for those who wait."""
        self._queue.let_in(self.choose)

    def has_another(self, tried: Sequence[ProxyClientFactory]) -> bool:
        """Whether a server is left that could take the request and has not been tried; in a panic, whatever its
        health."""
        panic = self._choice.may_panic
        return any(
            (server.available or (panic and server.has_room)) and server.weight and server not in tried
            for server in self.servers
        )

    def may_retry_now(self) -> bool:
        """Whether the budget has room for one more retry."""
        active = sum(server.in_flight for server in self.servers)
        return budget_admits(active, self.retrying, self.plan.retry)

    # --- the breaker --------------------------------------------------------------------------------------

    def admit(self) -> bool:
        """Ask the breaker.

        @return: whether the exchange passes on trial; to be given back to `ended`.
        @raise ProxyError: the circuit is open.
        """
        breaker = self.breaker
        if breaker is None:
            return False
        now = self.alarm.now()
        admission = breaker.admit(now)
        self._tell_circuit(admission.change)
        if not admission.admitted:
            raise ProxyError(CIRCUIT_OPEN, f"upstream {self.name}", fields=come_again(breaker.seconds_left(now)))
        return admission.trial

    def ended(self, passed: bool | None, trial: bool) -> None:
        """An exchange that was admitted is over; `passed` is None where nobody can say."""
        if self.breaker is not None:
            self._tell_circuit(self.breaker.ended(self.alarm.now(), passed, trial))

    def broke_off(self) -> None:
        if self.breaker is not None:
            self._tell_circuit(self.breaker.take_back(self.alarm.now()))

    def _tell_circuit(self, change: Change | None) -> None:
        if change is not None:
            log.warn("upstream {name}: circuit {change}", name=self.name, change=str(change))

    # --- told by the servers ------------------------------------------------------------------------------

    def freed(self, server: ProxyClientFactory) -> None:
        if self._queue.waiting and server.weight and (server.available or self._choice.may_panic):
            self._let_in()

    def changed(self, server: ProxyClientFactory, changes: list[Change]) -> None:
        tell = log.info if server.condition.usable else log.warn
        for change in changes:
            tell("upstream {name}: server {server} {change}", name=self.name, server=server.name, change=str(change))

    def reweighed(self, server: ProxyClientFactory) -> None:
        self.servers = (*self.servers,)  # another object, so that balancers notice
        self.freed(server)

    def company(self, server: ProxyClientFactory) -> Company:
        others = [other for other in self.servers if other is not server]
        ejections = [other.condition.ejection for other in others]
        return Company(
            len(self.servers),
            sum(ejection is not None and ejection.ejected for ejection in ejections),
            sum(other.condition.usable and other.weight > 0 for other in others),
        )

    # --- the end ------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """Nobody comes any more but those who are on their way here: look up no names and probe no server for them."""
        self.leaves = True
        if self.roster is not None:
            self.roster.stop()
        for server in self.servers:
            server.unwatch()

    @property
    def in_use(self) -> bool:
        """Whether an exchange is at one of its servers, those that are gone included, or waits for one."""
        return bool(self._queue.waiting) or any(server.in_flight for server in (*self.servers, *self._gone))

    def close(self) -> None:
        """No new exchanges."""
        if self.roster is not None:
            self.roster.stop()
        for server in self.servers:
            server.close()

    def state(self) -> PoolState:
        """What it looks like now."""
        circuit = "" if self.breaker is None else self.breaker.state.value
        gone = sorted((server for server in self._gone if server.in_flight), key=lambda server: server.name)
        servers = tuple(server.state() for server in (*self.servers, *gone))
        if self.leaves:
            servers = tuple(server._replace(state="draining", why="its upstream is taken out") for server in servers)
        waiting = len(self._queue.waiting)
        return PoolState(self.name, servers, waiting, self.retrying, circuit, self.unresolved, self.leaves)

    def __repr__(self) -> str:
        return f"<Pool {self.name} {list(self.servers)!r} {len(self._queue.waiting)} waiting>"
