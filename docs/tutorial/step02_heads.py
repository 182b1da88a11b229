"""Step 2: understand the messages. Run: python docs/tutorial/step02_heads.py 8080 127.0.0.1:9000"""

from __future__ import annotations

import sys

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IConnector, IReactorTCP
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory, connectionDone
from twisted.internet.task import react
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

# A client that sends more than this ahead of its turn is not read until its turn comes.
WINDOW_BYTES = 64 * 1024


class Channel(Protocol):
    """A client's connection: requests one after the other, each answered before the next is begun."""

    transport: Wire

    def __init__(self, reactor: IReactorTCP, upstream: Address) -> None:
        self.reactor, self.upstream = reactor, upstream

    def connectionMade(self) -> None:
        self.expect_request(received=b"")

    def dataReceived(self, data: bytes) -> None:
        self.reader.receive(data)
        self.read_on()
        if self.reader.buffered > WINDOW_BYTES:
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.hang_up()

    # ------------------------------------------------------------------------ the request, inwards

    def expect_request(self, received: bytes) -> None:
        self.reader = RequestReader(received)
        self.request: RequestHead | None = None
        self.connector: IConnector | None = None
        self.server: Server | None = None
        self.uploaded = self.committed = False

    def read_on(self) -> None:
        """Take what has arrived as far as it may go now."""
        try:
            if self.request is None:
                self.request = self.reader.read_head()
                if self.request is not None:
                    self.connector = self.reactor.connectTCP(*self.upstream, Dial(self, self.request))
            if self.server is not None:
                self.upload(self.server)
        except MessageError as error:
            self.refuse(error.status, str(error))

    def server_connected(self, server: Server, request: RequestHead) -> None:
        client = self.transport.getPeer().host
        head = to_upstream(request, client, chunked=not self.reader.length_known, close=True)
        server.transport.write(head.encode())
        self.server = server
        self.transport.resumeProducing()
        self.read_on()

    def upload(self, server: Server) -> None:
        chunked = not self.reader.length_known
        server.transport.write(encode_piece(self.reader.read_body(), chunked))
        if self.reader.done and not self.uploaded:
            self.uploaded = True
            server.transport.write(encode_end(chunked))

    # ------------------------------------------------------------------------ the response, outwards

    def begin_response(self, request: RequestHead, head: ResponseHead, length_known: bool) -> None:
        if head.status < 200:
            if request.minor == 1:  # RFC 9110 section 15.2: not for an HTTP/1.0 client
                self.transport.write(to_client(head, chunked=False, close=False).encode())
            return
        self.committed = True
        self.chunked = not length_known and request.minor == 1
        self.closing = not keeps_alive(request) or not (length_known or self.chunked)
        self.transport.write(to_client(head, chunked=self.chunked, close=self.closing).encode())

    def write_response(self, piece: bytes) -> None:
        self.transport.write(encode_piece(piece, self.chunked))

    def end_response(self) -> None:
        self.transport.write(encode_end(self.chunked))
        if self.closing or not self.uploaded:
            self.transport.loseConnection()
            self.hang_up()
        else:
            self.expect_request(self.reader.rest)
            self.transport.resumeProducing()
            self.read_on()

    def refuse(self, status: int, reason: str) -> None:
        """Answer in the server's place if nothing of its answer is out; otherwise break the answer off."""
        if self.committed:
            self.transport.abortConnection()
        else:
            self.committed = True
            self.transport.write(plain_response(status, reason, close=True))
            self.transport.loseConnection()
        self.hang_up()

    def hang_up(self) -> None:
        # Forget first: what we end here reports its end at once, and is nobody's business any more.
        server, connector, self.server, self.connector = self.server, self.connector, None, None
        if server is not None:
            server.forget_channel()
        elif connector is not None:
            connector.stopConnecting()


class Server(Protocol):
    """A connection to the server, for one request."""

    transport: Wire

    def __init__(self, channel: Channel, request: RequestHead) -> None:
        self.channel: Channel | None = channel
        self.request = request
        self.reader = ResponseReader(request.method)
        self.head: ResponseHead | None = None

    def connectionMade(self) -> None:
        if self.channel is not None:
            self.channel.server_connected(self, self.request)

    def dataReceived(self, data: bytes) -> None:
        self.reader.receive(data)
        self.read_on(at_end=False)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.read_on(at_end=True)

    def read_on(self, at_end: bool) -> None:
        if self.channel is None:
            return
        try:
            if at_end:
                self.reader.end_of_input()
            self.download(self.channel)
        except MessageError as error:
            self.channel.refuse(502, str(error))

    def download(self, channel: Channel) -> None:
        while self.head is None and (head := self.reader.read_head()) is not None:
            channel.begin_response(self.request, head, self.reader.length_known)
            self.head = head if head.status >= 200 else None
        if self.head is None:
            return
        channel.write_response(self.reader.read_body())
        if self.reader.done:
            self.forget_channel()
            channel.end_response()

    def forget_channel(self) -> None:
        self.channel = None
        self.transport.abortConnection()


class Dial(ClientFactory):
    """One attempt to reach the server on behalf of one request."""

    def __init__(self, channel: Channel, request: RequestHead) -> None:
        self.channel, self.request = channel, request

    def buildProtocol(self, addr: IAddress | None) -> Server:
        return Server(self.channel, self.request)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        if self.channel.connector is connector:
            self.channel.connector = None
            self.channel.refuse(502, "the server cannot be reached")


class Accept(ServerFactory):
    def __init__(self, reactor: IReactorTCP, upstream: Address) -> None:
        self.reactor, self.upstream = reactor, upstream

    def buildProtocol(self, addr: IAddress | None) -> Channel:
        return Channel(self.reactor, self.upstream)


def main(reactor: IReactorTCP, port: str, upstream: str) -> Deferred[None]:
    return listen(reactor, port, Accept(reactor, parse_address(upstream)))


if __name__ == "__main__":
    react(main, sys.argv[1:])
