from __future__ import annotations

import socket

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from zope.interface import implementer

from proxy.reactor.loop import READ_BYTES, UvloopReactor
from tests.reactor.conversation import Recorder, connection, converse, pause, until


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Recorder):
    def __init__(self) -> None:
        super().__init__()
        self.halves: list[str] = []

    def readConnectionLost(self) -> None:
        self.halves.append("read")

    def writeConnectionLost(self) -> None:
        self.halves.append("write")


def test_data_arrives_in_order_and_in_pieces_of_68_kib_at_most(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor)
        sent = bytes(range(256)) * 4096
        await peer.send(sent)
        await until(reactor, lambda: b"".join(ours.received) == sent)
        assert max(map(len, ours.received)) <= READ_BYTES == 68 * 1024

    converse(reactor, conversation)


def test_pausing_within_data_received_stops_delivery_at_once(reactor: UvloopReactor) -> None:
    class Pausing(Recorder):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.transport.pauseProducing()

    async def conversation() -> None:
        ours, peer = await connection(reactor, Pausing())
        await peer.send(b"x" * 300_000)
        for count in (1, 2, 3):
            await until(reactor, lambda count=count: len(ours.received) >= count)
            await pause(reactor)
            assert len(ours.received) == count
            assert not ours.transport.reading
            ours.transport.resumeProducing()

    converse(reactor, conversation)


def test_pausing_within_connection_made_holds_from_the_start(reactor: UvloopReactor) -> None:
    class Pausing(Recorder):
        def connectionMade(self) -> None:
            super().connectionMade()
            self.transport.pauseProducing()
            self.transport.write(b"welcome")

    async def conversation() -> None:
        ours, peer = await connection(reactor, Pausing())
        await peer.send(b"hello")
        peer.sock.shutdown(socket.SHUT_WR)
        assert await peer.recv() == b"welcome"
        await pause(reactor)
        assert (ours.received, ours.reason) == ([], None)
        ours.transport.resumeProducing()
        assert (await ours.ended()).check(ConnectionDone)
        assert ours.received == [b"hello"]

    converse(reactor, conversation)


def test_losing_the_connection_within_connection_made_sends_what_was_written(reactor: UvloopReactor) -> None:
    class Brief(Recorder):
        def connectionMade(self) -> None:
            super().connectionMade()
            self.transport.write(b"bye")
            self.transport.loseConnection()

    async def conversation() -> None:
        ours, peer = await connection(reactor, Brief())
        assert await peer.read_to_end() == b"bye"
        assert (await ours.ended()).check(ConnectionDone)

    converse(reactor, conversation)


def test_a_peer_that_sent_too_much_still_reads_to_the_end(reactor: UvloopReactor) -> None:
    """Closing with unread bytes resets: the end has to be said before."""

    async def conversation() -> None:
        ours, peer = await connection(reactor)
        ours.transport.pauseProducing()
        await peer.send(b"unread")
        await pause(reactor)
        ours.transport.write(b"response")
        ours.transport.loseConnection()
        assert await peer.read_to_end() == b"response"

    converse(reactor, conversation)


def test_ending_our_side_of_a_dead_connection_is_its_end(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor)
        ours.transport.pauseProducing()
        peer.reset()
        await pause(reactor)
        assert ours.reason is None  # nobody reads
        ours.transport.loseWriteConnection()
        assert (await ours.ended()).check(ConnectionLost)

    converse(reactor, conversation)


def test_losing_the_connection_within_data_received_stops_delivery(reactor: UvloopReactor) -> None:
    class Leaving(Recorder):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.transport.write(b"enough")
            self.transport.loseConnection()
            assert self.reason is None  # never within the call

    async def conversation() -> None:
        ours, peer = await connection(reactor, Leaving())
        await peer.send(b"x" * (READ_BYTES + 1))
        assert (await ours.ended()).check(ConnectionDone)
        assert len(ours.received) == 1

    converse(reactor, conversation)


