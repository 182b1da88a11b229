"""From the wishes for upstreams to pools: the part of the assembly that looks outward."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from random import Random
from types import MappingProxyType
from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint

from proxy.alarm import Alarm
from proxy.balance.catalog import HASH, tiers
from proxy.balance.key import KeyRule, parse_rule
from proxy.balance.session import LearnedSessions, NamedSessions
from proxy.balance.sticky import SameSite, StickyCookie, derive_key
from proxy.balance.tiers import Tiers
from proxy.balance.view import Stickiness
from proxy.config import Config
from proxy.config.address import Address as ServerAddress
from proxy.config.balancing import Sticky
from proxy.config.health import AgentWish, Health
from proxy.config.retrying import Retries
from proxy.config.tls import UpstreamTls
from proxy.config.upstreams import Server, Upstream
from proxy.health.agent import Agent
from proxy.health.breaker import Breaker, BreakerPolicy
from proxy.health.condition import Condition
from proxy.health.ejection import Ejection, EjectionPolicy
from proxy.health.probe import Expectation
from proxy.health.threshold import Health as Belief
from proxy.health.threshold import Threshold
from proxy.policy.resolution import Question, ResolutionPolicy, Target
from proxy.policy.retry import RetryPolicy
from proxy.tls.client import ClientPlan, ClientTls, TlsEndpoint
from proxy.upstream.agent_check import AgentCheck, AgentPlan
from proxy.upstream.dial import Address, endpoint_for
from proxy.upstream.factory import Attendant, ProxyClientFactory, ServerPlan
from proxy.upstream.names import Resolver, system_resolver
from proxy.upstream.pool import Pool, PoolPlan
from proxy.upstream.prober import ProbePlan, Prober
from proxy.upstream.roster import Named, Roster


class PoolBuilder:
    """Builds the pool of an upstream: its servers, those who probe them, and those who look up their names.

    @param demo_addresses: where the demo servers listen, if the configuration has any.
    @param resolver: of names; the machine's own by default, made when the first name needs it.
    @param standing: TLS to servers as it stands: kept, with its sessions, where it is still what is wished for.
    @ivar client_tls: TLS to servers.
    """

    def __init__(
        self,
        config: Config,
        reactor: Any,
        alarm: Alarm,
        demo_addresses: Sequence[Address],
        resolver: Resolver | None = None,
        standing: Mapping[ClientPlan, ClientTls] = MappingProxyType({}),
    ) -> None:
        self._config = config
        self._reactor = reactor
        self._alarm = alarm
        self._demo_addresses = demo_addresses
        self._given_resolver = resolver
        self._random = Random(os.urandom(16))
        wanted = {client_plan(wish.tls) for wish in config.upstreams.values()}
        self.client_tls = {plan: tls for plan, tls in standing.items() if plan in wanted}
        self._connect = connect_seconds(config)

    @cached_property
    def _resolver(self) -> Resolver:
        wish = self._config.resolver
        return self._given_resolver or system_resolver(self._reactor, wish.servers, wish.hosts)

    def build(self, name: str, wish: Upstream, standing: Pool | None = None) -> Pool:
        """The pool called `name`; nothing of it is started.

        @param standing: the pool that is to become this one: its servers stay, wherever they are what is asked for.
        """
        connect = self._connect[name]
        wish = wish.model_copy(update={"timeouts": wish.timeouts.model_copy(update={"connect": connect})})
        if any(server.url.secure for server in wish.servers):
            self._tls_of(wish)  # whose files can be told of before the first name is known
        entries = [self._entry(server, wish, standing) for server in wish.servers]
        pool = Pool(
            name,
            [entry for entry in entries if isinstance(entry, ProxyClientFactory)],
            self._alarm,
            PoolPlan(
                wish.queue.size, wish.queue.wait, retry_policy(wish.retries), key_rule(wish.balance.hash), connect
            ),
            choice_of(wish),
            stickiness(name, wish.sticky) if wish.sticky is not None else None,
            breaker_of(wish),
            self._random,
        )
        if any(isinstance(entry, Named) for entry in entries):
            times = self._config.resolver
            policy = ResolutionPolicy(times.min_ttl, times.max_ttl, times.timeout)
            pool.roster = Roster(pool, entries, self._resolver, self._alarm, policy)
        return pool

    def keeps(self, standing: Pool, before: Config) -> bool:
        """Whether a pool may stay as it is."""
        name, after = standing.name, self._config
        return (
            before.upstreams[name] == after.upstreams[name]
            and standing.plan.connect_seconds == self._connect[name]
            and before.resolver == after.resolver
        )

    def _entry(self, server: Server, upstream: Upstream, standing: Pool | None) -> ProxyClientFactory | Named:
        """What stands for one line of `servers`: a server, or a name for as many as it resolves to."""
        url, weight = server.url, server.weight * weight_unit(upstream)
        if not url.is_name:
            return self._server(server.label, server, upstream, self._address(url), weight, server.rank)

        def make(target: Target) -> ProxyClientFactory:
            address = Address(target.host, target.port, other=target.other)
            label = f"{server.name or url.host}@{address}"
            made = self._server(label, server, upstream, address, target.weight, target.rank)
            return made if standing is None else standing.keep([made])[0]

        return Named(Question(url.host, url.port, url.kind == "srv"), make, weight, server.rank)

    def _server(
        self, label: str, wish: Server, upstream: Upstream, address: Address, weight: int, rank: int
    ) -> ProxyClientFactory:
        connect = upstream.timeouts.connect
        assert connect is not None  # see `build`
        plan = ServerPlan(
            label,
            address,
            authority=wish.url.authority,
            weight=weight,
            priority=rank,
            connections=upstream.connections,
            idle_connections=upstream.idle_connections,
            idle_seconds=upstream.idle,
            idle_max_seconds=upstream.idle_max,
            weight_unit=weight_unit(upstream),
            watch=repr((upstream.health, upstream.agent, wish.url.secure, upstream.tls)),
            connect_seconds=connect,
        )
        endpoint = self._endpoint(wish, upstream, address, connect)
        server = ProxyClientFactory(plan, endpoint, self._alarm, condition_of(upstream))
        server.attendants = tuple(self._attendants(server, wish, upstream))
        return server

    def _attendants(self, server: ProxyClientFactory, wish: Server, upstream: Upstream) -> Iterator[Attendant]:
        """Those who ask the server, or the agent beside it, how it is."""
        address, health, agent = server.plan.address, upstream.health, upstream.agent
        if health is not None:
            asked = address._replace(port=health.port) if health.port is not None and not address.path else address
            endpoint = self._endpoint(wish, upstream, asked, health.timeout)
            yield Prober(server, probe_plan(health), endpoint, self._alarm, self._random)
        if agent is not None and not address.path:
            endpoint = endpoint_for(self._reactor, address._replace(port=agent.port), agent.timeout)
            yield AgentCheck(server, agent_plan(agent), endpoint, self._alarm, self._random)

    def _endpoint(self, wish: Server, upstream: Upstream, address: Address, seconds: float) -> IStreamClientEndpoint:
        """What connects to `address` within `seconds`, TLS included where it is spoken there."""
        endpoint = endpoint_for(self._reactor, address, seconds)
        if not wish.url.secure:
            return endpoint
        return TlsEndpoint(endpoint, self._tls_of(upstream), wish.url.server_name, self._alarm, seconds)

    def _tls_of(self, upstream: Upstream) -> ClientTls:
        plan = client_plan(upstream.tls)
        tls = self.client_tls.get(plan)
        if tls is None:
            tls = self.client_tls[plan] = ClientTls(plan)
        return tls

    def _address(self, address: ServerAddress) -> Address:
        if address.kind == "demo":
            return self._demo_addresses[address.port - 1]
        return Address(address.host, address.port, address.path)


def connect_seconds(config: Config) -> dict[str, float]:
    """How long a connection to a server of each upstream may take: as long as the most patient of its routes waits,
    since the connections are for all of them."""
    longest = {name: config.timeouts.overlaid(wish.timeouts).connect for name, wish in config.upstreams.items()}
    for route in config.routes:
        if route.timeouts.connect is not None:
            for name in route.upstreams:
                longest[name] = max(longest[name], route.timeouts.connect)
    return longest


def successor(new: Pool, standing: Pool, before: Config, after: Config) -> Pool:
    """`new`, with all that the standing pool has learned and that has not changed: a circuit stays open, cookies stay
    good although their key was made up, names stay known although no name server may answer just now."""
    old_wish, wish = before.upstreams[new.name], after.upstreams[new.name]
    if wish.breaker == old_wish.breaker:
        new.breaker = standing.breaker
    if wish.sticky == old_wish.sticky:
        new.sticky = standing.sticky
    alike = new.plan.connect_seconds == standing.plan.connect_seconds
    if new.roster is not None and alike and same_servers(before, after, new.name):
        new.roster, new.expecting = standing.roster, standing.expecting
    return new


# Keys of an upstream that say nothing about its servers one by one.
_OF_THE_POOL = {"balance", "slow_start", "panic", "sticky", "breaker", "queue", "retries", "host"}


def same_servers(old: Config, new: Config, name: str) -> bool:
    """Whether each server of an upstream is what it was, however the upstream uses them."""
    kept = new.upstreams[name].model_copy(update={key: getattr(old.upstreams[name], key) for key in _OF_THE_POOL})
    return kept == old.upstreams[name] and old.resolver == new.resolver


def client_plan(wish: UpstreamTls | None) -> ClientPlan:
    """Whom servers have to show to be."""
    if wish is None:
        return ClientPlan()
    files = (wish.ca or "", wish.crl or "", wish.cert or "", wish.key or "")
    return ClientPlan(*files, name=wish.name or "", san=wish.san, verify=wish.verify)


def tls_of_upstreams(config: Config, known: Mapping[ClientPlan, ClientTls]) -> Iterator[tuple[str, ClientTls]]:
    """The upstreams that TLS is spoken to, each with its own of `known`."""
    for name, wish in config.upstreams.items():
        tls = known.get(client_plan(wish.tls))
        if tls is not None and any(server.url.secure for server in wish.servers):
            yield name, tls


def choice_of(wish: Upstream) -> Tiers[ProxyClientFactory]:
    """How servers are chosen."""
    balance = wish.balance
    algorithm = balance.algorithm or HASH
    return tiers(algorithm, slow_start=wish.slow_start, load_factor=balance.load_factor or 0.0, panic=wish.panic)


def key_rule(text: str | None) -> KeyRule | None:
    """What is hashed, if anything is."""
    return None if text is None else parse_rule(text)


def retry_policy(wish: Retries) -> RetryPolicy:
    """How often, and for what."""
    return RetryPolicy(
        wish.count,
        wish.statuses,
        wish.any_method,
        share=wish.budget,
        minimum=wish.min,
        per_try=wish.per_try,
        total=wish.total,
        hedge_after=wish.hedge_after,
    )


def condition_of(wish: Upstream) -> Condition:
    """The health of a server of which nothing is known yet."""
    threshold = ejection = None
    if wish.health is not None:
        threshold = Threshold(wish.health.rise, wish.health.fall, Belief(wish.health.initial))
    if wish.ejection is not None:
        out = wish.ejection
        ejection = Ejection(EjectionPolicy(out.failures, out.first, out.longest, out.share))
    return Condition(threshold, ejection, Agent() if wish.agent is not None else None)


def weight_unit(wish: Upstream) -> int:
    """What a weight of 1 is: agents speak of percent, and half of 1 has to be a whole number."""
    return 1 if wish.agent is None else 100


def agent_plan(wish: AgentWish) -> AgentPlan:
    """How agents are asked."""
    return AgentPlan((wish.send or "").encode("utf-8"), wish.interval, wish.timeout)


def breaker_of(wish: Upstream) -> Breaker | None:
    """The circuit breaker, if there is to be one."""
    if wish.breaker is None:
        return None
    given = wish.breaker
    return Breaker(BreakerPolicy(given.ratio, given.minimum, given.window, given.open, given.trials))


def probe_plan(wish: Health) -> ProbePlan:
    """How servers are asked."""
    expected = tuple((name.lower(), pattern) for name, pattern in wish.expect_headers.items())
    return ProbePlan(
        wish.path or b"",
        wish.method.encode("ascii"),
        wish.host or b"",
        tuple(wish.headers.items()),
        Expectation(wish.status, wish.body, expected),
        wish.interval,
        wish.timeout,
    )


def stickiness(upstream: str, wish: Sticky) -> Stickiness[ProxyClientFactory]:
    """What keeps the clients of an upstream with their servers."""
    name = wish.name.encode("ascii")
    if wish.learn is not None:
        return LearnedSessions(name, wish.size, wish.idle)
    if wish.route is not None:
        return NamedSessions(name)
    return sticky_cookie(upstream, wish, name)


def sticky_cookie(upstream: str, wish: Sticky, name: bytes) -> StickyCookie[ProxyClientFactory]:
    """The cookie of an upstream. Where no key is given, one that ends with this process."""
    return StickyCookie(
        derive_key(os.urandom(32) if wish.key is None else wish.key.encode("utf-8")),
        upstream,
        name,
        path=wish.path.encode("ascii"),
        max_age=int(wish.max_age) or None,
        secure=None if wish.secure == "auto" else wish.secure,
        http_only=wish.http_only,
        same_site=SameSite(wish.same_site.capitalize()),
    )
