"""One upstream: a named pool of servers, and the queue of those who wait for one."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from proxy import limits
from proxy.alarm import NEVER, Alarm
from proxy.errors import NO_SERVER, QUEUE_FULL, QUEUE_TIMEOUT, ProxyError, Retry
from proxy.flow.walk import Promise
from proxy.message import Exchange
from proxy.upstream.connection import UpstreamConnection
from proxy.upstream.factory import ProxyClientFactory


class Lease(NamedTuple):
    """A connection in the hands of one exchange, and the server it leads to."""

    connection: UpstreamConnection
    server: ProxyClientFactory


class _Waiting:
    """An exchange in the queue."""

    __slots__ = ("deadline", "look_at", "turn")

    def __init__(self) -> None:
        self.deadline = self.look_at = NEVER
        self.turn: Promise[None] = Promise()

    def time_passed(self) -> None:
        if not self.turn.settled:
            self.turn.fail(ProxyError(QUEUE_TIMEOUT, retry=Retry.NEVER))


class Pool:
    """The servers behind one name.

    An exchange asks for a lease: a server is chosen, then an idle connection of it taken or a new one made. While
    every server has as many exchanges as it may, exchanges wait in order; each that ends lets one more in.

    @param queue: how many may wait; 0 refuses at once.
    @param queue_seconds: how long one waits at most.
    """

    def __init__(
        self,
        name: str,
        servers: Sequence[ProxyClientFactory],
        alarm: Alarm,
        queue: int = limits.UPSTREAM_QUEUE,
        queue_seconds: float = limits.QUEUE_SECONDS,
    ) -> None:
        self.name = name
        self.servers = tuple(servers)
        self._alarm = alarm
        self._queue_size = queue
        self._queue_seconds = queue_seconds
        self._queue: deque[_Waiting] = deque()
        self._turn = 0
        for server in self.servers:
            server.owner = self

    async def lease(self, exchange: Exchange, tried: Sequence[ProxyClientFactory]) -> Lease:
        """A connection for `exchange`, to a server that it has not tried yet if there is one.

        @raise ProxyError: no server, no room, no time, or the server could not be reached.
        """
        server = self._choose(tried)
        while server is None:
            await self._wait()
            server = self._choose(tried)
        # After a failure only a new connection will do: what killed one idle connection has mostly killed them all.
        connection = None if tried else server.take_idle()
        if connection is None:
            connection = await server.dial()
        return Lease(connection, server)

    def _choose(self, tried: Sequence[ProxyClientFactory]) -> ProxyClientFactory | None:
        """Round robin over the servers that have room; None while none has."""
        servers = self.servers
        count = len(servers)
        for step in range(count):
            server = servers[(self._turn + step) % count]
            if server.available and server.weight and server not in tried:
                self._turn = (self._turn + step + 1) % count
                return server
        if tried:
            return self._choose(())
        if not any(server.weight for server in servers):
            raise ProxyError(NO_SERVER, f"upstream {self.name} has no server")
        return None

    async def _wait(self) -> None:
        if len(self._queue) >= self._queue_size:
            raise ProxyError(QUEUE_FULL, f"{len(self._queue)} wait for upstream {self.name}")
        waiting = _Waiting()
        self._queue.append(waiting)
        self._alarm.set(waiting, self._queue_seconds)
        try:
            await waiting.turn
        finally:
            self._alarm.clear(waiting)
            if waiting in self._queue:
                self._queue.remove(waiting)

    def freed(self, server: ProxyClientFactory) -> None:
        while self._queue and server.available:
            waiting = self._queue.popleft()
            if not waiting.turn.settled:
                waiting.turn.keep(None)
                return

    def close(self) -> None:
        """No new exchanges."""
        for server in self.servers:
            server.close()

    def __repr__(self) -> str:
        return f"<Pool {self.name} {list(self.servers)!r} {len(self._queue)} waiting>"
