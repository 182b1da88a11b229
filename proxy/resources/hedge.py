"""Attempts that are bounded in time, and hedged: what one server does not answer soon, a second is asked as well.

For upstreams whose slowest answers are slow for no reason of the request's: a pause of one server, a lost packet. It
costs requests, so it counts as a retry and needs room in the budget for them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from proxy.alarm import Alarm
from proxy.errors import INTERNAL, QUEUE_TIMEOUT, RESPONSE_TIMEOUT, ProxyError, Retry
from proxy.flow.race import Race
from proxy.message import EMPTY, Exchange, Response
from proxy.policy.retry import is_repeatable
from proxy.upstream.factory import ProxyClientFactory
from proxy.upstream.pool import Pool

MakeAttempt = Callable[[Exchange, list[ProxyClientFactory], bytes], Coroutine[Any, Any, Response]]


class Hedge:
    """Makes attempts in place of `attempt`.

    @param attempt: makes one: one server, one connection, one request.
    """

    def __init__(self, attempt: MakeAttempt, pool: Pool, alarm: Alarm) -> None:
        self._attempt = attempt
        self._pool = pool
        self._alarm = alarm

    async def __call__(self, exchange: Exchange, tried: list[ProxyClientFactory], upgrade: bytes) -> Response:
        """The first answer that would not be tried again, if there is one.

        @raise ProxyError: there is none, or not in time.
        """
        return await _Heat(self._attempt, self._pool, self._alarm, exchange, tried).run(upgrade)


class _Heat:
    """One attempt, or two at the same time."""

    def __init__(
        self, attempt: MakeAttempt, pool: Pool, alarm: Alarm, exchange: Exchange, tried: list[ProxyClientFactory]
    ) -> None:
        self._attempt = attempt
        self._pool = pool
        self._exchange = exchange
        self._tried = tried
        self._before = len(tried)
        self._hedged = False
        self._first_sent_at = 0.0
        # The server that is too late has done nothing wrong: the reason speaks against nobody.
        self._race: Race[Response] = Race(alarm, ProxyError(INTERNAL, "another server was faster"), self)

    async def run(self, upgrade: bytes) -> Response:
        retry = self._pool.plan.retry
        self._exchange.record.sent_at = 0.0  # nothing of this try is sent
        if retry.hedge_after and self._may_hedge(upgrade):
            self._race.after(retry.hedge_after, self._hedge)
        else:
            self._race.after(retry.per_try, self._late)
        try:
            self._race.enter(self._attempt(self._exchange, self._tried, upgrade))
            response = await self._race.result()
        finally:
            if self._hedged:
                self._pool.retrying -= 1
        if self._hedged:
            self._note()
        return response

    def _may_hedge(self, upgrade: bytes) -> bool:
        exchange = self._exchange
        return not upgrade and exchange.body is EMPTY and is_repeatable(exchange.head.method, self._pool.plan.retry)

    def _hedge(self) -> None:
        """The first server takes its time."""
        pool, record = self._pool, self._exchange.record
        rest = pool.plan.retry.per_try - pool.plan.retry.hedge_after
        self._race.after(max(rest, 0.0), self._late)
        chosen = len(self._tried) > self._before  # while it waits for a server, a second request would wait as well
        if chosen and pool.has_another(self._tried) and pool.may_retry_now():
            self._hedged = True
            self._first_sent_at = record.sent_at
            pool.retrying += 1
            record.attempts += 1
            self._race.enter(self._attempt(self._exchange, self._tried, b""))

    def _late(self) -> None:
        seconds = self._pool.plan.retry.per_try
        if self._exchange.record.sent_at:
            late = ProxyError(RESPONSE_TIMEOUT, f"no answer in {seconds:g} s for one try", Retry.SENT)
        elif names := ", ".join(server.name for server in self._tried[self._before :]):
            late = ProxyError(RESPONSE_TIMEOUT, f"no connection to {names} in {seconds:g} s for one try", Retry.UNSENT)
        else:
            late = ProxyError(QUEUE_TIMEOUT, f"no server had room in {seconds:g} s for one try")
        self._race.give_up(late)

    def is_good(self, response: Response) -> bool:
        """Asked by the race: a status that counts as a failure of the try does not beat what the other may say."""
        return response.head.status not in self._pool.plan.retry.statuses

    def unused(self, response: Response) -> None:
        """Told by the race: the other's was better."""
        response.body.stop()

    def _note(self) -> None:
        """Both have written into the record: what stands there at the end is the one that answered."""
        record = self._exchange.record
        server = self._exchange.server
        record.server = server.name
        if server is self._tried[self._before]:
            record.sent_at = self._first_sent_at
