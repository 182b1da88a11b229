from __future__ import annotations

import socket
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectBindError,
    ConnectionDone,
    ConnectionRefusedError,
    DNSLookupError,
    NotConnectingError,
    TimeoutError,
    UserError,
)
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from proxy.reactor.dialing import ClientStream, UNIXClientStream
from proxy.reactor.loop import UvloopReactor
from tests.reactor.conversation import Peer, Recorder, converse, pause, until
from tests.support.ports import free_port


class Dialing(ClientFactory):
    """Keeps what it is told, in order."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.recorder: Recorder | None = Recorder()
        self.failed: Deferred[type[BaseException]] = Deferred()

    def startedConnecting(self, connector: Any) -> None:
        self.log.append(f"started {connector.state}")

    def buildProtocol(self, addr: Any) -> Any:
        self.log.append("build")
        return self.recorder

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.log.append(f"failed {connector.state}")
        self.failed.callback(type(reason.value))

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.log.append(f"lost {connector.state}")


@pytest.mark.parametrize("interface", ["127.0.0.1", "::1", "localhost"])
def test_a_connection_from_its_start_to_its_end(reactor: UvloopReactor, interface: str) -> None:
    async def conversation() -> None:
        factory = Dialing()
        family = socket.AF_INET6 if interface == "::1" else socket.AF_INET
        with socket.create_server((interface, 0), family=family) as listening:
            connector = reactor.connectTCP(interface, listening.getsockname()[1], factory)
            assert factory.recorder is not None
            await factory.recorder.made
            peer = Peer(reactor, listening.accept()[0])
        stream = factory.recorder.transport
        assert isinstance(stream, ClientStream)
        assert connector.transport is stream
        assert (stream.getHost().host, stream.getHost().port) == peer.sock.getpeername()[:2]
        assert (stream.getPeer().host, stream.getPeer().port) == peer.sock.getsockname()[:2]
        assert stream.logPrefix() == "Recorder,client"
        stream.write(b"hello")
        assert await peer.recv() == b"hello"
        connector.disconnect()
        assert await peer.recv() == b""
        assert (await factory.recorder.ended()).check(ConnectionDone)
        await until(reactor, lambda: len(factory.log) == 3)
        assert factory.log == ["started connecting", "build", "lost disconnected"]

    converse(reactor, conversation)


def test_a_refused_connection(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        factory = Dialing()
        reactor.connectTCP("127.0.0.1", free_port(), factory)
        assert await factory.failed is ConnectionRefusedError
        assert factory.log == ["started connecting", "failed disconnected"]

    converse(reactor, conversation)


def test_a_connection_that_takes_too_long(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        factory = Dialing()
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            # A full queue makes the kernel ignore who else knocks.
            waiting = [socket.socket() for _ in range(4)]
            for sock in waiting:
                sock.setblocking(False)
                sock.connect_ex(full.getsockname())
            await pause(reactor)
            reactor.connectTCP("127.0.0.1", full.getsockname()[1], factory, timeout=0.2)
            assert await factory.failed is TimeoutError
            for sock in waiting:
                sock.close()

    converse(reactor, conversation)


def test_stop_connecting(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        factory = Dialing()
        connector = reactor.connectTCP("127.0.0.1", free_port(), factory)
        connector.stopConnecting()
        assert await factory.failed is UserError
        with pytest.raises(NotConnectingError):
            connector.stopConnecting()

    converse(reactor, conversation)


def test_a_name_nobody_knows(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        factory = Dialing()
        reactor.connectTCP("no-such-host.invalid", 80, factory)
        assert await factory.failed is DNSLookupError

    converse(reactor, conversation)


def test_an_address_to_bind_that_is_not_ours(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        factory = Dialing()
        reactor.connectTCP("127.0.0.1", free_port(), factory, bindAddress=("192.0.2.1", 0))
        assert await factory.failed is ConnectBindError

    converse(reactor, conversation)


def test_a_factory_that_wants_no_connection_after_all(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        factory = Dialing()
        factory.recorder = None
        with socket.create_server(("127.0.0.1", 0)) as listening:
            reactor.connectTCP("127.0.0.1", listening.getsockname()[1], factory)
            await until(reactor, lambda: len(factory.log) >= 2)
            assert await Peer(reactor, listening.accept()[0]).recv() == b""
        await until(reactor, lambda: len(factory.log) == 3)
        assert factory.log == ["started connecting", "build", "lost disconnected"]

    converse(reactor, conversation)


def test_a_unix_connection(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        factory = Dialing()
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("door.sock")
            listening.listen()
            reactor.connectUNIX("door.sock", factory)
            assert factory.recorder is not None
            await factory.recorder.made
            peer = Peer(reactor, listening.accept()[0])
        stream = factory.recorder.transport
        assert isinstance(stream, UNIXClientStream)
        assert stream.getTcpNoDelay() is False
        stream.setTcpNoDelay(True)
        await peer.send(b"hello")
        await until(reactor, lambda: factory.recorder.received)
        assert factory.recorder.received == [b"hello"]

    converse(reactor, conversation)


def test_a_protocol_that_raises_when_connected_loses_its_connection(
    reactor: UvloopReactor, failures: list[BaseException]
) -> None:
    class Broken(Recorder):
        def connectionMade(self) -> None:
            raise RuntimeError("not me")

    async def conversation() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        dialing = Dialing()
        dialing.recorder = broken = Broken()
        reactor.connectTCP("127.0.0.1", listener.getsockname()[1], dialing)
        assert (await broken.ended()).check(RuntimeError)
        peer = Peer(reactor, listener.accept()[0])
        listener.close()
        assert await peer.read_to_end() == b""
        assert dialing.log[-1] == "lost disconnected"
        assert [str(error) for error in failures] == ["not me"]

    converse(reactor, conversation)
