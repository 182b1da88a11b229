from __future__ import annotations

import errno
import gc
import socket
import weakref
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import CannotListenError, UnsupportedAddressFamily
from twisted.internet.protocol import Factory

from proxy.reactor.loop import UvloopReactor
from proxy.reactor.ports import ServerStream, UNIXServerStream
from tests.reactor.conversation import Peer, Recorder, connection, converse, until


class Keeping(Factory):
    """Makes recorders, and keeps them."""

    def __init__(self) -> None:
        self.protocols: list[Recorder] = []
        self.addresses: list[Any] = []

    def buildProtocol(self, addr: Any) -> Recorder:
        self.addresses.append(addr)
        self.protocols.append(Recorder())
        return self.protocols[-1]


class Refusing(Factory):
    def buildProtocol(self, addr: Any) -> None:
        return None


@pytest.mark.parametrize(("interface", "address"), [("127.0.0.1", IPv4Address), ("::1", IPv6Address)])
def test_a_tcp_connection_knows_both_addresses(reactor: UvloopReactor, interface: str, address: type) -> None:
    async def conversation() -> None:
        factory = Keeping()
        port = reactor.listenTCP(0, factory, interface=interface)
        peer = socket.create_connection((interface, port.getHost().port))
        await until(reactor, lambda: factory.protocols)
        stream = factory.protocols[0].transport
        assert isinstance(stream, ServerStream)
        assert stream.getHost() == port.getHost()
        assert stream.getPeer() == factory.addresses[0] == address("TCP", *peer.getsockname())
        assert repr(stream) == f"<Recorder #0 on {port.getHost().port}>"
        assert stream.logPrefix() == f"Recorder,0,{interface}"

    converse(reactor, conversation)


def test_a_port_in_use_is_said_at_once(reactor: UvloopReactor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CannotListenError):
        reactor.listenTCP(taken.getsockname()[1], Keeping(), interface="127.0.0.1")


def test_connections_outlive_their_port(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor)  # which stops listening
        await peer.send(b"still here")
        await until(reactor, lambda: ours.received)
        assert ours.received == [b"still here"]

    converse(reactor, conversation)


