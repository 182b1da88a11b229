"""The way of one request through everything that judges it, up to where somebody else would have to be asked.

`explain` and route tests both send requests on it, so neither says anything that a real one would not meet.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Any, NamedTuple

from proxy.assemble.house import House, Targets, forwarding_policy, node_of
from proxy.config import Config, Loaded
from proxy.config.gates import Gate as GateWish
from proxy.config.model import Listener
from proxy.downstream.admission import Admission
from proxy.downstream.request_body import RequestBody
from proxy.errors import ProxyError
from proxy.explain.handshake import Met, is_ordered, keyrings_of, meet
from proxy.explain.question import Entrance, Question, entrance, read
from proxy.flow.walk import Walk
from proxy.gates.chain import Gate, Proceed, compose
from proxy.message import EMPTY, Exchange, Fields, Peer, RequestHead, Response, ResponseHead
from proxy.observe import ExchangeRecord
from proxy.policy.answer import answer
from proxy.policy.request_id import RequestIds
from proxy.resources.secure import HttpsRedirect
from proxy.resources.tree import Root, RouteNode
from proxy.routing import Route, Router
from proxy.tls.guard import host_name
from proxy.tls.keyring import Keyring
from proxy.tls.listening import response_fields
from proxy.tls.pairs import Pairs
from proxy.tls.reach import guard_of
from proxy.wire import RequestLimits

# The targets whose answer is known without asking anybody.
_ANSWERS_ITSELF = ("redirect", "respond")


class Judges(NamedTuple):
    """Whoever has a say in what becomes of a request: those of a house, or of a configuration alone (`judges_of`).

    @ivar hosts: whom clients shake hands with, by the place of the listener, as far as that makes a difference.
    """

    loaded: Loaded
    admission: Admission
    root: Root
    hosts: Mapping[int, Keyring] = MappingProxyType({})


@dataclass(slots=True)
class Step:
    """One gate, and the request before and behind it; None where it did not let it through."""

    wish: GateWish
    number: int
    before: RequestHead
    after: RequestHead | None = None


class Admitted(NamedTuple):
    """What routes look at, in the order in which the router takes it."""

    host: bytes
    path: bytes
    method: bytes
    fields: Fields
    query: bytes
    client: str


@dataclass(slots=True)
class Journey:
    """How far a request came, and what became of it there.

    @ivar listener: what the configuration says about the listener that hears it; None where nobody listens for it.
    @ivar met: what the handshake has come to; None where there was none, or it made no difference.
    @ivar head: as it came; None where it is none.
    @ivar exchange: as it is at the end of the way.
    @ivar admitted: what the router was asked; None where it was not.
    @ivar route: the one that takes it.
    @ivar steps: the gates that it met.
    @ivar reached: whether it came to the target of its route.
    @ivar answer: what the client is told, where that is known.
    @ivar error: why it was refused.
    """

    question: Question
    entrance: Entrance
    listener: Listener | None
    met: Met | None = None
    head: RequestHead | None = None
    exchange: Exchange | None = None
    admitted: Admitted | None = None
    route: Route | None = None
    steps: list[Step] = field(default_factory=list)
    reached: bool = False
    answer: ResponseHead | None = None
    error: ProxyError | None = None

    @property
    def sent_away(self) -> bool:
        """Whether the listener redirects to https whatever comes."""
        return self.listener is not None and self.listener.redirect is not None and self.error is None


def judges_of(loaded: Loaded, router: Router, pairs: Pairs | None = None) -> Judges:
    """Those that a house of `loaded` would have, made without pools and sockets, and of files only those for hosts that
    ask clients for certificates.

    @param pairs: has what is in these, as far as they have been read.
    """
    config = loaded.require()
    hosts = keyrings_of(config, pairs)
    guard = guard_of(tuple(hosts.values()), router.entries)
    admission = Admission(forwarding_policy(config), RequestIds(Random(0)), guard)
    return Judges(loaded, admission, Root(router, _Nodes(config, router)), hosts)


def judges_in(house: House) -> Judges:
    """Those of a house that runs."""
    tls = [listener.site.tls for listener in house.listeners]
    hosts = {place: one.keyring for place, one in enumerate(tls) if one is not None}
    return Judges(house.loaded, house.admission, house.root, hosts)


class _Nodes(dict[int, RouteNode]):
    """A node for each route that is asked for: of thousands, tests ask for a few."""

    def __init__(self, config: Config, router: Router) -> None:
        super().__init__()
        self._config = config
        self._router = router

    def __missing__(self, place: int) -> RouteNode:
        node = self[place] = node_of(self._config, self._router.routes[place], _nothing)
        return node


def travel(judges: Judges, question: Question) -> Journey:
    """Send the request as far as it comes.

    @raise ValueError: it cannot be written as a request, or there is no such listener.
    """
    config = judges.loaded.require()
    way_in = entrance(config.listen, question)
    journey = Journey(question, way_in, None if way_in.place is None else config.listen[way_in.place])
    try:
        _go(judges, journey)
    except ProxyError as error:
        journey.error = error
        if error.reason.status:  # else there is no connection to answer on
            journey.answer, _ = answer(error, b"", None if journey.exchange is None else journey.exchange.head)
    if journey.answer is not None and journey.listener is not None:
        fields = journey.answer.fields
        more = [pair for pair in response_fields(journey.listener) if pair[0].lower() not in fields]
        journey.answer = journey.answer._replace(fields=fields.added(*more))
    return journey


def _go(judges: Judges, journey: Journey) -> None:
    """@raise ProxyError: the request is refused on the way; what is known until then is in `journey`."""
    config, question = judges.loaded.require(), journey.question
    sizes = RequestLimits(config.limits.head, config.limits.line, config.limits.fields)
    journey.head, length = read(question, sizes)
    body = RequestBody(_Nobody(), length) if length != 0 else None
    record = ExchangeRecord(0.0, 0.0)
    exchange = Exchange(journey.head, b"", body or EMPTY, Peer(question.client, 0), record, _no_interim)
    journey.exchange = exchange
    journey.met = _met(judges, journey, journey.head)
    redirects = journey.listener is not None and journey.listener.redirect is not None
    admission = judges.admission.unguarded() if redirects else judges.admission
    credentials = journey.met.credentials if journey.met is not None else None
    admission.admit(exchange, admission.forwarder(question.client, journey.entrance.scheme, credentials))
    if journey.listener is not None and journey.listener.redirect is not None:
        there = HttpsRedirect(journey.listener.redirect)
        journey.answer = _walked(there.resource_for(exchange).respond(exchange))
        return
    head = exchange.head
    query = head.target.partition(b"?")[2]
    journey.admitted = Admitted(head.host, exchange.path, head.method, head.fields, query, exchange.client)
    node = judges.root.resource_for(exchange)
    journey.route = exchange.route
    if body is not None:
        body.limit(node.body_limit)
    _through(judges, journey, exchange, node)


def _met(judges: Judges, journey: Journey, head: RequestHead) -> Met | None:
    """@raise ProxyError: the handshake is refused."""
    place, listener, question = journey.entrance.place, journey.listener, journey.question
    hosts = judges.hosts.get(place) if place is not None else None
    name = host_name(question.host or head.host)
    if hosts is None or listener is None or (hosts.known(name) is None and is_ordered(listener, name)):
        return None
    return meet(hosts, name, question.certificate)


def _through(judges: Judges, journey: Journey, exchange: Exchange, node: RouteNode) -> None:
    """Send the exchange through the gates, to a target that only looks, or one that answers by itself."""
    route: Route = exchange.route
    target: Proceed = _nothing
    known = route.wish.target in _ANSWERS_ITSELF
    if known:
        target = Targets(judges.loaded.require(), {}, judges.admission.forwarding).target(route.place, route.wish)

    async def look(exchange: Exchange) -> Response:
        journey.reached = True
        return await target(exchange)

    watched = [
        _watched(gate, Step(wish, number, exchange.head), journey.steps)
        for number, (gate, wish) in enumerate(zip(node.gates, route.wish.gates, strict=True))
    ]
    head = _walked(compose(watched, look)(exchange))
    journey.answer = head if known or not journey.reached else None


def _watched(gate: Gate, step: Step, steps: list[Step]) -> Gate:
    """`gate`, with what it does written down."""

    async def watched(exchange: Exchange, proceed: Proceed) -> Response:
        step.before = exchange.head
        steps.append(step)

        async def passed(exchange: Exchange) -> Response:
            step.after = exchange.head
            return await proceed(exchange)

        return await gate(exchange, passed)

    return watched


def _walked(way: Coroutine[Any, None, Response]) -> ResponseHead | None:
    """The head of what comes at the end of a coroutine; None where it waits for something.

    @raise ProxyError: it refuses.
    """
    done: list[Response] = []
    failed: list[BaseException] = []
    walk = Walk(way, done.append, failed.append)
    walk.start()
    if failed:
        raise failed[0]
    if not done:
        walk.cancel(RuntimeError("the gate waits for something"))
        return None
    return done[0].head


async def _nothing(exchange: Exchange) -> Response:
    """A target that is not asked."""
    return Response(ResponseHead(200, b"OK", Fields()))


class _Nobody:
    """Nobody sends the body."""

    def hold_body(self) -> None:
        """Nothing comes."""

    def release_body(self) -> None:
        """Nothing comes."""


def _no_interim(head: ResponseHead) -> None:
    """Nobody is connected."""
