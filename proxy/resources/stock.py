"""Our nodes under a stock `twisted.web.server.Site`: a whole request in, a response through `request.write`.

Slower than our own channel, and with a body that was buffered before we see it; but the same routes, gates and
targets, so that the tree can be mounted in any Twisted web application.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from proxy.errors import INTERNAL, ProxyError
from proxy.flow.walk import Walk
from proxy.message import EMPTY, BodySource, BytesBody, Exchange, Fields, Peer, RequestHead, Response, ResponseHead
from proxy.observe import ExchangeRecord
from proxy.policy.answer import answer
from proxy.policy.forwarding import ForwardingPolicy
from proxy.routing.path import normalize

if TYPE_CHECKING:
    from proxy.resources.tree import Root

log = Logger()


@implementer(IResource)
class StockPage:
    """The leaf that renders any stock request by the routes of `root`."""

    isLeaf = True

    def __init__(self, root: Root) -> None:
        self._root = root

    def getChildWithDefault(self, name: bytes, request: Any) -> StockPage:
        return self

    def putChild(self, path: bytes, child: Any) -> None:
        raise NotImplementedError("the children of the root are the routes of the configuration")

    def render(self, request: Any) -> int:
        StockWalk(request, self._root).start()
        return NOT_DONE_YET


class StockWalk:
    """One stock request on its walk; also the sink of its response body."""

    def __init__(self, request: Any, root: Root) -> None:
        self._request = request
        self._root = root
        self._body: BodySource = EMPTY
        self._walk: Walk[Response] | None = None
        self._gone = False

    def start(self) -> None:
        request = self._request
        pairs = [(name, value) for name, values in request.requestHeaders.getAllRawHeaders() for value in values]
        host = request.requestHeaders.getRawHeaders(b"host", [b""])[0]
        head = RequestHead(request.method, request.uri, host, 1, Fields(pairs))
        scheme = b"https" if request.isSecure() else b"http"
        peer = Peer(getattr(request.getClientAddress(), "host", ""), getattr(request.getClientAddress(), "port", 0))
        data = request.content.read()
        record = ExchangeRecord(time.time(), time.monotonic())
        exchange = Exchange(head, b"", BytesBody(data) if data else EMPTY, peer, record, _no_interim, scheme=scheme)
        request.notifyFinish().addErrback(self._client_gone)
        try:
            exchange.path = normalize(head.target)
            received = ForwardingPolicy().receive(head, peer.host, scheme)
            exchange.head = head._replace(fields=received.fields.without((b"upgrade",)))
            node = self._root.resource_for(exchange)
            self._walk = Walk(node.respond(exchange), self._respond, self._failed)
        except ProxyError as error:
            self._failed(error)
            return
        self._walk.start()

    def _client_gone(self, reason: Failure) -> None:
        self._gone = True
        if self._walk is not None:
            self._walk.cancel(ProxyError(INTERNAL, "the client is gone"))
        self._body.stop()

    def _respond(self, response: Response) -> None:
        request = self._request
        head = response.head
        request.setResponseCode(head.status, head.reason)
        request.responseHeaders.removeHeader(b"server")
        for name, value in head.fields:
            request.responseHeaders.addRawHeader(name, value)
        if response.body.length is not None:
            request.setHeader(b"content-length", b"%d" % response.body.length)
        self._body = response.body
        request.registerProducer(self, True)
        response.body.start(self)

    def _failed(self, error: BaseException) -> None:
        if not isinstance(error, ProxyError):
            log.failure("the walk failed", Failure(error))
            error = ProxyError(INTERNAL, repr(error))
        head, page = answer(error)
        self._respond(Response(head, BytesBody(page)))

    # --- BodySink -----------------------------------------------------------------------------------------

    def body_data(self, data: bytes) -> None:
        self._request.write(data)

    def body_end(self, trailers: Fields) -> None:
        self._body = EMPTY
        if not self._gone:
            self._request.unregisterProducer()
            self._request.finish()

    def body_failed(self, error: ProxyError) -> None:
        self._body = EMPTY
        self._request.channel.loseConnection()

    # --- what the request calls on its producer -----------------------------------------------------------

    def pauseProducing(self) -> None:
        self._body.pause()

    def resumeProducing(self) -> None:
        self._body.resume()

    def stopProducing(self) -> None:
        self._body.stop()


def _no_interim(head: ResponseHead) -> None:
    """A stock request cannot send interim responses."""