def test_a_connection_the_factory_does_not_want_is_closed(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        port = reactor.listenTCP(0, Refusing(), interface="127.0.0.1")
        peer = Peer(reactor, socket.create_connection(("127.0.0.1", port.getHost().port)))
        assert await peer.recv() == b""

    converse(reactor, conversation)


def test_many_connections_of_one_turn_are_all_accepted(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        factory = Keeping()
        port = reactor.listenTCP(0, factory, backlog=200, interface="127.0.0.1")
        peers = [socket.create_connection(("127.0.0.1", port.getHost().port)) for _ in range(150)]
        for number, peer in enumerate(peers):
            peer.send(str(number).encode())
        await until(reactor, lambda: sum(1 for ours in factory.protocols if ours.received) == 150)
        assert sorted(int(b"".join(ours.received)) for ours in factory.protocols) == list(range(150))
        for peer in peers:
            peer.close()
        await until(reactor, lambda: all(ours.reason is not None for ours in factory.protocols))
        assert not reactor.streams

    converse(reactor, conversation)


def test_one_that_cannot_begin_does_not_keep_the_next_one_out(
    reactor: UvloopReactor, failures: list[BaseException]
) -> None:
    class Choosy(Keeping):
        def buildProtocol(self, addr: Any) -> Recorder:
            recorder = super().buildProtocol(addr)
            if len(self.protocols) == 1:
                raise ZeroDivisionError("not you")
            return recorder

    async def conversation() -> None:
        factory = Choosy()
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        first, second = (Peer(reactor, socket.create_connection(("127.0.0.1", port.getHost().port))) for _ in range(2))
        assert await first.recv() == b""
        await second.send(b"hello")
        await until(reactor, lambda: factory.protocols[-1].received)

    converse(reactor, conversation)
    assert [str(failure) for failure in failures] == ["not you"]


def test_where_accepting_fails_twisted_knows_what_to_do(reactor: UvloopReactor) -> None:
    class Full:
        """A listening socket, while the process has no descriptors left for once."""

        def __init__(self, whole: socket.socket) -> None:
            self.whole = whole
            self.failed = 0

        def _accept(self) -> Any:
            self.failed += 1
            raise OSError(errno.EMFILE, "too many open files")

        def __getattr__(self, name: str) -> Any:
            return getattr(self.whole, name)

    async def conversation() -> None:
        factory = Keeping()
        port: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")
        port.socket = full = Full(port.socket)
        peer = Peer(reactor, socket.create_connection(("127.0.0.1", port.getHost().port)))
        await peer.send(b"hello")
        await until(reactor, lambda: factory.protocols and factory.protocols[0].received)
        assert full.failed
        stream: Any = factory.protocols[0].transport
        stream.loseConnection()
        assert await peer.recv() == b""

    converse(reactor, conversation)


def test_what_is_over_leaves_nothing_to_the_garbage_collector(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        factory = Keeping()
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        peer = Peer(reactor, socket.create_connection(("127.0.0.1", port.getHost().port)))
        await until(reactor, lambda: factory.protocols)
        transport = factory.protocols[0].transport
        gone = weakref.ref(transport)
        transport.write(b"bye")
        transport.loseConnection()
        assert await peer.read_to_end() == b"bye"
        del transport
        factory.protocols.clear()
        reactor.serving = None
        await until(reactor, lambda: gone() is None)

    gc.collect()
    gc.disable()
    try:
        converse(reactor, conversation)
    finally:
        gc.enable()


@pytest.mark.parametrize("name", ["door.sock", "\0reactor-test-door"])
def test_unix_ports_in_the_file_system_and_abstract(reactor: UvloopReactor, name: str) -> None:
    async def conversation() -> None:
        factory = Keeping()
        reactor.listenUNIX(name, factory, mode=0o600)
        peer = Peer(reactor, socket.socket(socket.AF_UNIX))
        peer.sock.connect(name)
        await peer.send(b"hello")
        await until(reactor, lambda: factory.protocols and factory.protocols[0].received)
        ours = factory.protocols[0]
        assert ours.received == [b"hello"]
        assert isinstance(ours.transport, UNIXServerStream)
        assert ours.transport.getHost() == UNIXAddress(name)
        assert ours.transport.getPeer() == UNIXAddress(None)
        ours.transport.loseConnection()
        assert await peer.recv() == b""

    converse(reactor, conversation)


def test_an_adopted_port_accepts_and_leaves_the_original_open(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        factory = Keeping()
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        port = reactor.adoptStreamPort(listening.fileno(), socket.AF_INET, factory)
        socket.create_connection(listening.getsockname())
        await until(reactor, lambda: factory.protocols)
        await port.stopListening()
        socket.create_connection(listening.getsockname()).close()  # nobody accepts it, but it is not refused
        listening.close()

    converse(reactor, conversation)


def test_an_adopted_connection_ends_for_the_peer_though_its_descriptor_was_shared(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        for family in (socket.AF_INET, socket.AF_UNIX):
            if family == socket.AF_UNIX:
                theirs, original = socket.socketpair()
            else:
                with socket.create_server(("127.0.0.1", 0)) as listening:
                    theirs = socket.create_connection(listening.getsockname())
                    original, _ = listening.accept()
            factory, peer = Keeping(), Peer(reactor, theirs)
            stream = reactor.adoptStreamConnection(original.fileno(), family, factory)
            await peer.send(b"hello")
            await until(reactor, lambda factory=factory: factory.protocols[0].received)
            assert factory.protocols[0].received == [b"hello"]
            stream.loseConnection()
            assert await peer.recv() == b""
            original.close()

    converse(reactor, conversation)


def test_other_families_are_refused(reactor: UvloopReactor) -> None:
    for adopt in (reactor.adoptStreamPort, reactor.adoptStreamConnection):
        with pytest.raises(UnsupportedAddressFamily):
            adopt(0, socket.AF_PACKET, Keeping())


def test_an_adopted_connection_nobody_wants_is_none(reactor: UvloopReactor) -> None:
    ours, _ = socket.socketpair()
    assert reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, Refusing()) is None
