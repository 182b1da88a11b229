"""From a configuration to every object of the running proxy, once, readable from top to bottom.

Each object gets its collaborators here and nowhere else. Nothing is started: see `proxy.service`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any, NamedTuple

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint

from proxy import limits
from proxy.acme.office import Office
from proxy.admin.access_log import AccessLog, no_access_log
from proxy.alarm import Alarm
from proxy.assemble.acme import office_of, ordered_plans
from proxy.assemble.apps import Apps, AssemblyError, Files, UnlistedFiles, applications, mount_point
from proxy.assemble.gates import flat, gates_of
from proxy.assemble.pools import PoolBuilder, key_rule, successor
from proxy.config import Config, Loaded
from proxy.config import routes as route_wishes
from proxy.config.bounds import Timeouts
from proxy.config.memory import collector_paused
from proxy.config.model import Listener as ListenerWish
from proxy.downstream.admission import Admission
from proxy.downstream.site import ProxySite
from proxy.gates.chain import Proceed
from proxy.message import Deadlines
from proxy.observe import Observer
from proxy.policy.forwarding import ForwardingPolicy
from proxy.policy.redirect import Redirect
from proxy.policy.request_id import RequestIds
from proxy.policy.trust import TrustedNetworks
from proxy.resources.answers import RedirectTo, Respond
from proxy.resources.challenged import Challenged
from proxy.resources.foreign import Mounted
from proxy.resources.forward import Forward
from proxy.resources.secure import HttpsRedirect
from proxy.resources.split import Branch, SplitForward
from proxy.resources.tree import Root, RouteNode
from proxy.routing import Route, build
from proxy.tls.certificates import CertificateError
from proxy.tls.client import ClientPlan, ClientTls
from proxy.tls.keyring import Keyring
from proxy.tls.listening import Ordered, response_fields, tls_server
from proxy.tls.pairs import Pairs
from proxy.tls.reach import guard_of
from proxy.tls.server import TlsServer
from proxy.upstream.dial import Address
from proxy.upstream.names import Resolver
from proxy.upstream.pool import Pool
from proxy.wire import RequestLimits


class Listener(NamedTuple):
    """An endpoint to listen on, as it was written, and the site that serves it."""

    description: str
    endpoint: IStreamServerEndpoint
    site: ProxySite


class House(NamedTuple):
    """Everything that runs.

    @ivar apps: what is mounted for `app:`, by its name and the path on which it is mounted.
    @ivar replaced: pools that stay under their names, each with what it is to become.
    @ivar office: who looks after the certificates that are ordered; None where none are.
    @ivar client_tls: what is spoken with servers.
    """

    loaded: Loaded
    alarm: Alarm
    admission: Admission
    root: Root
    listeners: tuple[Listener, ...]
    pools: dict[str, Pool]
    access_log: AccessLog | None
    apps: Apps
    replaced: tuple[tuple[Pool, Pool], ...] = ()
    keyrings: tuple[Keyring, ...] = ()
    office: Office | None = None
    client_tls: Mapping[ClientPlan, ClientTls] = MappingProxyType({})

    @property
    def config(self) -> Config:
        """What it was built from."""
        return self.loaded.require()

    def start(self) -> None:
        """Begin to watch the servers, and to look up their names."""
        for pool in self.pools.values():
            pool.start()
        for keyring in self.keyrings:
            keyring.start()
        if self.office is not None:
            self.office.start(self.keyrings)

    def succeed(self, standing: House) -> tuple[House, list[Pool]]:
        """Take over from the house that stood before: pools that changed become what they are to be. Those that did not
        change are the same objects in both houses, and are not touched.

        @return: this house with nothing more to replace, and the pools that are gone.
        """
        for pool, new in self.replaced:
            pool.expecting = new.expecting and not pool.servers
            pool.become(new)
        if standing.office is not None:
            standing.office.stop(self.office)
        self.start()
        for keyring in standing.keyrings:
            if keyring not in self.keyrings:
                keyring.stop()
        gone = [pool for name, pool in standing.pools.items() if name not in self.pools]
        return self._replace(replaced=()), gone

    def discard(self, standing: House) -> None:
        """Give back what was built for a house that is not to stand."""
        if self.access_log is not None and self.access_log is not standing.access_log:
            self.access_log.close()

    def retire(self) -> None:
        """Nobody comes in any more, no authority either: what is ordered cannot be proved, through nobody's fault."""
        if self.office is not None:
            self.office.stop()

    def close(self) -> None:
        """It is over."""
        self.retire()
        for pool in self.pools.values():
            pool.close()
        for keyring in self.keyrings:
            keyring.stop()
        if self.access_log is not None:
            self.access_log.close()


