"""Towards the client: connections are accepted, and each is a conversation of exchanges."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from evolved.alarm import Alarm, Reactor
from evolved.errors import ProxyError, Source, client_closed
from evolved.exchange import Exchange, Respond, blaming
from evolved.flow import Wire
from evolved.limits import DRAIN_SECONDS, WINDOW_BYTES
from evolved.wire import RequestHead, RequestReader, plain_response


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


class DrainingChannel(Channel):
    """A channel that can be asked to end its conversation after the exchange under way."""

    def __init__(self, clock: Reactor, respond: Respond, seconds: float, house: DrainingFactory) -> None:
        super().__init__(clock, respond, seconds)
        self._house = house
        self._last = False

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._house.left(self)

    def finish(self) -> None:
        self._last = True
        if self._exchange is None:
            self.transport.loseConnection()

    async def _exchange_once(self) -> bool:
        return await super()._exchange_once() and not self._last


class DrainingFactory(ServerFactory):
    """Knows the channels that are open, and can wait until the last one is gone."""

    def __init__(self, clock: Reactor, respond: Respond, seconds: float) -> None:
        self._clock, self._respond, self._seconds = clock, respond, seconds
        self._channels: set[DrainingChannel] = set()
        self._empty: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> DrainingChannel:
        channel = DrainingChannel(self._clock, self._respond, self._seconds, self)
        self._channels.add(channel)
        return channel

    def left(self, channel: DrainingChannel) -> None:
        self._channels.discard(channel)
        if not self._channels and self._empty is not None:
            empty, self._empty = self._empty, None
            empty.callback(None)

    def drain(self) -> Deferred[None]:
        """Ends every conversation after its exchange; answers when all are gone, or time is up."""
        if not self._channels:
            return succeed(None)
        empty: Deferred[None] = Deferred()
        self._empty = empty
        for channel in list(self._channels):
            channel.finish()
        return empty.addTimeout(DRAIN_SECONDS, self._clock, onTimeoutCancel=lambda *_: None)