def test_the_peer_ends_cleanly(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor)
        transport = ours.transport
        await peer.send(b"last")
        peer.sock.close()
        assert (await ours.ended()).check(ConnectionDone)
        assert ours.received == [b"last"]
        assert (transport.connected, transport.disconnected) == (0, 1)
        assert transport not in reactor.streams
        transport.write(b"to nobody")
        transport.loseConnection()
        transport.abortConnection()
        transport.pauseProducing()
        transport.resumeProducing()
        await pause(reactor)
        assert transport.fileno() == -1

    converse(reactor, conversation)


def test_a_reset_by_the_peer_is_a_lost_connection(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor)
        peer.reset()
        assert (await ours.ended()).check(ConnectionLost)

    converse(reactor, conversation)


def test_a_reset_met_while_writing_is_a_lost_connection(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor)
        ours.transport.pauseProducing()
        peer.reset()
        await pause(reactor)
        assert ours.reason is None
        ours.transport.write(b"anybody there?")
        ours.transport.loseConnection()
        assert (await ours.ended()).check(ConnectionLost)

    converse(reactor, conversation)


def test_what_the_peer_said_before_a_write_failed_is_read(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor)
        ours.transport.write(b"a long upload")
        await pause(reactor)
        # All of it happens before the reactor looks again: the answer, the reset for what was not read, our next write.
        peer.sock.send(b"too long")
        peer.sock.close()
        ours.transport._uv.write(b"more")
        assert (await ours.ended()).check(ConnectionLost)
        assert ours.received == [b"too long"]

    converse(reactor, conversation)


def test_abort_resets_the_connection_and_drops_what_was_written(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor)
        ours.transport.write(b"never sent")
        ours.transport.abortConnection()
        ours.transport.resumeProducing()
        assert ours.reason is None  # never within the call
        assert (await ours.ended()).check(ConnectionAborted)
        with pytest.raises(ConnectionResetError):
            await peer.recv()

    converse(reactor, conversation)


def test_half_close_by_the_peer(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor, HalfCloseable())
        await peer.send(b"question")
        peer.sock.shutdown(socket.SHUT_WR)
        await until(reactor, lambda: ours.halves)
        assert (ours.received, ours.halves, ours.reason) == ([b"question"], ["read"], None)
        ours.transport.resumeProducing()
        await pause(reactor)
        assert ours.halves == ["read"]  # once
        ours.transport.write(b"answer")
        ours.transport.loseConnection()
        assert await peer.read_to_end() == b"answer"
        assert (await ours.ended()).check(ConnectionDone)

    converse(reactor, conversation)


def test_half_close_by_us(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor, HalfCloseable())
        body = b"x" * (4 << 20)
        ours.transport.write(body)
        ours.transport.loseWriteConnection()
        await pause(reactor)
        assert ours.halves == []  # not before all is sent
        assert await peer.read_to_end() == body
        await peer.send(b"thanks")
        peer.sock.shutdown(socket.SHUT_WR)
        await until(reactor, lambda: len(ours.halves) == 2)
        assert (ours.halves, ours.received, ours.reason) == (["write", "read"], [b"thanks"], None)
        ours.transport.loseConnection()
        assert ours.reason.check(ConnectionDone)

    converse(reactor, conversation)


def test_a_protocol_that_raises_loses_its_connection_for_that_reason(
    reactor: UvloopReactor, failures: list[BaseException]
) -> None:
    class Buggy(Recorder):
        def dataReceived(self, data: bytes) -> None:
            raise ZeroDivisionError("a bug")

    async def conversation() -> None:
        ours, peer = await connection(reactor, Buggy())
        await peer.send(b"x")
        assert (await ours.ended()).check(ZeroDivisionError)
        assert await peer.recv() == b""

    converse(reactor, conversation)
    assert [str(failure) for failure in failures] == ["a bug"]


def test_the_socket_is_a_socket_and_its_options_are_told_truly(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, _ = await connection(reactor)
        transport = ours.transport
        handle = transport.getHandle()
        assert isinstance(handle, socket.socket)
        assert transport.getTcpNoDelay() is True
        transport.setTcpNoDelay(False)
        assert handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
        assert transport.getTcpKeepAlive() is False
        transport.setTcpKeepAlive(True)
        assert transport.getTcpKeepAlive() is True

    converse(reactor, conversation)
