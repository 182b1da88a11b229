"""One end of a connection is a stream of the reactor under test, the other a raw socket that the test drives."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from proxy.reactor.loop import UvloopReactor
from proxy.reactor.stream import Stream


class Producer:
    """What it was told, in order."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def pauseProducing(self) -> None:
        self.log.append("pause")

    def resumeProducing(self) -> None:
        self.log.append("resume")

    def stopProducing(self) -> None:
        self.log.append("stop")


class Recorder(Protocol):
    """A protocol that keeps what it is told, and lets the test wait for it."""

    transport: Stream

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.made: Deferred[None] = Deferred()
        self.lost: Deferred[None] = Deferred()
        self.reason: Failure | None = None

    def connectionMade(self) -> None:
        self.made.callback(None)

    def dataReceived(self, data: bytes) -> None:
        self.received.append(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override] # Twisted's default is a value
        assert self.reason is None, "told twice"
        self.reason = reason
        self.lost.callback(None)

    async def ended(self) -> Failure:
        """Why the connection ended, when it has."""
        if self.reason is None:
            await self.lost
        assert self.reason is not None
        return self.reason


class Peer:
    """The raw end of a connection."""

    def __init__(self, reactor: UvloopReactor, sock: socket.socket) -> None:
        self.sock = sock
        self._loop = reactor.loop
        sock.setblocking(False)

    async def _wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return await Deferred.fromFuture(asyncio.ensure_future(coroutine, loop=self._loop))

    async def send(self, data: bytes) -> None:
        await self._wait(self._loop.sock_sendall(self.sock, data))

    def sending(self, data: bytes) -> Deferred[None]:
        """Send while something else goes on; the result fires when all of it is with the kernel."""
        return Deferred.fromCoroutine(self.send(data))

    async def recv(self, size: int = 65536) -> bytes:
        return bytes(await self._wait(self._loop.sock_recv(self.sock, size)))

    async def read_to_end(self) -> bytes:
        pieces = []
        while piece := await self.recv():
            pieces.append(piece)
        return b"".join(pieces)

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()


async def connection(reactor: UvloopReactor, protocol: Protocol | None = None) -> tuple[Any, Peer]:
    """An accepted TCP connection: the protocol on our end (a `Recorder` by default) and the raw peer."""
    protocol = protocol if protocol is not None else Recorder()
    accepted: Deferred[None] = Deferred()

    class Accepting(Factory):
        def buildProtocol(self, addr: Any) -> Protocol:
            reactor.callLater(0, accepted.callback, None)
            return protocol

    port = reactor.listenTCP(0, Accepting(), interface="127.0.0.1")
    sock = socket.create_connection(("127.0.0.1", port.getHost().port))
    await accepted
    await port.stopListening()
    return protocol, Peer(reactor, sock)


class Pacing(Producer):
    """A producer that holds the source back while the target takes no more, as a proxy's does."""

    def __init__(self, source: Recorder) -> None:
        super().__init__()
        self._source = source.transport

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self._source.pauseProducing()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self._source.resumeProducing()


async def two(reactor: UvloopReactor) -> tuple[Recorder, Peer, Recorder, Peer]:
    """The stream that bytes come by, its peer, the stream that they go by, its peer."""
    source, sender = await connection(reactor)
    target, receiver = await connection(reactor)
    return source, sender, target, receiver


async def take(receiver: Peer, size: int) -> bytes:
    """So many bytes, in whatever pieces they come."""
    pieces = []
    while size:
        piece = await receiver.recv(min(size, 1 << 18))
        assert piece, f"{size} bytes are missing"
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


async def pause(reactor: UvloopReactor, seconds: float = 0.05) -> None:
    """Let the reactor run; by default long enough for what is under way on the loopback interface."""
    await deferLater(reactor, seconds)


async def until(reactor: UvloopReactor, condition: Callable[[], object]) -> None:
    """Let the reactor run until `condition` holds; `converse` ends what never does."""
    while not condition():
        await deferLater(reactor, 0.002)


def converse(reactor: UvloopReactor, conversation: Callable[[], Awaitable[None]], seconds: float = 15) -> None:
    """Run `reactor` until `conversation` is over; its exceptions are raised here."""
    outcome: list[object] = []

    def start() -> None:
        done = Deferred.fromCoroutine(conversation())  # type: ignore[arg-type] # it is a coroutine function
        done.addBoth(outcome.append)
        done.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    late = reactor.callLater(seconds, reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert outcome, f"not over after {seconds} seconds"
    late.cancel()
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
