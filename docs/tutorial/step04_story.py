"""Step 4: one request, one story, one ending. Run: python docs/tutorial/step04_story.py 8080 127.0.0.1:9000"""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory, connectionDone
from twisted.internet.task import react
from twisted.logger import Logger
from twisted.python.failure import Failure

from http1 import (
    MessageError,
    RequestHead,
    RequestReader,
    ResponseHead,
    ResponseReader,
    encode_end,
    encode_piece,
    keeps_alive,
    plain_response,
    to_client,
    to_upstream,
)
from step01_splice import Address, Wire, listen, parse_address
from step02_heads import WINDOW_BYTES
from step03_deadline import Alarm, Reactor

# ------------------------------------------------------------------------------------------ what went wrong


class Source(Enum):
    CLIENT = "client"
    UPSTREAM = "upstream"
    PROXY = "proxy"


class ProxyError(Exception):
    """Whose fault it is, what happened (a stable word), what a client is told, and whether to try again."""

    def __init__(self, source: Source, reason: str, status: int, *, retry: bool = False) -> None:
        super().__init__(f"{status} {reason}")
        self.source, self.reason, self.status, self.retry = source, reason, status, retry


def client_closed() -> ProxyError:
    return ProxyError(Source.CLIENT, "client.closed", 400)


@contextmanager
def blaming(source: Source) -> Iterator[None]:
    """A `MessageError` in here is the fault of `source`."""
    try:
        yield
    except MessageError as error:
        if source is Source.CLIENT:
            raise ProxyError(source, "client.request.invalid", error.status) from error
        raise ProxyError(source, "upstream.response.invalid", 502) from error


# ------------------------------------------------------------------------------------------- one exchange


class Sink(typing.Protocol):
    """Where a request's body goes."""

    def send(self, piece: bytes) -> None: ...

    def send_end(self) -> None: ...


class Exchange:
    """One request and its response: what the channel shows to those who answer it."""

    def __init__(self, client: Wire, reader: RequestReader, request: RequestHead, progress: Callable[[], None]) -> None:
        self.request = request
        self.client = client
        self.committed = False  # is any part of a final response out?
        self.body_unread = True
        self._reader, self._progress = reader, progress
        self._sink: Sink | None = None
        self._chunked = False
        self._close = not keeps_alive(request)
        self._failure: ProxyError | None = None

    # the request's body

    @property
    def chunked_request(self) -> bool:
        return not self._reader.length_known

    def upload_to(self, sink: Sink) -> None:
        """From now on the body goes to `sink`, as it arrives."""
        self._sink = sink
        self.client.resumeProducing()
        self.pump()

    def pump(self) -> None:
        if self._sink is None:
            return
        with blaming(Source.CLIENT):
            piece = self._reader.read_body()
        self.body_unread = self.body_unread and not piece
        self._progress()
        self._sink.send(piece)
        if self._reader.done:
            self._sink.send_end()
            self._sink = None

    # the response

    @property
    def may_continue(self) -> bool:
        """After the response: is the client's connection fit for another request?"""
        return self._reader.done and not self._close

    def interim(self, head: ResponseHead) -> None:
        if self.request.minor == 1:  # RFC 9110 section 15.2: not for an HTTP/1.0 client
            self.client.write(to_client(head, chunked=False, close=False).encode())

    def begin(self, head: ResponseHead, length_known: bool) -> None:
        self._chunked = not length_known and self.request.minor == 1
        self._close = self._close or not (length_known or self._chunked)
        self.committed = True
        self.client.write(to_client(head, chunked=self._chunked, close=self._close).encode())

    def write(self, piece: bytes) -> None:
        self._progress()
        self.client.write(encode_piece(piece, self._chunked))

    def end(self) -> None:
        self.client.write(encode_end(self._chunked))

    def answer(self, status: int, text: str) -> None:
        """Answer with a small response of our own."""
        self.committed = True
        self._close = not self.may_continue
        bodiless = self.request.method == b"HEAD"
        self.client.write(plain_response(status, text, close=self._close, bodiless=bodiless))

    # its story

    async def run(self, respond: Respond) -> None:
        """Tell the story to its end; `fail` may end it early."""
        self._story = Deferred.fromCoroutine(respond(self))
        try:
            await self._story
        except CancelledError:
            raise self._failure or client_closed() from None

    def fail(self, error: ProxyError) -> None:
        self._failure = error
        self._story.cancel()


Respond = Callable[[Exchange], Coroutine[Any, Any, None]]


# ---------------------------------------------------------------------------------- towards the client


