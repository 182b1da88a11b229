"""The target that sends an exchange to an upstream: the one loop of the program. Try, judge, perhaps try again."""

from __future__ import annotations

import re
from collections.abc import Collection

from proxy.errors import INTERNAL, ProxyError, Retry
from proxy.message import EMPTY, BodySource, Exchange, Fields, Response, ResponseHead
from proxy.message.body import HeadOnly
from proxy.policy.forwarding import ForwardingPolicy
from proxy.policy.hop import end_to_end_response
from proxy.policy.retry import DEFAULT, RetryPolicy, may_retry
from proxy.policy.upgrade import permitted, protocols, switched
from proxy.upstream.factory import ProxyClientFactory
from proxy.upstream.pool import Pool

_VISIBLE = re.compile(rb"[\x21-\x7e]+")
# RFC 9110 section 8.6: these say that they have no content, where others say nothing.
_EXPECT_CONTENT = frozenset({b"POST", b"PUT", b"PATCH"})


class Forward:
    """Forwards exchanges to a pool.

    @param own_host: send the server its own address in Host, not what the client sent.
    @param upgrades: protocols that this route lets a client switch to, in lower case.
    """

    def __init__(
        self,
        pool: Pool,
        forwarding: ForwardingPolicy,
        retry: RetryPolicy = DEFAULT,
        own_host: bool = False,
        upgrades: Collection[bytes] = (),
    ) -> None:
        self._pool = pool
        self._forwarding = forwarding
        self._retry = retry
        self._own_host = own_host
        self._upgrades = upgrades

    async def __call__(self, exchange: Exchange) -> Response:
        """The response of a server.

        @raise ProxyError: none of those that were tried gave one.
        """
        record = exchange.record
        record.upstream = self._pool.name
        fields = exchange.head.fields
        upgrade = permitted(protocols(fields), self._upgrades) if b"upgrade" in fields else b""
        tried: list[ProxyClientFactory] = []
        while True:
            record.attempts += 1
            try:
                return await self._attempt(exchange, tried, upgrade)
            except ProxyError as error:
                whole = exchange.body is EMPTY or error.retry is Retry.UNSENT
                if not may_retry(error, exchange.head, record.attempts, whole, True, self._retry):
                    raise

    async def _attempt(self, exchange: Exchange, tried: list[ProxyClientFactory], upgrade: bytes) -> Response:
        """One server, one connection, one request on it."""
        record = exchange.record
        connection, server = await self._pool.lease(exchange, tried)
        tried.append(server)
        record.server = server.name
        record.reused = connection.served > 0
        record.sent_at = server.now()
        request = self._request(exchange, server, upgrade)
        method = exchange.head.method
        try:
            head = await connection.send(request, method, exchange.body, exchange.deadlines, exchange.interim)
            if head.status == 101:
                protocol = switched(upgrade, head)
                return Response(_switching(head, protocol), EMPTY, connection)
        except ProxyError:
            connection.stop()
            raise
        body: BodySource = connection.body
        if body is EMPTY and (method == b"HEAD" or head.status == 304):
            body = HeadOnly(_told_length(head))
        return Response(ResponseHead(head.status, head.reason, Fields(end_to_end_response(head.fields))), body)

    def _request(self, exchange: Exchange, server: ProxyClientFactory, upgrade: bytes) -> bytes:
        """The head of the request, ready for the wire."""
        head = exchange.head
        if not _VISIBLE.fullmatch(head.target):
            raise ProxyError(INTERNAL, f"a gate made the target {head.target!r}")
        host = server.authority if self._own_host else b""
        lines = self._forwarding.block(head, exchange.request_id, host, upgrade)
        body = exchange.body
        if body is EMPTY:
            framing = b"Content-Length: 0\r\n" if head.method in _EXPECT_CONTENT else b""
        elif body.length is None:
            framing = b"Transfer-Encoding: chunked\r\n"
        else:
            framing = b"Content-Length: %d\r\n" % body.length
        return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (head.method, head.target, lines, framing)

    def __repr__(self) -> str:
        return f"<Forward to {self._pool!r}>"


def _told_length(head: ResponseHead) -> int | None:
    """What Content-Length says about a body that is not sent."""
    value = head.fields.get(b"content-length")
    return int(value) if value is not None and value.isdigit() else None


def _switching(head: ResponseHead, protocol: bytes) -> ResponseHead:
    """A 101 for the client (RFC 9110 section 7.8)."""
    pairs = end_to_end_response(head.fields)
    pairs += [(b"Connection", b"Upgrade"), (b"Upgrade", protocol)]
    return ResponseHead(head.status, head.reason, Fields(pairs))
