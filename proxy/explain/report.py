"""What would happen to a request, and why: the same admission, router, gates and pools as a real one meets, and no
connection anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from proxy.admin.in_force import bounds, deadlines, limits
from proxy.admin.origins import written
from proxy.assemble import House
from proxy.assemble.pools import choice_of
from proxy.balance.key import parse_rule
from proxy.balance.split import Split
from proxy.config import Position
from proxy.config.gates import FieldChanges
from proxy.config.upstreams import Upstream
from proxy.config.veil import Veil
from proxy.explain.journey import Admitted, Journey, Judges, judges_in, travel
from proxy.explain.question import Question
from proxy.message import RequestHead, ResponseHead
from proxy.message.fields import Pair
from proxy.policy.upgrade import permitted, protocols
from proxy.routing import Route
from proxy.upstream.pool import Pool

#: Tells every route, each with the reason against it.
Look = Callable[[], list[dict[str, Any]]]


def explain(house: House, question: Question, judges: Judges | None = None) -> dict[str, Any]:
    """Everything that is decided about the request, as JSON values.

    @param judges: where the house does not run, so that its own know nothing of listeners.
    @raise ValueError: it cannot be written as a request, or there is no such listener.
    """
    said, look = explain_shortly(house, question, judges)
    if look is not None:
        routed(said)["routes"] = look()
    return said


def routed(said: dict[str, Any]) -> dict[str, Any]:
    """The part of an explanation in which a router was asked: what becomes of a request after a listener has sent it to
    https, or all of it."""
    then: dict[str, Any] = said.get("then", said)
    return then


def explain_shortly(
    house: House, question: Question, judges: Judges | None = None
) -> tuple[dict[str, Any], Look | None]:
    """The same, less the routes: of thousands that takes long enough for a thread of its own.

    @return: what is decided, and what tells the routes of `routed`; None where no router was asked.
    """
    veil = Veil(house.loaded.secrets, "\n".join((question.url, *question.headers)))
    journey = travel(judges or judges_in(house), question)
    look = None if journey.admitted is None else _look(house, journey.admitted, veil)
    said = _Telling(house, journey, veil).told()
    said = {key: value if key == "request" else veil.through(value) for key, value in said.items()}
    if journey.sent_away and journey.answer is not None:
        said["then"], look = explain_shortly(house, _followed(question, journey.answer), judges)
    return said, look


def _followed(question: Question, answer: ResponseHead) -> Question:
    """The request that a client makes of a redirect."""
    headers = tuple(line for line in question.headers if not line.lower().startswith("host:"))
    url = (answer.fields.get(b"location") or b"").decode("latin-1")
    return question._replace(url=url, headers=headers, listener="")


def _look(house: House, admitted: Admitted, veil: Veil) -> Look:
    """Tells every route in the order in which they count, each rejected one with the first reason."""
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
            for route, reason in router.explain(*admitted, shown)
        ]

    return look


class _Telling:
    """One journey in words, with everything that bears on it."""

    def __init__(self, house: House, journey: Journey, veil: Veil) -> None:
        self._house = house
        self._journey = journey
        # What the client said itself is no secret to whoever asks.
        self._asked = set(journey.head.fields.pairs) if journey.head is not None else set()
        self._veil = veil

    def told(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        journey, question = self._journey, self._journey.question
        said: dict[str, Any] = {
            "request": {"method": question.method, "url": question.url, "client": question.client},
            "listener": self._listener(),
        }
        if (met := journey.met) is not None and met.asks:
            asked_by = met.credentials.server_name or "whom clients meet that name nobody"
            said["client_certificate"] = {"asked_by": asked_by, "asks": met.asks, "client": met.client}
        if journey.admitted is not None or journey.sent_away:
            assert journey.exchange is not None
            admitted = journey.admitted or journey.exchange
            host, path = journey.exchange.head.host, admitted.path
            said["request"] |= {"host": _text(host), "path": _text(path), "client": admitted.client}
        if journey.admitted is not None:
            said["routes"] = []
        if journey.route is not None:
            said |= self._on_the_route(journey.route)
        if (answer := self._answer()) is not None:
            said["answer"] = answer
        elif journey.route is not None and journey.route.wish.upstreams:
            said |= self._forwarded(journey.route, self._upstreams(journey.route))
        return said

    def _listener(self) -> dict[str, Any]:
        way_in, listener = self._journey.entrance, self._journey.listener
        loaded = self._house.loaded
        position = loaded.position(("listen", way_in.place or 0))
        return {
            "endpoint": listener.endpoint if listener is not None else None,
            "scheme": _text(way_in.scheme),
            "position": str(position) if listener is not None and not loaded.told_where else "",
            "others": list(way_in.others),
        }

    def _on_the_route(self, route: Route) -> dict[str, Any]:
        """What is known once there is a route, whatever comes of it."""
        loaded, journey = self._house.loaded, self._journey
        position = loaded.position(("routes", route.place, route.wish.target))
        said: dict[str, Any] = {
            "route": {"name": route.name, "position": str(route.position)},
            "target": {"kind": route.wish.target, "position": str(position)},
            "gates": self._gates(route),
        }
        if journey.error is None:
            names = self._upstreams(route) if journey.reached else ()
            said["deadlines"] = deadlines(loaded, route.place, names[0] if len(names) == 1 else None)
            said["limits"] = limits(loaded, route.place)
        return said

    def _answer(self) -> dict[str, Any] | None:
        """What the client is told, where it is known, and who tells it."""
        journey = self._journey
        last = f"the gate {journey.steps[-1].wish.kind}" if journey.steps else ""
        if journey.answer is None and journey.error is not None:
            refused = {"reason": journey.error.reason.code, "detail": journey.error.detail}
            return {"status": None, "by": "the TLS handshake", "fields": [], **refused}
        if journey.answer is None:
            waits = journey.route is not None and not journey.reached
            return {"status": None, "by": f"{last}, once what it waits for is there", "fields": []} if waits else None
        fields = self._lines(journey.answer.fields.pairs)
        said: dict[str, Any] = {"status": journey.answer.status, "by": "the proxy", "fields": fields}
        if journey.error is not None:
            return said | {"reason": journey.error.reason.code, "detail": journey.error.detail}
        if journey.sent_away:
            return said | {"by": "the listener"}
        return said | {"by": "the route" if journey.reached else last}

    # --- gates --------------------------------------------------------------------------------------------

    def _gates(self, route: Route) -> list[dict[str, Any]]:
        """Each gate that the request met, with what it did."""
        positions = self._house.loaded.gate_positions(route.place)
        said = []
        for step in self._journey.steps:
            did = [] if step.after is None else self._differences(step.before, step.after)
            one = {"gate": step.wish.kind, "position": str(positions[step.number]), "did": did}
            if step.wish.headers is not None:
                one["response"] = self._changes(step.wish.headers.response)
            said.append(one)
        return said

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

    def _upstreams(self, route: Route) -> tuple[str, ...]:
        """Where the exchange may go: one upstream, unless a split draws lots."""
        split = route.wish.split
        if split is None:
            return route.wish.upstreams
        chosen = self._chosen_branch(route)
        if chosen is not None:
            return (split.branches[chosen].upstream,)
        return tuple(dict.fromkeys(branch.upstream for branch in split.branches if branch.weight))

    def _chosen_branch(self, route: Route) -> int | None:
        """Which branch of a split is certain, None where lots are drawn."""
        split, exchange = route.wish.split, self._journey.exchange
        if split is None or split.by is None or exchange is None:
            return None
        key = parse_rule(split.by).key(exchange.head, exchange.path, exchange.client)
        if key is None:
            return None
        return Split([branch.weight for branch in split.branches]).choose(key, _NO_LOTS)

    def _forwarded(self, route: Route, names: tuple[str, ...]) -> dict[str, Any]:
        """The request as an upstream sees it, and the upstreams that may get it."""
        said: dict[str, Any] = {"upstream_request": self._upstream_request(route, names[0])}
        split = route.wish.split
        if split is not None:
            total = sum(branch.weight for branch in split.branches)
            chosen = self._chosen_branch(route)
            place = ("routes", route.place, "split", "branches")
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
        said["upstreams"] = [self._upstream(route, name) for name in names]
        return said

    def _upstream_request(self, route: Route, name: str) -> dict[str, Any]:
        house, exchange = self._house, self._journey.exchange
        assert exchange is not None
        head = exchange.head
        wish = house.config.upstreams[name]
        host = wish.servers[0].url.authority if wish.host == "upstream" else b""
        upgrade = permitted(protocols(head.fields), route.wish.upgrade) if b"upgrade" in head.fields else b""
        block = house.admission.forwarding.block(head, b"(made for each request)", host, upgrade)
        pairs = [(line.partition(b": ")[0], line.partition(b": ")[2]) for line in block.split(b"\r\n") if line]
        return {"line": f"{_text(head.method)} {_text(head.target)} HTTP/1.1", "fields": self._lines(pairs)}

    def _upstream(self, route: Route, name: str) -> dict[str, Any]:
        house = self._house
        wish, pool = house.config.upstreams[name], house.pools[name]
        state = pool.state()
        return {
            "name": name,
            "position": str(self._position_of(route, name)),
            "balance": str(wish.balance),
            "sticky": wish.sticky.name if wish.sticky is not None else None,
            "leads_to": self._certain_server(wish, pool),
            "circuit": state.circuit,
            "queued": state.queued,
            "unresolved": state.unresolved,
            "servers": [server._asdict() for server in state.servers],
            "names": [server.label for server in wish.servers if server.url.is_name],
            "bounds": bounds(house.loaded, name),
        }

    def _certain_server(self, wish: Upstream, pool: Pool) -> str | None:
        """The server that the request's cookie or key leads to, with the health and load of this moment; None where
        turns, lots or load decide, or what was learned: to ask for that would renew it."""
        exchange, now = self._journey.exchange, pool.alarm.now()
        assert exchange is not None
        server = None
        if pool.sticky is not None and wish.sticky is not None and wish.sticky.learn is None:
            server = pool.sticky.find(exchange.head.fields, pool.servers, (), now)
        if server is None and wish.balance.hash is not None:
            key = parse_rule(wish.balance.hash).key(exchange.head, exchange.path, exchange.client)
            # Others than the pool's own, so that nobody's turn passes.
            server = choice_of(wish).choose(pool.servers, key, now, _NO_LOTS) if key is not None else None
        return server.name if server is not None else None

    def _position_of(self, route: Route, name: str) -> Position:
        """Where an upstream is written: under its name, or as an address in the route."""
        loaded = self._house.loaded
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


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")