class Channel(Protocol):
    """A client's connection: a conversation of exchanges, one after the other."""

    transport: Wire
    log = Logger()

    def __init__(self, clock: Reactor, respond: Respond, seconds: float) -> None:
        self._respond, self._seconds = respond, seconds
        self._alarm = Alarm(clock, self.time_passed)
        self._reader = RequestReader()
        self._wanted: Deferred[RequestHead] | None = None
        self._exchange: Exchange | None = None
        self._over = False

    # the doors

    def connectionMade(self) -> None:
        Deferred.fromCoroutine(self._converse()).addErrback(self._bug)

    def dataReceived(self, data: bytes) -> None:
        self._reader.receive(data)
        try:
            self._read_on()
        except ProxyError as error:
            self._fail(error)
        if self._reader.buffered > WINDOW_BYTES:
            self.transport.pauseProducing()

    def time_passed(self) -> None:
        if self._over:
            self.transport.abortConnection()  # the client does not fetch its last answer
        elif self._wanted is not None and self._reader.buffered == 0:
            self._over = True  # idle: nobody is waiting for an answer
            self.progress()
            self.transport.loseConnection()
        elif not self._reader.done:
            self._fail(ProxyError(Source.CLIENT, "client.request.timeout", 408))
        else:
            self._fail(ProxyError(Source.UPSTREAM, "upstream.response.timeout", 504))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._fail(client_closed())
        self._alarm.clear()

    # the conversation

    async def _converse(self) -> None:
        while await self._exchange_once():
            self._reader = RequestReader(self._reader.rest)
        self._over = True
        self.transport.loseConnection()

    async def _exchange_once(self) -> bool:
        """One request and its response; may another one follow?"""
        self._exchange = None
        try:
            request = await self._next_request()
            self._exchange = exchange = Exchange(self.transport, self._reader, request, self.progress)
            self.progress()
            await exchange.run(self._respond)
        except ProxyError as error:
            self._answer(error)
            return False
        return exchange.may_continue

    async def _next_request(self) -> RequestHead:
        self._alarm.set(self._seconds)
        self.transport.resumeProducing()
        with blaming(Source.CLIENT):
            head = self._reader.read_head()
        if head is not None:
            return head
        self._wanted = Deferred()
        return await self._wanted

    def _answer(self, error: ProxyError) -> None:
        """The one place where a failure becomes an answer. It is the last one on this connection."""
        exchange = self._exchange
        if exchange is None and error.reason == "client.closed":
            return  # between two exchanges: that is how conversations end
        self.log.info("{source}: {error}", source=error.source.value, error=error)
        if exchange is not None and exchange.committed:
            # Only breaking the connection tells the client that the rest of this response will not come.
            self.transport.abortConnection()
            return
        bodiless = exchange is not None and exchange.request.method == b"HEAD"
        self.transport.write(plain_response(error.status, str(error), close=True, bodiless=bodiless))

    # what the doors tell it

    def progress(self) -> None:
        self._alarm.set(self._seconds)

    def _read_on(self) -> None:
        if self._wanted is not None:
            with blaming(Source.CLIENT):
                head = self._reader.read_head()
            if head is not None:
                wanted, self._wanted = self._wanted, None
                wanted.callback(head)
        elif self._exchange is not None:
            self._exchange.pump()

    def _fail(self, error: ProxyError) -> None:
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            wanted.errback(error)
        elif self._exchange is not None:
            self._exchange.fail(error)

    def _bug(self, failure: Failure) -> None:
        self.log.failure("a bug in the proxy", failure)
        self.transport.abortConnection()


class ChannelFactory(ServerFactory):
    """Every connection that is accepted becomes a Channel; `respond` answers its requests."""

    def __init__(self, clock: Reactor, respond: Respond, seconds: float) -> None:
        self._clock, self._respond, self._seconds = clock, respond, seconds

    def buildProtocol(self, addr: IAddress | None) -> Channel:
        return Channel(self._clock, self._respond, self._seconds)


# ---------------------------------------------------------------------------------- towards the server


class Connection(Protocol):
    """A connection to the server, for one exchange: `ask`, then `relay`."""

    transport: Wire

    def connectionMade(self) -> None:
        self._exchange: Exchange | None = None
        self._head: Deferred[ResponseHead] | None = None
        self._end: Deferred[None] | None = None

    # the doors

    def dataReceived(self, data: bytes) -> None:
        self._hear(data, at_end=False)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._hear(b"", at_end=True)

    # questions, each with one answer

    def ask(self, exchange: Exchange) -> Deferred[ResponseHead]:
        """Send the request; the body follows as it arrives. Answers with the final response's head."""
        self._exchange = exchange
        self._reader = ResponseReader(exchange.request.method)
        head: Deferred[ResponseHead] = Deferred()
        self._head = head
        client = exchange.client.getPeer().host
        self._chunked = exchange.chunked_request
        request = to_upstream(exchange.request, client, chunked=self._chunked, close=True)
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
        self.transport.abortConnection()

    # the request's body

    def send(self, piece: bytes) -> None:
        self.transport.write(encode_piece(piece, self._chunked))

    def send_end(self) -> None:
        self.transport.write(encode_end(self._chunked))

    # what the doors tell it

    def _hear(self, data: bytes, at_end: bool) -> None:
        if self._exchange is None:
            return
        self._reader.receive(data)
        try:
            with blaming(Source.UPSTREAM):
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
    """Makes the connections to one server."""

    def __init__(self, reactor: Reactor, address: Address, seconds: float) -> None:
        self._endpoint = TCP4ClientEndpoint(reactor, *address, timeout=seconds)

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        return Connection()

    async def connect(self) -> Connection:
        try:
            return cast(Connection, await self._endpoint.connect(self))
        except ConnectingCancelledError as error:
            raise CancelledError from error
        except (ConnectError, DNSLookupError) as error:
            raise ProxyError(Source.UPSTREAM, "upstream.connect.failed", 502, retry=True) from error


# ------------------------------------------------------------------------------------------------ the story


async def forward(exchange: Exchange, server: ProxyClientFactory) -> None:
    connection = await server.connect()
    try:
        head = await connection.ask(exchange)
        exchange.begin(head, connection.length_known)
        await connection.relay()
        exchange.end()
    finally:
        connection.close()


def main(reactor: Reactor, port: str, upstream: str, seconds: str = "30") -> Deferred[None]:
    server = ProxyClientFactory(reactor, parse_address(upstream), float(seconds))

    async def respond(exchange: Exchange) -> None:
        await forward(exchange, server)

    return listen(reactor, port, ChannelFactory(reactor, respond, float(seconds)))


if __name__ == "__main__":
    react(main, sys.argv[1:])
