"""Back-pressure: whoever takes no more pauses whoever sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer, ITCPTransport
from zope.interface import implementer


class Wire(ITCPTransport, IPushProducer, IConsumer):
    """What Twisted's TCP connections offer: write, close, and `pauseProducing` (stop reading). Types only."""


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
