"""What would happen to a request, and why: the same admission, router, gates and pools as a real one meets, and no
connection anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from proxy.assemble import House
from proxy.errors import ProxyError
from proxy.flow.walk import Walk
from proxy.gates.chain import Gate, Proceed, compose
from proxy.message import EMPTY, Exchange, Fields, Peer, RequestHead, Response, ResponseHead
from proxy.message.fields import Pair
from proxy.observe import ExchangeRecord
from proxy.policy.answer import answer
from proxy.routing import Route
from proxy.wire import RequestReader


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
    """Everything that is decided about the request, as JSON values."""
    said: dict[str, Any] = {"request": {"method": question.method, "url": question.url, "client": question.client}}
    try:
        head, scheme = read(question)
        exchange = Exchange(head, b"", EMPTY, Peer(question.client, 0), ExchangeRecord(0.0, 0.0), _no_interim)
        admission = house.admission
        admission.admit(exchange, admission.forwarder(question.client, scheme))
        said["request"] |= {"host": _text(head.host), "path": _text(exchange.path), "client": exchange.client}
        said["routes"] = _routes(house, exchange)
        node = house.root.resource_for(exchange)
        route: Route = exchange.route
        said["route"] = {"name": route.name, "position": str(route.position), "target": route.wish.target}
        said["gates"], response = _through(house, route, node.gates, exchange)
        said["deadlines"] = dict(node.deadlines._asdict())
        said["limits"] = {"body": node.body_limit}
        if response is not None:
            said["answer"] = _answer(response.head)
            return said
        said |= _target(house, route, exchange)
    except ProxyError as error:
        refusal, _ = answer(error, b"", None)
        said["answer"] = {**_answer(refusal), "reason": error.reason.code, "detail": error.detail}
    return said


def read(question: Question) -> tuple[RequestHead, bytes]:
    """The head that the question's bytes would make on the wire, by the same parser.

    @raise ProxyError: they make none.
    """
    parts = urlsplit(question.url)
    target = question.url if not parts.netloc else (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{question.method} {target} HTTP/1.1"]
    if not any(line.lower().startswith("host:") for line in question.headers):
        lines.append(f"Host: {parts.netloc or 'localhost'}")
    reader = RequestReader()
    reader.feed("\r\n".join([*lines, *question.headers, "", ""]).encode("utf-8", "surrogateescape"))
    head = reader.next_event()
    assert isinstance(head, RequestHead)
    return head, b"https" if parts.scheme in ("https", "wss") else b"http"


def _routes(house: House, exchange: Exchange) -> list[dict[str, Any]]:
    """Every route in the order in which they count, each rejected one with the first reason."""
    head = exchange.head
    query = head.target.partition(b"?")[2]
    looked_at = house.root.router.explain(
        head.host, exchange.path, head.method, head.fields, query, exchange.client
    )
    return [
        {"name": route.name, "position": str(route.position), "rejected": reason} for route, reason in looked_at
    ]


def _through(
    house: House, route: Route, gates: Sequence[Gate], exchange: Exchange
) -> tuple[list[dict[str, Any]], Response | None]:
    """Send the exchange through the gates, to a target that only looks.

    @return: each gate with what it did to the request, and the response of the gate that answered by itself, if any.
    """
    steps: list[dict[str, Any]] = []
    watched = []
    for at, (gate, wish) in enumerate(zip(gates, route.wish.gates, strict=True)):
        position = house.loaded.position(("routes", route.place, "gates", at))
        watched.append(_watched(gate, {"gate": wish.kind, "position": str(position)}, steps))
    reached: list[Exchange] = []

    async def look(exchange: Exchange) -> Response:
        reached.append(exchange)
        return Response(ResponseHead(200, b"OK", Fields()))

    done: list[Response] = []
    failed: list[BaseException] = []
    walk = Walk(compose(watched, look)(exchange), done.append, failed.append)
    walk.start()
    if failed:
        raise failed[0]
    if not done:
        walk.cancel(RuntimeError("the gate waits for something"))
    return steps, done[0] if done and not reached else None


def _watched(gate: Gate, step: dict[str, Any], steps: list[dict[str, Any]]) -> Gate:
    """`gate`, with what it does written down."""

    async def watched(exchange: Exchange, proceed: Proceed) -> Response:
        before = exchange.head
        steps.append(step)

        async def passed(exchange: Exchange) -> Response:
            step["did"] = _differences(before, exchange.head)
            return await proceed(exchange)

        return await gate(exchange, passed)

    return watched


def _differences(before: RequestHead, after: RequestHead) -> list[str]:
    """What changed between two heads, in words."""
    said = []
    if before.target != after.target:
        said.append(f"target {_text(before.target)} -> {_text(after.target)}")
    old, new = before.fields.pairs, after.fields.pairs
    said += [f"- {_line(pair)}" for pair in old if pair not in new]
    said += [f"+ {_line(pair)}" for pair in new if pair not in old]
    return said


def _target(house: House, route: Route, exchange: Exchange) -> dict[str, Any]:
    """What stands at the end of the route."""
    if route.wish.target != "upstream" or route.wish.upstream is None:
        position = house.loaded.position(("routes", route.place, route.wish.target))
        return {"target": {"kind": route.wish.target, "position": str(position)}}
    pool = house.pools[route.wish.upstream]
    request_id = b"(made for each request)"
    forwarding = house.admission.forwarding
    lines = forwarding.block(exchange.head, request_id)
    return {
        "upstream_request": {
            "line": f"{_text(exchange.head.method)} {_text(exchange.head.target)} HTTP/1.1",
            "fields": [_text(line) for line in lines.split(b"\r\n") if line],
        },
        "upstream": {
            "name": pool.name,
            "position": str(house.loaded.position(("upstreams", pool.name))),
            "balance": str(house.config.upstreams[pool.name].balance),
            "servers": [state._asdict() for state in pool.state().servers],
        },
    }


def _answer(head: ResponseHead) -> dict[str, Any]:
    return {"status": head.status, "fields": [_line(pair) for pair in head.fields]}


def _line(pair: Pair) -> str:
    return f"{_text(pair[0])}: {_text(pair[1])}"


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _no_interim(head: ResponseHead) -> None:
    """Nobody is connected."""
