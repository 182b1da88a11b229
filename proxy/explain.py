"""What would happen to a request, and why: the same admission, router, gates and pools as a real one meets, and no
connection anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from proxy.admin.in_force import bounds, deadlines, limits
from proxy.admin.origins import written
from proxy.assemble import House, Targets
from proxy.balance.key import parse_rule
from proxy.balance.split import Split
from proxy.config import Position
from proxy.config.gates import FieldChanges
from proxy.config.veil import Veil
from proxy.errors import ProxyError
from proxy.flow.walk import Walk
from proxy.gates.chain import Gate, Proceed, compose
from proxy.message import EMPTY, Exchange, Fields, Peer, RequestHead, Response, ResponseHead
from proxy.message.fields import Pair
from proxy.observe import ExchangeRecord
from proxy.policy.answer import answer
from proxy.policy.upgrade import permitted, protocols
from proxy.resources.tree import RouteNode
from proxy.routing import Route
from proxy.wire import RequestReader

# The targets whose answer is known without asking anybody.
_ANSWERS_ITSELF = ("redirect", "respond")


Look = Callable[[], list[dict[str, Any]]]


class Question(NamedTuple):
    """A request that somebody wants to know about.

    @ivar url: absolute, or a path.
    @ivar headers: lines, `Name: value`.
    @ivar client: the address that it comes from.
    """

    method: str
    url: str
    headers: tuple[str, ...] = ()
    client: str = "127.0.0.1"

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Question:
        """From JSON.

        @raise ValueError: it is no question.
        """
        try:
            headers = tuple(str(line) for line in said.get("headers", ()))
            return cls(str(said["method"]), str(said["url"]), headers, str(said.get("client", "127.0.0.1")))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"a question needs `method` and `url`: {error!r}") from error


def explain(house: House, question: Question) -> dict[str, Any]:
    """Everything that is decided about the request, as JSON values.

    @raise ValueError: it cannot be written as a request.
    """
    said, look = explain_shortly(house, question)
    if look is not None:
        said["routes"] = look()
    return said


def explain_shortly(house: House, question: Question) -> tuple[dict[str, Any], Look | None]:
    """The same, less the routes: of thousands that takes long enough for a thread of its own.

    @return: what is decided, and what tells every route with the reason against it; None where none was asked for.
    """
    look: Look | None = None
    veil = Veil(house.loaded.secrets, "\n".join((question.url, *question.headers)))
    said: dict[str, Any] = {"request": {"method": question.method, "url": question.url, "client": question.client}}
    try:
        head, scheme = read(question)
        exchange = Exchange(head, b"", EMPTY, Peer(question.client, 0), ExchangeRecord(0.0, 0.0), _no_interim)
        admission = house.admission
        admission.admit(exchange, admission.forwarder(question.client, scheme))
        said["request"] |= {"host": _text(head.host), "path": _text(exchange.path), "client": exchange.client}
        said["routes"], look = [], _look(house, exchange, veil)
        node = house.root.resource_for(exchange)
        _Journey(house, exchange, node, head, veil).tell(said)
    except ProxyError as error:
        refusal, _ = answer(error, b"", None)
        fields = [f"{_text(name)}: {_text(value)}" for name, value in refusal.fields]
        said["answer"] = {"status": refusal.status, "by": "the proxy", "fields": fields}
        said["answer"] |= {"reason": error.reason.code, "detail": error.detail}
    return {key: value if key == "request" else veil.through(value) for key, value in said.items()}, look


def read(question: Question) -> tuple[RequestHead, bytes]:
    """The head that the question's bytes would make on the wire, by the same parser.

    @raise ProxyError: they make none.
    @raise ValueError: they would be more, or less, than one request.
    """
    parts = urlsplit(question.url)
    target = question.url if not parts.netloc else (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{question.method} {target} HTTP/1.1"]
    if not any(line.lower().startswith("host:") for line in question.headers):
        lines.append(f"Host: {parts.netloc or 'localhost'}")
    lines += question.headers
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a request line and a field are one line each")
    reader = RequestReader()
    reader.feed("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))
    head = reader.next_event()
    if not isinstance(head, RequestHead):
        raise ValueError("this does not make a request")
    return head, b"https" if parts.scheme in ("https", "wss") else b"http"


def _look(house: House, exchange: Exchange, veil: Veil) -> Look:
    """Tells every route in the order in which they count, each rejected one with the first reason. Of the exchange it
    keeps what it is now: gates change it."""
    head = exchange.head
    query = head.target.partition(b"?")[2]
    request = head.host, exchange.path, head.method, head.fields, query, exchange.client
    router = house.root.router

    def shown(name: bytes | str, value: str) -> str:
        words: str = veil.over(value, veil.covers(name, "query"))
        return words

    def look() -> list[dict[str, Any]]:
        return [
            {
                "name": veil.within(route.name),
                "position": str(route.position),
                "rejected": None if reason is None else veil.within(reason),
            }
            for route, reason in router.explain(*request, shown)
        ]

    return look


class _Journey:
    """The way of one exchange through its route, looked at from all sides.

    @param asked: the head as it came: what the client said itself is no secret to whoever asks.
    """

    def __init__(self, house: House, exchange: Exchange, node: RouteNode, asked: RequestHead, veil: Veil) -> None:
        self._house = house
        self._exchange = exchange
        self._node = node
        self._route: Route = exchange.route
        self._asked = set(asked.fields.pairs)
        self._veil = veil

    def tell(self, said: dict[str, Any]) -> None:
        """Add to `said` what happens from the route on.

        @raise ProxyError: the exchange is refused on the way; what is known until then is there.
        """
        house, route = self._house, self._route
        position = house.loaded.position(("routes", route.place, route.wish.target))
        said["route"] = {"name": route.name, "position": str(route.position)}
        said["target"] = {"kind": route.wish.target, "position": str(position)}
        steps: list[dict[str, Any]] = []
        said["gates"] = steps
        response, reached = self._through(steps)
        names = self._upstreams() if reached else ()
        said["deadlines"] = deadlines(house.loaded, route.place, names[0] if len(names) == 1 else None)
        said["limits"] = limits(house.loaded, route.place)
        if response is not None:
            by = "the route" if reached else f"the gate {steps[-1]['gate']}"
            said["answer"] = {"status": response.status, "by": by, "fields": self._lines(response.fields.pairs)}
        elif not reached:
            by = f"the gate {steps[-1]['gate']}, once what it waits for is there"
            said["answer"] = {"status": None, "by": by, "fields": []}
        elif route.wish.upstreams:
            said |= self._forwarded(names)

    # --- gates --------------------------------------------------------------------------------------------

    def _through(self, steps: list[dict[str, Any]]) -> tuple[ResponseHead | None, bool]:
        """Send the exchange through the gates, to a target that only looks, or one that answers by itself.

        @param steps: gets each gate with what it did.
        @return: the head of the answer, if one is known, and whether the target was reached.
        """
        house, route = self._house, self._route
        watched = []
        positions = house.loaded.gate_positions(route.place)
        for gate, wish, position in zip(self._node.gates, route.wish.gates, positions, strict=True):
            step = {"gate": wish.kind, "position": str(position), "did": []}
            if wish.headers is not None:
                step["response"] = self._changes(wish.headers.response)
            watched.append(self._watched(gate, step, steps))
        reached: list[Exchange] = []
        known = route.wish.target in _ANSWERS_ITSELF
        forwarding = house.admission.forwarding
        target = Targets(house.config, house.pools, forwarding).target(route.place, route.wish) if known else _nothing

        async def look(exchange: Exchange) -> Response:
            reached.append(exchange)
            return await target(exchange)

        done: list[Response] = []
        failed: list[BaseException] = []
        walk = Walk(compose(watched, look)(self._exchange), done.append, failed.append)
        walk.start()
        if failed:
            raise failed[0]
        if not done:
            walk.cancel(RuntimeError("the gate waits for something"))
        return done[0].head if done and (known or not reached) else None, bool(reached)

    def _watched(self, gate: Gate, step: dict[str, Any], steps: list[dict[str, Any]]) -> Gate:
        """`gate`, with what it does written down."""

        async def watched(exchange: Exchange, proceed: Proceed) -> Response:
            before = exchange.head
            steps.append(step)

            async def passed(exchange: Exchange) -> Response:
                step["did"] = self._differences(before, exchange.head)
                return await proceed(exchange)

            return await gate(exchange, passed)

        return watched

    def _differences(self, before: RequestHead, after: RequestHead) -> list[str]:
        """What changed between two heads, in words."""
        said = []
        if before.target != after.target:
            said.append(f"target {_text(before.target)} -> {_text(after.target)}")
        old, new = before.fields.pairs, after.fields.pairs
        said += [f"- {line}" for line in self._lines([pair for pair in old if pair not in new])]
        said += [f"+ {line}" for line in self._lines([pair for pair in new if pair not in old])]
        return said

    def _changes(self, wish: FieldChanges) -> list[str]:
        """What a gate does to every response, in words."""
        said = [f"- {_text(name)}" for name in wish.remove]
        for mark, fields in (("=", wish.set), ("+", wish.add)):
            pairs = [(name, value) for name, values in fields.items() for value in values]
            said += [f"{mark} {line}" for line in self._lines(pairs)]
        return said

    # --- upstreams ----------------------------------------------------------------------------------------

    def _upstreams(self) -> tuple[str, ...]:
        """Where the exchange may go: one upstream, unless a split draws lots."""
        split = self._route.wish.split
        if split is None:
            return self._route.wish.upstreams
        chosen = self._chosen_branch()
        if chosen is not None:
            return (split.branches[chosen].upstream,)
        return tuple(dict.fromkeys(branch.upstream for branch in split.branches if branch.weight))

    def _chosen_branch(self) -> int | None:
        """Which branch of a split is certain, None where lots are drawn."""
        split = self._route.wish.split
        if split is None or split.by is None:
            return None
        exchange = self._exchange
        key = parse_rule(split.by).key(exchange.head, exchange.path, exchange.client)
        if key is None:
            return None
        return Split([branch.weight for branch in split.branches]).choose(key, _NO_LOTS)

    def _forwarded(self, names: tuple[str, ...]) -> dict[str, Any]:
        """The request as an upstream sees it, and the upstreams that may get it."""
        said: dict[str, Any] = {"upstream_request": self._upstream_request(names[0])}
        split = self._route.wish.split
        if split is not None:
            total = sum(branch.weight for branch in split.branches)
            chosen = self._chosen_branch()
            place = ("routes", self._route.place, "split", "branches")
            said["split"] = {
                "by": split.by,
                "branches": [
                    {
                        "upstream": branch.upstream,
                        "share": branch.weight / total,
                        "chosen": None if chosen is None else at == chosen,
                        "position": str(self._house.loaded.position((*place, at))),
                    }
                    for at, branch in enumerate(split.branches)
                ],
            }
        said["upstreams"] = [self._upstream(name) for name in names]
        return said

    def _upstream_request(self, name: str) -> dict[str, Any]:
        house, head = self._house, self._exchange.head
        wish = house.config.upstreams[name]
        host = wish.servers[0].url.authority if wish.host == "upstream" else b""
        upgrade = permitted(protocols(head.fields), self._route.wish.upgrade) if b"upgrade" in head.fields else b""
        block = house.admission.forwarding.block(head, b"(made for each request)", host, upgrade)
        pairs = [(line.partition(b": ")[0], line.partition(b": ")[2]) for line in block.split(b"\r\n") if line]
        return {"line": f"{_text(head.method)} {_text(head.target)} HTTP/1.1", "fields": self._lines(pairs)}

    def _upstream(self, name: str) -> dict[str, Any]:
        house = self._house
        wish, pool = house.config.upstreams[name], house.pools[name]
        state = pool.state()
        return {
            "name": name,
            "position": str(self._position_of(name)),
            "balance": str(wish.balance),
            "sticky": wish.sticky.name if wish.sticky is not None else None,
            "circuit": state.circuit,
            "queued": state.queued,
            "unresolved": state.unresolved,
            "servers": [server._asdict() for server in state.servers],
            "names": [server.label for server in wish.servers if server.url.is_name],
            "bounds": bounds(house.loaded, name),
        }

    def _position_of(self, name: str) -> Position:
        """Where an upstream is written: under its name, or as an address in the route."""
        loaded, route = self._house.loaded, self._route
        own = written(loaded.tree, ("upstreams", name))
        return own or loaded.position(("routes", route.place, route.wish.target))

    # --- words --------------------------------------------------------------------------------------------

    def _lines(self, pairs: Iterable[Pair]) -> list[str]:
        """Fields as lines; secrets that the client did not send itself are masked."""
        return [f"{_text(pair[0])}: {self._value(pair)}" for pair in pairs]

    def _value(self, pair: Pair) -> str:
        if pair in self._asked:
            return _text(pair[1])
        shown: str = self._veil.over(_text(pair[1]), self._veil.covers(pair[0], ""))
        return shown


# A choice by key draws none.
_NO_LOTS = Random(0)


async def _nothing(exchange: Exchange) -> Response:
    """A target that is not asked."""
    return Response(ResponseHead(200, b"OK", Fields()))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _no_interim(head: ResponseHead) -> None:
    """Nobody is connected."""
