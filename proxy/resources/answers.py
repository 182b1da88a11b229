"""Targets that answer by themselves: a fixed response, a redirect."""

from __future__ import annotations

from proxy.message import BytesBody, Exchange, Fields, Response, ResponseHead
from proxy.message.fields import Pair
from proxy.policy.redirect import Redirect, location
from proxy.policy.status import phrase

_TEXT = (b"Content-Type", b"text/plain; charset=utf-8")


class Respond:
    """Always the same response."""

    def __init__(self, status: int, body: bytes = b"", pairs: tuple[Pair, ...] = ()) -> None:
        if body and not any(name.lower() == b"content-type" for name, _ in pairs):
            pairs = (*pairs, _TEXT)
        self._head = ResponseHead(status, phrase(status), Fields(pairs))
        self._body = BytesBody(body)

    async def __call__(self, exchange: Exchange) -> Response:
        return Response(self._head, self._body)


class RedirectTo:
    """Somewhere else."""

    def __init__(self, to: Redirect) -> None:
        self._to = to

    async def __call__(self, exchange: Exchange) -> Response:
        where = location(self._to, exchange.head.target)
        status = self._to.status
        return Response(ResponseHead(status, phrase(status), Fields([(b"Location", where)])))
