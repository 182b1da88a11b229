"""What all connections of one listener share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from email.utils import formatdate
from typing import Any, Protocol

from twisted.internet.interfaces import IAddress
from twisted.web.server import Site

from proxy.alarm import Alarm
from proxy.downstream.admission import Admission, Visitor
from proxy.downstream.channel import ProxyChannel
from proxy.errors import ProxyError
from proxy.limits import REQUESTS_PER_CONNECTION
from proxy.message import EMPTY, BodySource, Deadlines, Exchange, Peer, RequestHead, Response, ResponseHead
from proxy.message.deadlines import DEFAULT
from proxy.message.fields import Pair
from proxy.message.head import NO_REQUEST
from proxy.observe import ExchangeRecord, Observer
from proxy.policy.forwarding import ForwardingPolicy
from proxy.tls.guard import Credentials
from proxy.tls.server import TlsServer
from proxy.wire import RequestLimits, RequestReader

REQUEST_LIMITS = RequestLimits()

# Readers that wait for another connection: as many as may come in one turn of the loop.
_SPARE_READERS = 64
_NOBODY_YET = Visitor(ForwardingPolicy(), "", b"")


def _nobody_listens(head: ResponseHead) -> None:
    """There is no client for an interim response."""


class StreamingResource(Protocol):
    """What the tree answers with for an exchange: one of our own nodes."""

    async def respond(self, exchange: Exchange) -> Response:
        """The answer of this node."""


class ProxySite(Site):
    """One listener's site: hands each connection its channel, and each exchange the root of the tree.

    A real `twisted.web.server.Site` in all that applications mounted in the tree may ask of it (sessions, its
    resource); its log is not used: `observers` see every exchange.

    @param resource: the root; an `IResource` with `resource_for(exchange)`.
    @param name: the listener, for the log.
    @param tls: what stands between the connections and their channels; None for nothing.
    @param fields: fields of every response that does not have them already.
    @ivar scheme: as clients see it.
    """

    protocol = ProxyChannel  # type: ignore[assignment] # Twisted names its own channel's private wrapper here

    def __init__(
        self,
        resource: Any,
        alarm: Alarm,
        admission: Admission,
        reactor: Any,
        observers: Sequence[Observer] = (),
        deadlines: Deadlines = DEFAULT,
        limits: RequestLimits = REQUEST_LIMITS,
        requests_per_connection: int = REQUESTS_PER_CONNECTION,
        name: str = "",
        tls: TlsServer | None = None,
        fields: Sequence[Pair] = (),
    ) -> None:
        super().__init__(resource, reactor=reactor)
        self.alarm = alarm
        self.deadlines = deadlines
        self.limits = limits
        self.stopping = False
        self.channels: set[ProxyChannel] = set()
        self._name = name
        self._when_empty: Callable[[], None] | None = None
        self.tls = tls
        self.scheme = b"http" if tls is None else b"https"
        self.fields = tuple(fields)
        self.admission = admission
        self._spare: list[tuple[RequestReader, Visitor]] = []
        self._observers = tuple(observers)
        self._requests_per_connection = requests_per_connection
        self._date = (0, b"")

    # --- doors --------------------------------------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return self.channel() if self.tls is None else self.tls.stream(self, addr)

    def startFactory(self) -> None:
        """`Site` would open its own log here, and keep a timer for its dates."""

    def stopFactory(self) -> None:
        """See `startFactory`."""

    def acceptableProtocols(self) -> list[bytes]:
        """What ALPN offers (TLS)."""
        return [b"http/1.1"]

    # --- asked by TLS -------------------------------------------------------------------------------------

    def channel(self) -> ProxyChannel:
        """For a new connection."""
        channel = ProxyChannel(self)
        channel.factory = self
        return channel

    def turned_away(self, peer: Peer, error: ProxyError) -> None:
        """A handshake has come to nothing: there will be no request, but a record."""
        record = self.open_exchange(NO_REQUEST, EMPTY, peer, _nobody_listens).record
        record.reason, record.detail = error.reason.code, error.detail
        self.observe(record)

    # --- asked by the channels ----------------------------------------------------------------------------

    def getResourceFor(self, request: Any) -> Any:
        """The node of the tree that answers: ours for an exchange, any `IResource` for a stock request."""
        if type(request) is Exchange:
            return self.resource.resource_for(request)
        return super().getResourceFor(request)

    def open_exchange(
        self, head: RequestHead, body: BodySource, peer: Peer, interim: Callable[[ResponseHead], None]
    ) -> Exchange:
        """A request has begun."""
        record = ExchangeRecord(time.time(), self.alarm.now())
        record.method, record.host, record.target, record.minor = head.method, head.host, head.target, head.minor
        record.scheme = scheme = self.scheme
        record.peer = peer.host
        record.listener = self._name
        return Exchange(head, b"", body, peer, record, interim, self.deadlines, scheme)

    def dressed(self, response: Response) -> Response:
        """`response` with the fields that this listener adds to all that do not have them."""
        fields = response.head.fields
        missing = [pair for pair in self.fields if pair[0].lower() not in fields]
        return response._replace(head=response.head._replace(fields=fields.added(*missing))) if missing else response

    def forwarder(self, peer: Peer, credentials: Credentials | None, before: Visitor) -> Visitor:
        """What a connection remembers of the policy about who is on its other end.

        @param before: what it, or the connection before it, has remembered.
        """
        if credentials is None:
            return self.admission.forwarder(peer.host, b"http", before=before)
        if self.tls is not None:
            credentials = credentials._replace(hosts=self.tls.keyring)  # others than in its handshake, after a reload
        return self.admission.forwarder(peer.host, b"https", credentials)

    def observe(self, record: ExchangeRecord) -> None:
        """An exchange is over."""
        record.ended = self.alarm.now()
        for observer in self._observers:
            observer.observe(record)

    def keeps_alive(self, requests: int) -> bool:
        """Whether a connection that has had so many requests may have another."""
        return not self.stopping and (not self._requests_per_connection or requests < self._requests_per_connection)

    def date(self) -> bytes:
        """The value of a Date field, made once a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True).encode())
        return self._date[1]

    def begin(self) -> tuple[RequestReader, Visitor]:
        """What a new connection begins with: where there is one, the reader of another that is over. Many a client
        makes a connection for each request, and sends what it sent on the last one."""
        return self._spare.pop() if self._spare else (RequestReader(self.limits), _NOBODY_YET)

    def opened(self, channel: ProxyChannel) -> None:
        self.channels.add(channel)

    def closed(self, channel: ProxyChannel, reader: RequestReader, visitor: Visitor) -> None:
        """A connection is over; it does not touch its reader any more."""
        self.channels.discard(channel)
        if len(self._spare) < _SPARE_READERS and reader.limits is self.limits and reader.start_anew():
            self._spare.append((reader, visitor))
        if self._when_empty is not None and not self.channels:
            self._when_empty()

    # --- change and end -----------------------------------------------------------------------------------

    def become(self, new: ProxySite) -> None:
        """Do from the next request on as `new` would, a site built beside this one for the same listener.

        Connections stay; exchanges under way end as they began.
        """
        self.resource = new.resource
        self.deadlines = new.deadlines
        self.limits = new.limits
        self._spare.clear()
        self.admission = new.admission
        self.tls = new.tls
        self.scheme = new.scheme
        self.fields = new.fields
        self._observers = new._observers
        self._requests_per_connection = new._requests_per_connection
        for channel in self.channels:
            channel.meet_policy()

    def drain(self, when_empty: Callable[[], None]) -> None:
        """Close idle connections, and every other one after its present response.

        @param when_empty: called when the last connection has gone.
        """
        self.stopping = True
        self._when_empty = when_empty
        for channel in tuple(self.channels):
            channel.drain()

    def __repr__(self) -> str:
        return f"<ProxySite {self._name} {len(self.channels)} connections{' stopping' if self.stopping else ''}>"