@collector_paused()
def assemble(
    loaded: Loaded,
    reactor: Any,
    demo_addresses: Sequence[Address] = (),
    standing: House | None = None,
    resolver: Resolver | None = None,
    apps: Apps | None = None,
    pairs: Pairs | None = None,
) -> House:
    """The house that `loaded` describes.

    With `standing` and `apps` it may be called in a thread: nothing that runs is changed.

    @param demo_addresses: where the demo servers listen, if the configuration has any.
    @param standing: the house that runs now, if one does: what has not changed is taken from it as it is.
    @param resolver: of servers' names; the machine's own by default.
    @param apps, pairs: what `applications` gave for this configuration, and what has been read of its certificates.
    @raise AssemblyError: an application cannot be imported, a file cannot be opened.
    """
    config = loaded.require()
    alarm = Alarm(reactor) if standing is None else standing.alarm
    client_tls = standing.client_tls if standing is not None else {}
    builder = PoolBuilder(config, reactor, alarm, demo_addresses, resolver, client_tls)

    # Judgement: who is believed, what is said about clients, which way requests go.
    forwarding = forwarding_policy(config)
    router = build(config.routes, loaded.position)

    # Outward: one pool for each upstream.
    pools: dict[str, Pool] = {}
    replaced: list[tuple[Pool, Pool]] = []
    for name, wish in config.upstreams.items():
        pool = None if standing is None else standing.pools.get(name)
        if standing is None or pool is None:
            pool = builder.build(name, wish)
        elif not builder.keeps(pool, standing.config):
            replaced.append((pool, successor(builder.build(name, wish, pool), pool, standing.config, config)))
        pools[name] = pool

    # The tree: one node for each route, in the order of the file, under one root.
    apps = applications(config, standing.apps if standing is not None else None) if apps is None else apps
    targets = Targets(config, pools, forwarding, apps)
    alike: dict[Deadlines, Deadlines] = {}  # of 10,000 routes hardly two differ in these
    nodes = [node_of(config, route, targets.target(route.place, route.wish), alike) for route in router.routes]
    root = Root(router, nodes)

    # Inward: one site for each listener, all with the same tree and the same log.
    office = office_of(config, reactor, alarm, standing.office if standing is not None else None)
    servers = [tls_of(config, listener, reactor, alarm, standing, office, pairs) for listener in config.listen]
    keyrings = tuple(server.keyring for server in servers if server is not None)
    admission = Admission(forwarding, RequestIds(Random(os.urandom(16))), guard_of(keyrings, router.entries))
    access_log = open_access_log(config, reactor, standing)  # after all else that may fail
    shared = SiteParts(root, alarm, admission, reactor, [access_log] if access_log is not None else [], office)
    listeners = tuple(
        Listener(
            listener.endpoint,
            serverFromString(reactor, listening(listener.endpoint)),
            site_of(config, listener, shared, server),
        )
        for listener, server in zip(config.listen, servers, strict=True)
    )
    fixed = (loaded, alarm, admission, root, listeners, pools, access_log, apps)
    return House(*fixed, tuple(replaced), keyrings, office, builder.client_tls)


def node_of(
    config: Config, route: Route, target: Proceed, alike: dict[Deadlines, Deadlines] | None = None
) -> RouteNode:
    """The node of one route.

    @param alike: deadlines of other nodes, to be shared.
    """
    deadlines = deadlines_of(config.timeouts_of(route.wish))
    if alike is not None:
        deadlines = alike.setdefault(deadlines, deadlines)
    gates = [gate for wish in route.wish.gates for gate in gates_of(wish)]
    return RouteNode(route.name, target, gates, deadlines, config.body_limit_of(route.wish))


class SiteParts(NamedTuple):
    """What the sites of all listeners have in common."""

    root: Root
    alarm: Alarm
    admission: Admission
    reactor: Any
    observers: Sequence[Observer]
    office: Office | None


def site_of(config: Config, listener: ListenerWish, shared: SiteParts, server: TlsServer | None) -> ProxySite:
    """The site of one listener. Without TLS, authorities come before everybody else."""
    resource: Any = shared.root if listener.redirect is None else HttpsRedirect(listener.redirect)
    if server is None and shared.office is not None:
        resource = Challenged(resource, shared.office.proofs.answer)
    return ProxySite(
        resource,
        shared.alarm,
        shared.admission if listener.redirect is None else shared.admission.unguarded(),
        shared.reactor,
        observers=shared.observers,
        deadlines=deadlines_of(config.timeouts),
        limits=RequestLimits(config.limits.head, config.limits.line, config.limits.fields),
        requests_per_connection=config.limits.requests_per_connection,
        name=listener.endpoint,
        tls=server,
        fields=response_fields(listener),
    )


