"""An exchange without a connection, and a walk that needs no reactor."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from proxy.flow.walk import Walk
from proxy.gates.chain import Gate
from proxy.message import EMPTY, Exchange, Fields, Peer, RequestHead, Response, ResponseHead
from proxy.message.fields import Pair
from proxy.observe import ExchangeRecord


def exchange(target: bytes = b"/", *pairs: Pair, path: bytes | None = None) -> Exchange:
    """A GET of `target`, as admission leaves it."""
    head = RequestHead(b"GET", target, b"example.com", 1, Fields(((b"Host", b"example.com"), *pairs)))
    path = target.partition(b"?")[0] if path is None else path
    return Exchange(head, path, EMPTY, Peer("192.0.2.1", 1), ExchangeRecord(0.0, 0.0), lambda head: None)


def ended(coroutine: Coroutine[Any, Any, Response]) -> Response:
    """The result of a walk that waits for nothing."""
    done: list[Response] = []
    failed: list[BaseException] = []
    Walk(coroutine, done.append, failed.append).start()
    if failed:
        raise failed[0]
    return done[0]


def through(gate: Gate, exchange: Exchange, *pairs: Pair) -> Response:
    """What comes back out of `gate`, whose target answers 200 with `pairs`."""

    async def target(exchange: Exchange) -> Response:
        return Response(ResponseHead(200, b"OK", Fields(pairs)))

    async def run() -> Response:
        return await gate(exchange, target)

    return ended(run())
