"""What is settled about a request before anybody looks at it: may it come in, who asks, for which path."""

from __future__ import annotations

from proxy.errors import MAX_FORWARDS, REQUEST_EXPECT, REQUEST_METHOD, ProxyError
from proxy.message import Exchange, RequestHead
from proxy.message.head import NO_REQUEST
from proxy.policy.forwarding import Forwarder, ForwardingPolicy
from proxy.policy.request_id import RequestIds
from proxy.routing.path import normalize
from proxy.tls.guard import Credentials, Guard


class Visitor(Forwarder):
    """What is remembered for one client connection.

    @ivar credentials: what its TLS handshake has settled; None where there was none.
    @ivar head: its last request that was admitted, as it came;
    @ivar admitted: as it went on;
    @ivar path: and its normalized path. A request that is the same, byte for byte, is the same object.
    """

    __slots__ = ("admitted", "credentials", "head", "path")

    def __init__(
        self, forwarding: ForwardingPolicy, peer: str, scheme: bytes, credentials: Credentials | None = None
    ) -> None:
        super().__init__(forwarding, peer, scheme, b"" if credentials is None else credentials.forwarded)
        self.credentials = credentials
        self.head = self.admitted = NO_REQUEST
        self.path = b""

    def is_for(self, forwarding: ForwardingPolicy, peer: str, scheme: bytes, credentials: Credentials | None) -> bool:
        """Whether one made of these would be the same. Credentials are each connection's own."""
        same = self._policy is forwarding and self.peer == peer and self.scheme == scheme
        return same and self.credentials is credentials is None


class Admission:
    """The policies of one listener, applied to each request once.

    @param guard: where hosts ask for client certificates; None where none does.
    """

    def __init__(self, forwarding: ForwardingPolicy, ids: RequestIds, guard: Guard | None = None) -> None:
        self.forwarding = forwarding
        self._make_id = ids
        self._guard = guard

    def unguarded(self) -> Admission:
        """The same for a listener behind which nothing is that a host might protect."""
        return Admission(self.forwarding, self._make_id)

    def forwarder(
        self, peer: str, scheme: bytes, credentials: Credentials | None = None, before: Visitor | None = None
    ) -> Visitor:
        """What is remembered for one client connection.

        @param before: of another connection, or of this one under another policy: taken, if it would be the same.
        """
        if before is not None and before.is_for(self.forwarding, peer, scheme, credentials):
            return before
        return Visitor(self.forwarding, peer, scheme, credentials)

    def admit(self, exchange: Exchange, forwarder: Visitor) -> None:
        """Fill in what the house wants to know of the exchange.

        @raise ProxyError: it is refused.
        """
        head = exchange.head
        record = exchange.record
        exchange.request_id = record.request_id = self._make_id()  # a refusal has one too
        if head.method == b"TRACE":
            # It would show fields that we add, and cookies, to scripts (RFC 9110 section 9.3.8).
            raise ProxyError(REQUEST_METHOD, "TRACE")
        if self._guard is not None:
            self._guard.check(head.host, forwarder.credentials)
        received = forwarder.receive(head)
        exchange.client = record.client = received.client
        exchange.scheme = record.scheme = received.scheme
        if received.request_id:
            exchange.request_id = record.request_id = received.request_id
        if head is not forwarder.head or received.fields is not forwarder.admitted.fields:
            forwarder.path = normalize(head.target)
            forwarder.admitted = RequestHead(head.method, head.target, head.host, head.minor, received.fields)
            forwarder.head = head
        exchange.path = forwarder.path
        exchange.head = forwarder.admitted
        exchange.upgrades = received.upgrades
        if received.expect and received.expect.lower() != b"100-continue":
            raise ProxyError(REQUEST_EXPECT, f"Expect: {received.expect[:60]!r}")  # RFC 9110 section 10.1.1
        if head.method == b"OPTIONS":
            _count_forwards(exchange)


def _count_forwards(exchange: Exchange) -> None:
    """RFC 9110 section 7.6.2: an OPTIONS request may say how far it wants to go."""
    value = exchange.head.fields.get(b"max-forwards")
    if value is None or not value.isdigit():
        return
    hops = int(value[:10])
    if hops == 0:
        raise ProxyError(MAX_FORWARDS)
    fields = exchange.head.fields.replaced(b"Max-Forwards", b"%d" % (hops - 1))
    exchange.head = exchange.head._replace(fields=fields)
