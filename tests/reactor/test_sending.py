from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from zope.interface.verify import verifyObject

from proxy.reactor.loop import UvloopReactor
from proxy.reactor.sending import HIGH_WATER_BYTES
from tests.reactor.conversation import Producer, Recorder, connection, converse, pause, until


class Recording:
    """Stands before a uvloop transport and keeps what is written to it, call by call."""

    def __init__(self, uv: Any) -> None:
        self.uv = uv
        self.writes: list[list[bytes]] = []

    def write(self, data: bytes) -> None:
        self.writes.append([data])
        self.uv.write(data)

    def writelines(self, pieces: list[bytes]) -> None:
        self.writes.append(list(pieces))
        self.uv.writelines(pieces)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.uv, name)


def record(recorder: Recorder) -> Recording:
    recording = Recording(recorder.transport._uv)
    recorder.transport._uv = recording  # type: ignore[assignment] # it stands in for one
    return recording


def test_the_writes_of_a_turn_are_sent_together_and_in_order(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor)
        recording = record(ours)
        ours.transport.write(b"one ")
        ours.transport.writeSequence([b"two ", b"three "])
        ours.transport.write(b"four")
        assert recording.writes == []
        assert await peer.recv() == b"one two three four"
        ours.transport.write(b"next turn")
        assert await peer.recv() == b"next turn"
        assert recording.writes == [[b"one two three four"], [b"next turn"]]

    converse(reactor, conversation)


def test_large_pieces_are_not_copied_together(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor)
        recording = record(ours)
        head, body = b"head", b"x" * 30000
        ours.transport.write(head)
        ours.transport.write(body)
        await until(reactor, lambda: recording.writes)
        assert recording.writes == [[head, body]]
        assert recording.writes[0][1] is body
        received = b""
        while len(received) < len(head + body):
            received += await peer.recv()
        assert received == head + body

    converse(reactor, conversation)


def test_what_a_read_event_answers_leaves_once(reactor: UvloopReactor) -> None:
    class Answers(Recorder):
        def dataReceived(self, data: bytes) -> None:
            for byte in data:
                self.transport.write(bytes([byte]) * 2)

    async def conversation() -> None:
        ours, peer = await connection(reactor, Answers())
        recording = record(ours)
        await peer.send(b"abc")
        assert await peer.recv() == b"aabbcc"
        assert recording.writes == [[b"aabbcc"]]

    converse(reactor, conversation)


def test_a_view_of_bytes_is_sent_as_it_is(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor)
        recording = record(ours)
        read = b"head " + b"x" * 65536
        ours.transport.write(b"other head ")
        ours.transport.write(memoryview(read)[5:])
        heard = b""
        while len(heard) < 11 + 65536:
            heard += await peer.recv()
        assert heard == b"other head " + b"x" * 65536
        [[_, piece]] = recording.writes
        assert isinstance(piece, memoryview)
        assert piece.obj is read

    converse(reactor, conversation)


def test_only_bytes_are_written(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, _ = await connection(reactor)
        for wrong in ("text", bytearray(b"x"), None):
            with pytest.raises(TypeError, match="Data must be bytes"):
                ours.transport.write(wrong)
            with pytest.raises(TypeError, match="Data must be bytes"):
                ours.transport.writeSequence([b"fine", wrong])

    converse(reactor, conversation)


def test_a_push_producer_is_paused_by_what_the_turn_has_collected(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, _ = await connection(reactor)
        producer = Producer()
        ours.transport.registerProducer(producer, True)
        ours.transport.write(b"x" * HIGH_WATER_BYTES)  # the kernel will take it at once
        assert producer.log == []
        ours.transport.write(b"x")
        assert producer.log == ["pause"]
        await until(reactor, lambda: len(producer.log) == 2)
        assert producer.log == ["pause", "resume"]

    converse(reactor, conversation)


def test_a_push_producer_rests_until_a_slow_reader_has_everything(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor)
        producer = Producer()
        ours.transport.registerProducer(producer, True)
        size = 128 << 20
        ours.transport.write(b"x" * size)
        await pause(reactor)
        ours.transport.write(b"y")  # while uvloop is blocked
        assert producer.log[-1] == "pause"
        received = 0
        while received < size + 1 - (1 << 16):
            assert "resume" not in producer.log or received > size // 4  # the kernel's buffers hold some MB
            received += len(await peer.recv(1 << 16))
        while received < size + 1:
            received += len(await peer.recv())
        await pause(reactor)
        assert producer.log[-1] == "resume"
        assert producer.log.count("resume") == 1

    converse(reactor, conversation)


def test_a_pull_producer_is_asked_once_a_turn(reactor: UvloopReactor) -> None:
    class Pull(Producer):
        transport: Any

        def resumeProducing(self) -> None:
            super().resumeProducing()
            if len(self.log) <= 3:
                self.transport.write(f"part{len(self.log)} ".encode())
            else:
                self.transport.unregisterProducer()
                self.transport.loseConnection()

    async def conversation() -> None:
        ours, peer = await connection(reactor)
        producer = Pull()
        producer.transport = ours.transport
        recording = record(ours)
        ours.transport.registerProducer(producer, False)
        assert await peer.read_to_end() == b"part1 part2 part3 "
        assert recording.writes == [[b"part1 "], [b"part2 "], [b"part3 "]]
        assert producer.log == ["resume"] * 4

    converse(reactor, conversation)


def test_a_second_producer_is_refused_and_one_that_comes_too_late_is_stopped(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor)
        first, late = Producer(), Producer()
        ours.transport.registerProducer(first, True)
        with pytest.raises(RuntimeError, match="never unregistered"):
            ours.transport.registerProducer(Producer(), True)
        transport = ours.transport
        peer.sock.close()
        await ours.ended()
        assert first.log == ["stop"]
        transport.registerProducer(late, True)
        assert late.log == ["stop"]

    converse(reactor, conversation)


def test_lose_connection_sends_ten_megabytes_to_a_slow_reader_first(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor)
        pieces = [bytes([n % 251]) * 100_000 for n in range(100)]
        for piece in pieces:
            ours.transport.write(piece)
        ours.transport.loseConnection()
        await pause(reactor, 0.2)
        assert ours.reason is None
        assert await peer.read_to_end() == b"".join(pieces)
        assert (await ours.ended()).check(ConnectionDone)

    converse(reactor, conversation)


def test_what_is_written_after_our_side_has_ended_is_dropped(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, peer = await connection(reactor)
        ours.transport.write(b"last words")
        ours.transport.loseWriteConnection()
        assert await peer.read_to_end() == b"last words"
        ours.transport.write(b"too late")
        assert not ours.transport.writing
        await peer.send(b"still heard")
        await until(reactor, lambda: ours.received)
        assert ours.received == [b"still heard"]
        ours.transport.loseConnection()
        assert ours.reason is not None  # there was nothing to wait for

    converse(reactor, conversation)


def test_the_stream_provides_what_it_declares(reactor: UvloopReactor) -> None:
    from twisted.internet import interfaces

    async def conversation() -> None:
        ours, _ = await connection(reactor)
        for name in ("ITCPTransport", "ITLSTransport", "ISystemHandle", "IConsumer", "IPushProducer"):
            verifyObject(getattr(interfaces, name), ours.transport)
        verifyObject(interfaces.IHalfCloseableDescriptor, ours.transport)

    converse(reactor, conversation)
