"""A listener that only says where the real one is."""

from __future__ import annotations

from proxy.errors import REQUEST_HOST, ProxyError
from proxy.message import Exchange, Fields, Response, ResponseHead
from proxy.policy.redirect import to_https
from proxy.policy.status import phrase


class HttpsRedirect:
    """Answers every request with the same URL, by https.

    @param port: where https is spoken.
    """

    isLeaf = True

    def __init__(self, port: int) -> None:
        self._port = port

    def resource_for(self, exchange: Exchange) -> HttpsRedirect:
        """It is its own node."""
        return self

    async def respond(self, exchange: Exchange) -> Response:
        """@raise ProxyError: the request does not say which host it is for."""
        if not exchange.head.host:
            raise ProxyError(REQUEST_HOST, "a redirect to https needs it")
        status, location = to_https(exchange.head.host, exchange.head.target, self._port)
        return Response(ResponseHead(status, phrase(status), Fields([(b"Location", location)])))

    def __repr__(self) -> str:
        return f"<HttpsRedirect to port {self._port}>"
