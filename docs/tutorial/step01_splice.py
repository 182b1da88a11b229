"""Step 1: two connections, spliced. Run: python docs/tutorial/step01_splice.py 8080 127.0.0.1:9000"""

from __future__ import annotations

import sys
from typing import cast

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IConnector, IConsumer, IPushProducer, IReactorTCP, ITCPTransport
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory, connectionDone
from twisted.internet.task import react
from twisted.python.failure import Failure

Address = tuple[str, int]


class Wire(ITCPTransport, IPushProducer, IConsumer):
    """What Twisted's TCP connections offer: write, close, and `pauseProducing` (stop reading). Types only."""


class Client(Protocol):
    """A connection from a client: what it says goes to the server."""

    transport: Wire
    server: Server

    def __init__(self, reactor: IReactorTCP, upstream: Address) -> None:
        self.reactor, self.upstream = reactor, upstream

    def connectionMade(self) -> None:
        self.transport.pauseProducing()  # nobody to talk to yet
        self.connector = self.reactor.connectTCP(*self.upstream, Dial(self))

    def dataReceived(self, data: bytes) -> None:
        self.server.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connector.disconnect()


class Server(Protocol):
    """The connection to the server: what it says goes to the client."""

    transport: Wire

    def __init__(self, client: Client) -> None:
        self.client = client

    def connectionMade(self) -> None:
        self.client.server = self
        self.client.transport.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        self.client.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.client.transport.loseConnection()


class Dial(ClientFactory):
    """One attempt to reach the server on behalf of one client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def buildProtocol(self, addr: IAddress | None) -> Server:
        return Server(self.client)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self.client.transport.abortConnection()


class Accept(ServerFactory):
    """Each connection that is accepted becomes a Client."""

    def __init__(self, reactor: IReactorTCP, upstream: Address) -> None:
        self.reactor, self.upstream = reactor, upstream

    def buildProtocol(self, addr: IAddress | None) -> Client:
        return Client(self.reactor, self.upstream)


def parse_address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


def listen(reactor: IReactorTCP, port: str, factory: ServerFactory) -> Deferred[None]:
    """Listen on loopback and run until interrupted: the Deferred never fires."""
    address = cast(IPv4Address, reactor.listenTCP(int(port), factory, interface="127.0.0.1").getHost())
    print(f"listening on http://{address.host}:{address.port}/", flush=True)
    return Deferred()


def main(reactor: IReactorTCP, port: str, upstream: str) -> Deferred[None]:
    return listen(reactor, port, Accept(reactor, parse_address(upstream)))


if __name__ == "__main__":
    react(main, sys.argv[1:])
