"""What is settled about a request before anybody looks at it: may it come in, who asks, for which path."""

from __future__ import annotations

from proxy.errors import MAX_FORWARDS, REQUEST_METHOD, ProxyError
from proxy.message import Exchange, RequestHead
from proxy.policy.forwarding import Forwarder, ForwardingPolicy
from proxy.policy.request_id import RequestIds
from proxy.routing.path import normalize


class Admission:
    """The policies of one listener, applied to each request once."""

    def __init__(self, forwarding: ForwardingPolicy, ids: RequestIds) -> None:
        self.forwarding = forwarding
        self._make_id = ids

    def forwarder(self, peer: str, scheme: bytes) -> Forwarder:
        """What is remembered for one client connection."""
        return Forwarder(self.forwarding, peer, scheme)

    def admit(self, exchange: Exchange, forwarder: Forwarder) -> None:
        """Fill in what the house wants to know of the exchange.

        @raise ProxyError: it is refused.
        """
        head = exchange.head
        record = exchange.record
        if head.method == b"TRACE":
            # It would show fields that we add, and cookies, to scripts (RFC 9110 section 9.3.8).
            raise ProxyError(REQUEST_METHOD, "TRACE")
        received = forwarder.receive(head)
        exchange.client = record.client = received.client
        exchange.scheme = record.scheme = received.scheme
        exchange.request_id = record.request_id = received.request_id or self._make_id()
        exchange.path = normalize(head.target)
        exchange.head = RequestHead(head.method, head.target, head.host, head.minor, received.fields)
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
