"""Towards the servers: pooled connections, and the loop that tries one server after the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

from evolved.alarm import Alarm, Reactor
from evolved.errors import ProxyError, Source
from evolved.exchange import Exchange, blaming
from evolved.flow import Wire, flow
from evolved.limits import IDLE_SECONDS, MAX_IDLE_CONNECTIONS
from evolved.wire import ResponseHead, ResponseReader, encode_end, encode_piece, keeps_alive, to_upstream

Address = tuple[str, int]

# Asking twice for these does what asking once does (RFC 9110 section 9.2.2).
IDEMPOTENT = frozenset([b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"])


class Connection(Protocol):
    """A connection to the server: one exchange after the other, each `ask`, then `relay`."""

    transport: Wire

    def __init__(self, owner: ProxyClientFactory) -> None:
        self._owner = owner
        self._exchange: Exchange | None = None
        self._head: Deferred[ResponseHead] | None = None
        self._end: Deferred[None] | None = None
        self._alarm = Alarm(owner.reactor, self.time_passed)
        self._used = self._heard = self._sent = self._keep_alive = self._lost = False

    # the doors

    def dataReceived(self, data: bytes) -> None:
        self._heard = True
        self._hear(data, at_end=False)

    def time_passed(self) -> None:
        self._owner.forget(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        self._hear(b"", at_end=True)

    # questions, each with one answer

    def ask(self, exchange: Exchange) -> Deferred[ResponseHead]:
        """Send the request; the body follows as it arrives. Answers with the final response's head."""
        self._alarm.clear()
        self._exchange = exchange
        self._reader = ResponseReader(exchange.request.method)
        self._heard = self._sent = self._keep_alive = False
        head: Deferred[ResponseHead] = Deferred()
        self._head = head
        client = exchange.client.getPeer().host
        self._chunked = exchange.chunked_request
        request = to_upstream(exchange.request, client, chunked=self._chunked, close=False)
        self.transport.write(request.encode())
        exchange.upload_to(self)
        return head

    @property
    def length_known(self) -> bool:
        return self._reader.length_known

    def relay(self) -> Deferred[None]:
        """Write the response's body to the exchange; answers when it is complete."""
        end: Deferred[None] = Deferred()
        self._end = end
        self._hear(b"", at_end=False)
        return end

    def close(self) -> None:
        self._exchange = None
        self._alarm.clear()
        self.transport.abortConnection()

    # between two exchanges

    @property
    def reusable(self) -> bool:
        """Both messages are complete, nothing follows the response, and the server wants to go on."""
        clean = self._sent and self._reader.done and self._reader.buffered == 0
        return clean and self._keep_alive and not self._lost

    def rest(self) -> None:
        self._exchange = None
        self._used = True
        self._alarm.set(IDLE_SECONDS)

    # the request's body

    def send(self, piece: bytes) -> None:
        self.transport.write(encode_piece(piece, self._chunked))

    def send_end(self) -> None:
        self._sent = True
        self.transport.write(encode_end(self._chunked))

    # what the doors tell it

    def _hear(self, data: bytes, at_end: bool) -> None:
        if self._exchange is None:
            self._owner.forget(self)  # a server that speaks unasked, or leaves
            return
        self._reader.receive(data)
        try:
            with blaming(Source.UPSTREAM):
                if at_end and not self._heard and self._used:
                    # The server hung up while our request was under way: the race that every pool has.
                    again = self._exchange.request.method in IDEMPOTENT
                    raise ProxyError(Source.UPSTREAM, "upstream.connection.stale", 502, retry=again)
                if at_end:
                    self._reader.end_of_input()
                self._read_on(self._exchange)
        except ProxyError as error:
            self._fail(error)

    def _read_on(self, exchange: Exchange) -> None:
        if self._end is not None:
            exchange.write(self._reader.read_body())
            if self._reader.done:
                end, self._end = self._end, None
                end.callback(None)
        while self._head is not None and (head := self._reader.read_head()) is not None:
            if head.status < 200:
                exchange.interim(head)
            else:
                self._keep_alive = keeps_alive(head)
                answer, self._head = self._head, None
                answer.callback(head)  # the story goes on from here, and calls relay()

    def _fail(self, error: ProxyError) -> None:
        head, self._head = self._head, None
        end, self._end = self._end, None
        if head is not None:
            head.errback(error)
        elif end is not None:
            end.errback(error)


class ProxyClientFactory(ClientFactory):
    """Owns the connections to one server: it makes them, lends them out and takes them back."""

    noisy = False  # a log line for each connection tells nobody anything

    def __init__(self, reactor: Reactor, address: Address, seconds: float) -> None:
        self.reactor = reactor
        self._endpoint = TCP4ClientEndpoint(reactor, *address, timeout=seconds)
        self._idle: list[Connection] = []

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        return Connection(self)

    async def lease(self, *, fresh: bool = False) -> Connection:
        """A connection at rest, the one used last first; a new one if there is none or it must be `fresh`."""
        if self._idle and not fresh:
            return self._idle.pop()
        try:
            return cast(Connection, await self._endpoint.connect(self))
        except ConnectingCancelledError as error:
            raise CancelledError from error
        except (ConnectError, DNSLookupError) as error:
            raise ProxyError(Source.UPSTREAM, "upstream.connect.failed", 502, retry=True) from error

    def give_back(self, connection: Connection) -> None:
        if connection.reusable and len(self._idle) < MAX_IDLE_CONNECTIONS:
            connection.rest()
            self._idle.append(connection)
        else:
            connection.close()

    def forget(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        connection.close()


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
