"""Step 6: back-pressure, both ways. Run: python docs/tutorial/step06_flow.py 8080 127.0.0.1:9000 [seconds]"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import react
from zope.interface import implementer

from step01_splice import Wire, listen, parse_address
from step03_deadline import Reactor
from step04_story import ChannelFactory, Exchange, ProxyError
from step05_pool import Connection, ProxyClientFactory


@implementer(IPushProducer)
class Tap:
    """Opened and closed by the connection it feeds: closed means that `source` is not read."""

    def __init__(self, source: Wire | None) -> None:
        self._source = source
        self._opening: Deferred[None] | None = None

    def pauseProducing(self) -> None:
        self._opening = Deferred()
        if self._source is not None:
            self._source.pauseProducing()

    def resumeProducing(self) -> None:
        opening, self._opening = self._opening, None
        if self._source is not None:
            self._source.resumeProducing()
        if opening is not None:
            opening.callback(None)

    def stopProducing(self) -> None:
        """The connection it feeds is gone; `connectionLost` tells those who need to know."""

    async def opened(self) -> None:
        if self._opening is not None:
            await self._opening


@asynccontextmanager
async def flow(client: Wire, server: Wire | None = None) -> AsyncIterator[None]:
    """Who takes no more pauses the other; it ends when the client has taken its answer (but for a window)."""
    down, up = Tap(server), Tap(client)
    client.registerProducer(down, True)
    if server is not None:
        server.registerProducer(up, True)
    try:
        yield
        await down.opened()
    finally:
        client.unregisterProducer()
        if server is not None:
            server.unregisterProducer()


async def attempt(exchange: Exchange, server: ProxyClientFactory, connection: Connection) -> None:
    try:
        async with flow(exchange.client, connection.transport):
            head = await connection.ask(exchange)
            exchange.begin(head, connection.length_known)
            await connection.relay()
            exchange.end()
    finally:
        server.give_back(connection)


async def forward(exchange: Exchange, server: ProxyClientFactory) -> None:
    """A reused connection may turn out to be dead; then once more, on a fresh one, where that is safe."""
    try:
        await attempt(exchange, server, await server.lease())
    except ProxyError as error:
        if error.reason != "upstream.connection.stale" or not (error.retry and exchange.body_unread):
            raise
        await attempt(exchange, server, await server.lease(fresh=True))


def main(reactor: Reactor, port: str, upstream: str, seconds: str = "30") -> Deferred[None]:
    server = ProxyClientFactory(reactor, parse_address(upstream), float(seconds))

    async def respond(exchange: Exchange) -> None:
        await forward(exchange, server)

    return listen(reactor, port, ChannelFactory(reactor, respond, float(seconds)))


if __name__ == "__main__":
    react(main, sys.argv[1:])
