"""The target that sends an exchange to an upstream: the one loop of the program. Try, judge, perhaps try again."""

from __future__ import annotations

import re
from collections.abc import Collection, Coroutine
from typing import Any

from proxy.balance.view import Stickiness
from proxy.errors import INTERNAL, QUEUE_TIMEOUT, RESPONSE_TIMEOUT, ProxyError, Retry
from proxy.flow.race import within
from proxy.flow.replay import Replay
from proxy.health.ejection import GATEWAY_STATUSES
from proxy.limits import REPLAY_BYTES
from proxy.message import EMPTY, BodySource, Exchange, Fields, Response, ResponseHead
from proxy.message.body import HeadOnly
from proxy.policy.forwarding import ForwardingPolicy
from proxy.policy.hop import end_to_end_response
from proxy.policy.retry import is_repeatable, may_retry, may_retry_status
from proxy.policy.upgrade import permitted, switched
from proxy.resources.hedge import Hedge
from proxy.upstream.connection import UpstreamConnection
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
        own_host: bool = False,
        upgrades: Collection[bytes] = (),
    ) -> None:
        self._pool = pool
        self._forwarding = forwarding
        self._own_host = own_host
        self._upgrades = upgrades

    def __call__(self, exchange: Exchange) -> Coroutine[Any, Any, Response]:
        """The response of a server, to be awaited.

        What the pool does not ask for costs a request nothing, not even a coroutine.

        @raise ProxyError: the request may not go on; awaited: no server that was tried gave an answer.
        """
        pool = self._pool
        exchange.record.upstream = pool.name
        upgrade = permitted(exchange.upgrades, self._upgrades) if exchange.upgrades else b""
        return self._guarded(exchange, upgrade) if pool.guarded else self._loop(exchange, upgrade)

    async def _guarded(self, exchange: Exchange, upgrade: bytes) -> Response:
        """The loop behind the circuit breaker and within its total deadline; its response sticks."""
        pool = self._pool
        trial = pool.admit()
        passed: bool | None = None
        try:
            response = await self._within_total(exchange, upgrade)
            passed = response.head.status not in GATEWAY_STATUSES
        except ProxyError as error:
            passed = False if error.of_server else None
            raise
        finally:
            pool.ended(passed, trial)
        return response if pool.sticky is None else self._with_cookie(exchange, response, pool.sticky)

    async def _within_total(self, exchange: Exchange, upgrade: bytes) -> Response:
        seconds = self._pool.plan.retry.total
        if not seconds:
            return await self._loop(exchange, upgrade)

        def late() -> ProxyError:
            if not exchange.record.server:  # nobody was asked, so nobody is to blame
                return ProxyError(QUEUE_TIMEOUT, f"no server had room in {seconds:g} s for all tries")
            return ProxyError(RESPONSE_TIMEOUT, f"no answer in {seconds:g} s for all tries")

        return await within(self._pool.alarm, seconds, self._loop(exchange, upgrade), late)

    async def _loop(self, exchange: Exchange, upgrade: bytes) -> Response:
        """Try; where that fails and may be repeated, try another server."""
        pool = self._pool
        retry = pool.plan.retry
        # Not kept: the two would hold each other, and outlive their reload.
        attempt = Hedge(self._attempt, pool, pool.alarm) if pool.hedges else self._attempt
        body = exchange.body
        if body is not EMPTY and retry.retries and is_repeatable(exchange.head.method, retry):
            body = exchange.body = Replay(body, REPLAY_BYTES)
        record = exchange.record
        tried: list[ProxyClientFactory] = []
        repeating = False
        try:
            while True:
                record.attempts += 1
                try:
                    response = await attempt(exchange, tried, upgrade)
                    if not retry.statuses or not self._repeat_status(response, exchange, body):
                        return response
                    response.body.stop()
                except ProxyError as error:
                    whole = error.retry is Retry.UNSENT or _whole(body)
                    within = record.attempts > retry.retries or pool.may_retry_now()
                    if not may_retry(error, exchange.head, record.attempts, whole, within, retry):
                        raise
                    if error.reason is RESPONSE_TIMEOUT and not pool.has_another(tried):
                        raise  # to wait as long once more for the same server helps nobody
                if not repeating:
                    repeating = True
                    pool.retrying += 1
        finally:
            if repeating:
                pool.retrying -= 1

    def _repeat_status(self, response: Response, exchange: Exchange, body: BodySource) -> bool:
        """Whether a response came that the operator would rather have from another server."""
        pool = self._pool
        status, attempts = response.head.status, exchange.record.attempts
        if status not in pool.plan.retry.statuses:
            return False
        return may_retry_status(status, exchange.head, attempts, _whole(body), pool.may_retry_now(), pool.plan.retry)

    async def _attempt(self, exchange: Exchange, tried: list[ProxyClientFactory], upgrade: bytes) -> Response:
        """One server, one connection, one request on it."""
        record = exchange.record
        server = self._pool.choose(exchange, tried)
        connection = server.take_idle() if server is not None and not tried else None
        if server is None or connection is None:
            connection, server = await self._pool.lease(exchange, tried, server)
        else:
            tried.append(server)
        record.server = server.name
        record.reused = connection.served > 0
        record.sent_at = sent_at = server.now()
        method = exchange.head.method
        try:
            request = self._request(exchange, server, upgrade)
            head = await connection.send(request, method, exchange.body, exchange.deadlines, exchange.interim)
        except ProxyError as error:
            connection.stop()
            server.failed(error)
            raise
        try:
            response = _response(head, connection, method, upgrade)
        except ProxyError as error:
            (connection if head.status == 101 else connection.body).stop()
            server.failed(error)
            raise
        if head.status in GATEWAY_STATUSES:
            server.refused(f"status {head.status}")
        else:
            server.answered(sent_at)
        exchange.server = server
        return response

    def _request(self, exchange: Exchange, server: ProxyClientFactory, upgrade: bytes) -> bytes:
        """The head of the request, ready for the wire."""
        head = exchange.head
        if head.target is not exchange.record.target and not _VISIBLE.fullmatch(head.target):
            raise ProxyError(INTERNAL, f"a gate made the target {head.target!r}")
        if self._pool.sticky is not None:
            head = head._replace(fields=self._pool.sticky.without(head.fields))
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

    def _with_cookie(
        self, exchange: Exchange, response: Response, sticky: Stickiness[ProxyClientFactory]
    ) -> Response:
        """The response, with the cookie that makes the client stick, where one is needed."""
        server, head = exchange.server, response.head
        cookie = sticky.answered(server, exchange.head.fields, head.fields, exchange.scheme, server.now())
        if cookie is None:
            return response
        return response._replace(head=head._replace(fields=head.fields.added((b"Set-Cookie", cookie))))

    def __repr__(self) -> str:
        return f"<Forward to {self._pool!r}>"


def _whole(body: BodySource) -> bool:
    """Whether all of the body can be sent once more."""
    return body is EMPTY or (isinstance(body, Replay) and body.replayable)


def _response(head: ResponseHead, connection: UpstreamConnection, method: bytes, upgrade: bytes) -> Response:
    """What of a server's answer goes on to the client.

    @raise ProxyError: nothing of it may.
    """
    if head.status == 101:
        return Response(_switching(head, switched(upgrade, head)), EMPTY, connection)
    body: BodySource = connection.body
    if body is EMPTY and (method == b"HEAD" or head.status == 304):
        body = HeadOnly(_told_length(head))
    return Response(connection.passed_on(head), body)


def _told_length(head: ResponseHead) -> int | None:
    """What Content-Length says about a body that is not sent."""
    value = head.fields.get(b"content-length")
    return int(value) if value is not None and value.isdigit() else None


def _switching(head: ResponseHead, protocol: bytes) -> ResponseHead:
    """A 101 for the client (RFC 9110 section 7.8)."""
    pairs = end_to_end_response(head.fields)
    pairs += [(b"Connection", b"Upgrade"), (b"Upgrade", protocol)]
    return ResponseHead(head.status, head.reason, Fields(pairs))
