"""Step 7: several servers. Run: python docs/tutorial/step07_servers.py 8080 127.0.0.1:9001 127.0.0.1:9002"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from step01_splice import listen, parse_address
from step03_deadline import Reactor
from step04_story import ChannelFactory, Exchange, ProxyError, Source
from step05_pool import ProxyClientFactory
from step06_flow import forward

# How long any single wait may last: for a head, for a connection, for progress of a body.
SECONDS = 30.0


class Upstream:
    """Servers that can stand in for one another."""

    def __init__(self, servers: Iterable[ProxyClientFactory]) -> None:
        self._servers = tuple(servers)
        self._turn = 0

    def in_turn(self) -> tuple[ProxyClientFactory, ...]:
        """Each server once; who comes first moves on with every request (round robin)."""
        first = self._turn
        self._turn = (first + 1) % len(self._servers)
        return self._servers[first:] + self._servers[:first]


async def forward_to_any(exchange: Exchange, upstream: Upstream) -> None:
    """The loop: choose, try, judge. Only a request of which no server has seen anything goes to the next."""
    refusal = ProxyError(Source.UPSTREAM, "upstream.none_available", 503)
    for server in upstream.in_turn():
        try:
            return await forward(exchange, server)
        except ProxyError as error:
            if not (error.retry and exchange.body_unread):
                raise
            refusal = error
    raise refusal


def upstream_of(reactor: Reactor, addresses: Iterable[str], seconds: float = SECONDS) -> Upstream:
    return Upstream(ProxyClientFactory(reactor, parse_address(text), seconds) for text in addresses)


def main(reactor: Reactor, port: str, *addresses: str) -> Deferred[None]:
    upstream = upstream_of(reactor, addresses)

    async def respond(exchange: Exchange) -> None:
        await forward_to_any(exchange, upstream)

    return listen(reactor, port, ChannelFactory(reactor, respond, SECONDS))


if __name__ == "__main__":
    react(main, sys.argv[1:])