def tls_of(
    config: Config, listener: ListenerWish, reactor: Any, alarm: Alarm, standing: House | None, office: Office | None,
    pairs: Pairs | None,
) -> TlsServer | None:
    """TLS for `listener`, if it is to have that."""
    known = {one.description: one.site.tls for one in (standing.listeners if standing is not None else ())}
    before = known.get(listener.endpoint)
    try:
        keyring = before.keyring if before is not None else None
        ordered = Ordered(ordered_plans(config, listener), office.proofs if office is not None else None)
        return tls_server(config, listener, alarm, keyring, reactor, ordered, pairs)
    except CertificateError as error:
        raise AssemblyError(("listen", config.listen.index(listener), "tls"), str(error)) from error


def listening(endpoint: str) -> str:
    """The endpoint description with a backlog that a busy proxy needs, where it does not name one."""
    if endpoint.startswith(("tcp:", "tcp6:", "unix:")) and "backlog=" not in endpoint:
        return f"{endpoint}:backlog={limits.LISTEN_BACKLOG}"
    return endpoint


def deadlines_of(wish: Timeouts) -> Deadlines:
    """The deadlines, as the data path reads them."""
    return Deadlines(**{name: getattr(wish, name) for name in Deadlines._fields})


def forwarding_policy(config: Config) -> ForwardingPolicy:
    """Who is believed, and what is said about clients. Our name in Via gets an ending of its own in every process, so
    that two proxies in a row with the same configuration are no loop."""
    wish = config.forwarded
    return ForwardingPolicy(
        TrustedNetworks(map(str, config.trusted_proxies)),
        forwarded=wish.forwarded,
        pseudonym=b"%b-%b" % (wish.via, os.urandom(4).hex().encode()) if wish.via else b"",
        request_id=wish.request_id or b"",
        underscores=wish.underscores == "allow",
    )


def open_access_log(config: Config, reactor: Any, standing: House | None) -> AccessLog | None:
    """The access log, if there is to be one; the one that is open, if it is the same."""
    if config.access_log is None:
        return None
    if standing is not None and standing.config.access_log == config.access_log:
        return standing.access_log
    try:
        return AccessLog(reactor, config.access_log)
    except OSError as error:
        raise AssemblyError(("access_log",), no_access_log(config.access_log, error)) from error


class Targets:
    """Builds what stands at the end of a route."""

    def __init__(
        self, config: Config, pools: dict[str, Pool], forwarding: ForwardingPolicy, apps: Apps | None = None
    ) -> None:
        self._config, self._pools = config, pools
        self._forwarding = forwarding
        self._apps = apps or {}
        self._forwards: dict[tuple[str, bool, frozenset[bytes]], Forward] = {}

    def target(self, place: int, route: route_wishes.Route) -> Proceed:
        """The target of the route at `place`."""
        # No table of methods in here: it would be a cycle, and keep each configuration for ever (see `reloading`).
        build: Callable[[int, Any, route_wishes.Route], Proceed] = getattr(self, f"_{route.target}")
        return build(place, getattr(route, route.target), route)

    def _upstream(self, place: int, name: str, route: route_wishes.Route) -> Forward:
        """Routes that want the same share one: of 10,000 routes hardly two differ in this."""
        own_host = self._config.upstreams[name].host == "upstream"
        key = name, own_host, frozenset(route.upgrade)
        if key not in self._forwards:
            self._forwards[key] = Forward(self._pools[name], self._forwarding, own_host, route.upgrade)
        return self._forwards[key]

    def _split(self, place: int, wish: route_wishes.Split, route: route_wishes.Route) -> Proceed:
        branches = [
            Branch(
                self._upstream(place, branch.upstream, route),
                branch.weight,
                deadlines_of(self._config.timeouts_of(route, branch.upstream)),
            )
            for branch in wish.branches
        ]
        return SplitForward(branches, Random(os.urandom(16)), key_rule(wish.by))

    def _redirect(self, place: int, wish: route_wishes.Redirect, route: route_wishes.Route) -> Proceed:
        return RedirectTo(Redirect(wish.to, wish.status, wish.keep_path, wish.keep_query))

    def _respond(self, place: int, wish: route_wishes.Respond, route: route_wishes.Route) -> Proceed:
        return Respond(wish.status, wish.body.encode(), flat(wish.headers))

    def _static(self, place: int, wish: route_wishes.Static, route: route_wishes.Route) -> Proceed:
        files = (Files if wish.listing else UnlistedFiles)(wish.root)
        files.indexNames = list(wish.index)
        return Mounted(files, mount_point(route))

    def _app(self, place: int, wish: route_wishes.Application, route: route_wishes.Route) -> Proceed:
        return Mounted(self._apps[wish.object, mount_point(route)], mount_point(route))
