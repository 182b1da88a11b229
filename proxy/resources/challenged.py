"""A plain listener's root that answers authorities first: before any route, and before a redirect to https."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy.message import BytesBody, Exchange, Fields, Response, ResponseHead
from proxy.policy.status import phrase

#: The name of the route in the access log.
ROUTE = "acme-challenge"
_HEAD = ResponseHead(200, phrase(200), Fields([(b"Content-Type", b"application/octet-stream")]))


class Challenged:
    """Asks for an answer before anybody else does. What it has no answer for takes its usual way: an application
    behind us may have orders of its own.

    @param root: the root of everything else.
    @param answer: given a path, what is there; None for nothing.
    """

    isLeaf = False

    def __init__(self, root: Any, answer: Callable[[bytes], bytes | None]) -> None:
        self._root = root
        self._answer = answer

    def resource_for(self, exchange: Exchange) -> Any:
        """The node that answers `exchange`."""
        text = self._answer(exchange.path)
        if text is None or exchange.head.method not in (b"GET", b"HEAD"):
            return self._root.resource_for(exchange)
        return Shown(text)

    def getChildWithDefault(self, name: bytes, request: Any) -> Any:
        return self._root.getChildWithDefault(name, request)

    def putChild(self, path: bytes, child: Any) -> None:
        self._root.putChild(path, child)

    def render(self, request: Any) -> Any:
        return self._root.render(request)

    def __repr__(self) -> str:
        return f"<Challenged {self._root!r}>"


class Shown:
    """A proof, as the answer to one exchange."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    async def respond(self, exchange: Exchange) -> Response:
        exchange.record.route = ROUTE
        return Response(_HEAD, BytesBody(self._text))
