"""Those who wait until a server of an upstream has room for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from proxy.alarm import NEVER, Alarm
from proxy.errors import QUEUE_TIMEOUT, ProxyError
from proxy.flow.walk import Promise
from proxy.message import Exchange
from proxy.upstream.factory import ProxyClientFactory

Choose = Callable[[Exchange, Sequence[ProxyClientFactory]], ProxyClientFactory | None]


class Waiting:
    """An exchange in the queue.

    @ivar turn: kept with the server that has room for it.
    """

    __slots__ = ("deadline", "exchange", "look_at", "tried", "turn")

    def __init__(self, exchange: Exchange, tried: Sequence[ProxyClientFactory]) -> None:
        self.deadline = self.look_at = NEVER
        self.exchange = exchange
        self.tried = tried
        self.turn: Promise[ProxyClientFactory] = Promise()

    def time_passed(self) -> None:
        if not self.turn.settled:
            self.turn.fail(ProxyError(QUEUE_TIMEOUT))


class Queue:
    """Exchanges wait in order. Whatever makes room lets in as many as fit, at once.

    @ivar waiting: only looked at by others: to ask a queue itself for its length would cost every request a call.
    """

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self.waiting: deque[Waiting] = deque()
        self._letting_in = False

    async def wait(
        self, exchange: Exchange, tried: Sequence[ProxyClientFactory], seconds: float
    ) -> ProxyClientFactory:
        """A server that has room, as soon as there is one.

        @raise ProxyError: there is none in so many seconds, or there will never be one.
        """
        waiting = Waiting(exchange, tried)
        self.waiting.append(waiting)
        self._alarm.set(waiting, seconds)
        try:
            return await waiting.turn
        finally:
            self._alarm.forget(waiting)
            if waiting in self.waiting:
                self.waiting.remove(waiting)

    def let_in(self, choose: Choose) -> None:
        """As many of those who wait as there is room for, in order: each has its place when the next one looks.

        @param choose: finds a server that has room; None while there is none. Not kept: it would be a cycle.
        """
        if self._letting_in:
            return  # who was let in just now does not stay, and the loop below sees that
        self._letting_in = True
        try:
            while self.waiting:
                waiting = self.waiting[0]
                try:
                    server = choose(waiting.exchange, waiting.tried)
                except ProxyError as error:
                    self.waiting.popleft()
                    waiting.turn.fail(error)
                else:
                    if server is None:
                        break
                    self.waiting.popleft()
                    waiting.turn.keep(server)
        finally:
            self._letting_in = False

    def __repr__(self) -> str:
        return f"<Queue of {len(self.waiting)}>"
