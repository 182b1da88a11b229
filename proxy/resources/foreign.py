"""Targets that are not ours: any `twisted.web` resource, mounted on a route.

Such a resource wants a real `twisted.web.server.Request`. It gets one, built only now, with the body collected (and
capped) beforehand, and with a channel that is no connection: what the resource writes to it becomes a `Response` whose
body is a stream that can be held back like any other.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource, getChildForRequest
from twisted.web.server import Request, Site

from proxy.errors import BODY_TOO_LARGE, RESOURCE_FAILED, ProxyError
from proxy.flow.walk import Promise
from proxy.limits import RESOURCE_BODY_BYTES
from proxy.message import EMPTY, BodySink, Exchange, Fields, Response, ResponseHead
from proxy.message.body import NO_FIELDS, HeadOnly
from proxy.policy.hop import end_to_end_response

log = Logger()

#: RFC 9110 section 10.1.1: what a client waits for that asked whether it may send its body.
CONTINUE = ResponseHead(100, b"Continue", Fields())


class Mounted:
    """A resource as the target of a route.

    @param resource: an `IResource`.
    @param prefix: the path it is mounted on: what the resource sees in `request.prepath`.
    """

    def __init__(self, resource: IResource, prefix: bytes = b"/") -> None:
        self._site = MountSite(resource, prefix)

    async def __call__(self, exchange: Exchange) -> Response:
        body = b""
        if exchange.body is not EMPTY:
            collector = Collector(RESOURCE_BODY_BYTES)
            if b"100-continue" in exchange.head.fields.tokens(b"expect"):
                exchange.interim(CONTINUE)
            exchange.body.start(collector)
            body = await collector.whole
        channel = ResponseChannel(self._site, exchange)
        try:
            channel.render(body)
            return await channel.response
        except BaseException:
            channel.stop()
            raise


class Collector:
    """A sink that keeps everything, up to a limit.

    @ivar whole: the body.
    """

    def __init__(self, limit: int) -> None:
        self.whole: Promise[bytes] = Promise()
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def body_data(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._limit:
            self._parts.append(data)
        elif not self.whole.settled:
            self.whole.fail(ProxyError(BODY_TOO_LARGE, f"more than {self._limit} bytes for a resource"))

    def body_end(self, trailers: Fields) -> None:
        if not self.whole.settled:
            self.whole.keep(b"".join(self._parts))

    def body_failed(self, error: ProxyError) -> None:
        if not self.whole.settled:
            self.whole.fail(error)


class MountSite(Site):
    """The site of one mounted resource: sessions live here, and the walk down its own tree begins here."""

    def __init__(self, resource: IResource, prefix: bytes) -> None:
        super().__init__(resource)
        self._prefix = [segment for segment in prefix.split(b"/") if segment]

    def getResourceFor(self, request: Any) -> IResource:
        request.site = self
        depth = len(self._prefix)
        if request.postpath[:depth] == self._prefix:
            request.prepath, request.postpath = request.postpath[:depth], request.postpath[depth:]
        request.sitepath = list(request.prepath)
        found: IResource = getChildForRequest(self.resource, request)
        return found

    def log(self, request: Any) -> None:
        """The exchange has its own record."""


class ResponseChannel:
    """What a `server.Request` takes for its connection; what it writes becomes a response.

    The methods are those that `twisted.web.http.Request` calls on its channel, hence their names. The request is told
    that the client speaks HTTP/1.0, so that it leaves the framing of its body to us.

    @ivar response: kept when the resource writes its head.
    """

    def __init__(self, site: MountSite, exchange: Exchange) -> None:
        self.site = self.factory = site
        self.transport = self
        self.response: Promise[Response] = Promise()
        self.length: int | None = None
        self._exchange = exchange
        self._request: Request | None = None
        self._sink: BodySink | None = None
        self._waiting: list[bytes] = []
        self._sent = 0
        self._over = False
        self._held = False
        self._error: ProxyError | None = None
        self._producer: Any = None

    def render(self, body: bytes) -> None:
        """Let the resource answer the exchange."""
        exchange = self._exchange
        head = exchange.head
        request = self._request = Request(self)
        request.requestHeaders = Headers()
        for name, value in head.fields:
            request.requestHeaders.addRawHeader(name, value)
        if exchange.body is not EMPTY:  # forms and WSGI applications read as much as this says
            request.requestHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
        request.parseCookies()
        request.gotLength(len(body))
        request.handleContentChunk(body)
        request.requestReceived(head.method, head.target, b"HTTP/1.0")

    # --- what twisted.web.http.Request calls --------------------------------------------------------------

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", self._exchange.client, self._exchange.peer.port)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 443 if self.isSecure() else 80)

    def isSecure(self) -> bool:
        return self._exchange.scheme == b"https"

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        received = Fields(pair for name, values in headers.getAllRawHeaders() for pair in [(name, v) for v in values])
        told = received.get(b"content-length")
        self.length = int(told) if told is not None and told.isdigit() else None
        pairs = [pair for pair in end_to_end_response(received) if pair[0].lower() != b"server"]
        head = ResponseHead(int(code), reason, Fields(pairs))
        self.response.keep(Response(head, self if self._has_body(head) else HeadOnly(self.length)))
        self._set_pace()

    def _has_body(self, head: ResponseHead) -> bool:
        return self._exchange.head.method != b"HEAD" and head.status not in (204, 304)

    def write(self, data: bytes) -> None:
        if not data or self._over:
            return
        self._sent += len(data)
        if self.length is not None and self._sent > self.length:
            self._fail(f"wrote more than the {self.length} bytes it announced")
        elif self._sink is None:
            self._waiting.append(data)
        else:
            self._sink.body_data(data)

    def writeSequence(self, data: list[bytes]) -> None:
        self.write(b"".join(data))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._producer = producer if streaming else _Pull(producer)
        self._set_pace()

    def _set_pace(self) -> None:
        """Nothing is produced between the head and the start of the body, nor while the client is behind. But until
        there is a head it has to be: the head comes with the first bytes."""
        if self._producer is None:
            return
        if self._held or (self._sink is None and self.response.settled):
            self._producer.pauseProducing()
        else:
            self._producer.resumeProducing()

    def unregisterProducer(self) -> None:
        if isinstance(self._producer, _Pull):
            self._producer.pauseProducing()
        self._producer = None

    def requestDone(self, request: Request) -> None:
        if self._over:
            return
        if self.length is not None and self._sent < self.length and self._has_body_now():
            self._fail(f"wrote {self._sent} of the {self.length} bytes it announced")
            return
        self._over = True
        self._request = None
        if self._sink is not None:
            self._sink.body_end(NO_FIELDS)

    def loseConnection(self) -> None:
        if not self._over:
            self._fail("closed the connection")

    abortConnection = loseConnection

    def _respondToBadRequestAndDisconnect(self) -> None:
        self._fail("refused the request")

    # --- BodySource ---------------------------------------------------------------------------------------

    def start(self, sink: BodySink) -> None:
        if self._error is not None:
            sink.body_failed(self._error)
            return
        waiting, self._waiting = self._waiting, []
        self._sink = sink
        for data in waiting:
            sink.body_data(data)
        if self._over:
            sink.body_end(NO_FIELDS)
        else:
            self._set_pace()

    def pause(self) -> None:
        self._held = True
        self._set_pace()

    def resume(self) -> None:
        self._held = False
        self._set_pace()

    def stop(self) -> None:
        """Nobody wants the rest: the resource learns it through `notifyFinish` and `stopProducing`."""
        self._over = True
        self._sink = None
        request, self._request = self._request, None
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        if request is not None:
            request.connectionLost(Failure(ConnectionDone()))

    def _has_body_now(self) -> bool:
        request = self._request
        return self._exchange.head.method != b"HEAD" and request is not None and request.code not in (204, 304)

    def _fail(self, what: str) -> None:
        error = self._error = ProxyError(RESOURCE_FAILED, f"the resource {what}")
        sink = self._sink
        self.stop()
        if not self.response.settled:
            self.response.fail(error)
        elif sink is not None:
            sink.body_failed(error)


class _Pull:
    """A pull producer (asked for each piece) as a push producer."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._asking = False
        self._wanted = False

    def resumeProducing(self) -> None:
        self._wanted = True
        if self._asking:
            return
        self._asking = True
        try:
            while self._wanted:
                self._producer.resumeProducing()
        finally:
            self._asking = False

    def pauseProducing(self) -> None:
        self._wanted = False

    def stopProducing(self) -> None:
        self._wanted = False
        self._producer.stopProducing()
