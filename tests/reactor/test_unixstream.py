from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import unix
from twisted.internet.error import FileDescriptorOverrun
from twisted.internet.interfaces import IFileDescriptorReceiver, IUNIXTransport
from twisted.internet.protocol import Factory
from zope.interface import implementer
from zope.interface.verify import verifyObject

from proxy.reactor.loop import UvloopReactor
from proxy.reactor.unixstream import UNIXStream
from tests.reactor.conversation import Peer, Recorder, converse, pause, until


@implementer(IFileDescriptorReceiver)
class Receiver(Recorder):
    def __init__(self) -> None:
        super().__init__()
        self.descriptors: list[int] = []

    def fileDescriptorReceived(self, descriptor: int) -> None:
        self.descriptors.append(descriptor)


async def unix_connection(reactor: UvloopReactor, protocol: Recorder) -> tuple[Any, Peer]:
    ours, theirs = socket.socketpair()
    factory = Factory()
    factory.buildProtocol = lambda addr: protocol  # type: ignore[method-assign]
    reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, factory)
    ours.close()
    await pause(reactor, 0.01)
    return protocol, Peer(reactor, theirs)


def test_descriptors_go_with_the_first_bytes(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await unix_connection(reactor, Recorder())
        assert isinstance(ours.transport, UNIXStream)
        verifyObject(IUNIXTransport, ours.transport)
        readable, writable = os.pipe()
        ours.transport.sendFileDescriptor(readable)
        ours.transport.sendFileDescriptor(writable)
        ours.transport.write(b"ab")
        ours.transport.write(b"cd")
        await pause(reactor)
        received: list[int] = []
        data = b""
        while len(data) < 4:
            piece, descriptors, _, _ = socket.recv_fds(peer.sock, 4, 2)
            data += piece
            received += descriptors
        assert data == b"abcd"
        os.write(received[1], b"through the copies")
        assert os.read(received[0], 100) == b"through the copies"
        for descriptor in (readable, writable, *received):
            os.close(descriptor)

    converse(reactor, conversation)


def test_more_descriptors_than_bytes_lose_the_connection(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, _peer = await unix_connection(reactor, Recorder())  # kept: it would be closed, and that be the reason
        for _ in range(3):
            ours.transport.sendFileDescriptor(0)
        ours.transport.write(b"ab")
        assert (await ours.ended()).check(FileDescriptorOverrun)

    converse(reactor, conversation)


def test_no_pipe_overtakes_a_descriptor(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, _ = await unix_connection(reactor, Recorder())
        assert ours.transport.takes_pipes
        ours.transport.sendFileDescriptor(0)
        assert not ours.transport.takes_pipes

    converse(reactor, conversation)


def test_descriptors_wait_for_a_slow_reader(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await unix_connection(reactor, Recorder())
        ours.transport.write(b"x" * 2_000_000)
        await pause(reactor)
        ours.transport.sendFileDescriptor(0)
        ours.transport.write(b"the end")
        ours.transport.loseConnection()
        received, data = [], b""
        while not data.endswith(b"the end"):
            await pause(reactor, 0.001)
            try:
                piece, descriptors, _, _ = socket.recv_fds(peer.sock, 65536, 1)
            except BlockingIOError:
                continue
            data += piece
            received += descriptors
        assert len(data) == 2_000_007
        assert len(received) == 1
        os.close(received[0])

    converse(reactor, conversation)


def test_a_protocol_that_receives_descriptors_has_twisteds_own_transport(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await unix_connection(reactor, Receiver())
        assert isinstance(ours.transport, unix.Server)
        socket.send_fds(peer.sock, [b"take this"], [0])
        await until(reactor, lambda: ours.received)
        assert ours.received == [b"take this"]
        assert len(ours.descriptors) == 1
        os.close(ours.descriptors[0])

    converse(reactor, conversation)
