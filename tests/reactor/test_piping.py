"""Streams joined by a pipe, between raw sockets."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.error import ConnectionDone, ConnectionLost

from proxy.reactor.loop import UvloopReactor
from proxy.reactor.piping import most_pipes
from tests.reactor.conversation import Pacing, Recorder, converse, pause, take, two, until

BODY = os.urandom(64 * 1024) * 32  # 2 MiB


class Owner:
    """What it was told."""

    def __init__(self) -> None:
        self.moved = 0
        self.over = 0

    def piped(self, size: int) -> None:
        assert size > 0
        assert not self.over
        self.moved += size

    def pipe_over(self) -> None:
        self.over += 1


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_all_bytes_arrive_in_order_and_the_protocol_sees_none_of_them(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        owner, before = Owner(), descriptors()
        target.transport.write(b"before ")
        assert source.transport.pipe_to(target.transport, len(BODY), owner)
        target.transport.write(b" after")
        sending = sender.sending(BODY + b"next")
        assert await take(receiver, len(BODY) + 13) == b"before " + BODY + b" after"
        await sending
        await until(reactor, lambda: source.received)
        assert source.received == [b"next"]
        assert (owner.moved, owner.over) == (len(BODY), 1)
        assert reactor.pipes == set()
        assert descriptors() == before

    converse(reactor, conversation)


def test_it_begins_while_much_that_was_written_before_is_unsent(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        owner = Owner()
        target.transport.registerProducer(Pacing(source), True)
        target.transport.write(BODY * 16)  # more than the kernel takes
        assert source.transport.pipe_to(target.transport, 5, owner)
        await sender.send(b"12345")
        await pause(reactor)
        assert owner.moved == 0
        assert await take(receiver, len(BODY) * 16 + 5) == BODY * 16 + b"12345"
        await until(reactor, lambda: owner.over)

    converse(reactor, conversation)


def test_a_producer_is_paused_in_the_turn_of_the_beginning_and_resumed_after_it(reactor: UvloopReactor) -> None:
    """It was paused for what the turn has sent, not for what is unsent: nobody but the pipe would ever resume it."""

    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        producer, owner = Pacing(source), Owner()
        target.transport.registerProducer(producer, True)
        target.transport.write(BODY[: 96 * 1024])
        assert producer.log == ["pause"]
        assert source.transport.pipe_to(target.transport, len(BODY), owner)
        sending = sender.sending(BODY)
        assert await take(receiver, 96 * 1024 + len(BODY)) == BODY[: 96 * 1024] + BODY
        await sending
        assert producer.log[:2] == ["pause", "resume"]

    converse(reactor, conversation)


def test_a_receiver_that_does_not_read_pauses_the_producer_and_holds_the_sender_back(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        producer, owner = Pacing(source), Owner()
        target.transport.registerProducer(producer, True)
        assert source.transport.pipe_to(target.transport, 32 * len(BODY), owner)
        sending = sender.sending(BODY * 32)
        await until(reactor, lambda: producer.log)
        moved = owner.moved
        await pause(reactor)
        assert (producer.log, owner.moved) == (["pause"], moved)
        assert not sending.called
        assert await take(receiver, 32 * len(BODY)) == BODY * 32
        await sending
        assert (owner.moved, owner.over) == (32 * len(BODY), 1)
        assert producer.log.count("pause") == producer.log.count("resume")

    converse(reactor, conversation)


def test_the_source_may_be_paused(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        owner = Owner()
        assert source.transport.pipe_to(target.transport, 6, owner)
        await sender.send(b"one")
        assert await receiver.recv() == b"one"
        source.transport.pauseProducing()
        await sender.send(b"two")
        await pause(reactor)
        assert owner.moved == 3
        source.transport.resumeProducing()
        assert await receiver.recv() == b"two"
        await until(reactor, lambda: owner.over)

    converse(reactor, conversation)


def test_no_byte_more_than_wanted_is_taken(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        owner = Owner()
        assert source.transport.pipe_to(target.transport, 3, owner)
        await sender.send(b"onetwo")
        assert await receiver.recv() == b"one"
        await until(reactor, lambda: source.received)
        assert source.received == [b"two"]
        another = Owner()
        assert source.transport.pipe_to(target.transport, 5, another)
        await sender.send(b"three")
        assert await receiver.recv() == b"three"
        await until(reactor, lambda: another.over)
        assert (owner.moved, owner.over) == (3, 1)

    converse(reactor, conversation)


def test_the_end_of_the_source_ends_the_pipe_and_is_told_to_the_protocol(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        owner = Owner()
        assert source.transport.pipe_to(target.transport, 100, owner)
        await sender.send(b"half")
        sender.sock.shutdown(socket.SHUT_WR)
        assert (await source.ended()).check(ConnectionDone)
        assert (owner.moved, owner.over) == (4, 1)
        assert await receiver.recv() == b"half"
        target.transport.write(b"still here")
        assert await receiver.recv() == b"still here"

    converse(reactor, conversation)


def test_what_was_written_meanwhile_is_sent_when_the_source_is_lost(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        owner, before = Owner(), descriptors()
        assert source.transport.pipe_to(target.transport, 100, owner)
        target.transport.write(b"after")
        target.transport.loseConnection()
        await pause(reactor)
        sender.reset()
        assert (await source.ended()).check(ConnectionLost)
        assert await receiver.read_to_end() == b"after"
        assert (await target.ended()).check(ConnectionDone)
        assert owner.over == 0
        assert reactor.pipes == set()
        await pause(reactor)
        assert descriptors() == before - 3  # two of ours, and one end that the test has closed

    converse(reactor, conversation)


def test_when_the_target_is_lost_the_source_reads_on(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        owner = Owner()
        assert source.transport.pipe_to(target.transport, 99 * len(BODY), owner)
        sending = sender.sending(BODY * 16)  # more than the kernel takes
        await until(reactor, lambda: owner.moved)
        receiver.reset()
        assert (await target.ended()).check(ConnectionLost)
        await sending
        await until(reactor, lambda: source.received)
        assert owner.over == 0
        assert reactor.pipes == set()

    converse(reactor, conversation)


def test_what_the_target_said_before_it_took_no_more_is_read(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        owner = Owner()
        assert source.transport.pipe_to(target.transport, 99 * len(BODY), owner)
        await sender.send(BODY[:1000])
        await until(reactor, lambda: owner.moved)
        # All of it before the reactor looks again, so that the pipe meets it first.
        target.transport._uv.pause_reading()  # type: ignore[union-attr] # it is connected
        receiver.sock.send(b"too long")
        receiver.sock.close()
        await sender.send(BODY[:1000])
        await until(reactor, lambda: target.reason is not None)
        assert target.received == [b"too long"]

    converse(reactor, conversation)


def test_either_side_may_be_aborted(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        for aborted in (0, 2):
            ends = await two(reactor)
            source, target = ends[0], ends[2]
            assert source.transport.pipe_to(target.transport, 100, Owner())
            ends[aborted].transport.abortConnection()  # type: ignore[union-attr] # the protocols are at these places
            await ends[aborted].ended()  # type: ignore[union-attr]
            await until(reactor, lambda: not reactor.pipes)

    converse(reactor, conversation)


def test_an_owner_that_raises_ends_the_connection_that_the_bytes_came_by(
    reactor: UvloopReactor, failures: list[BaseException]
) -> None:
    class Broken(Owner):
        def piped(self, size: int) -> None:
            raise RuntimeError("no")

    async def conversation() -> None:
        source, sender, target, _ = await two(reactor)
        assert source.transport.pipe_to(target.transport, 100, Broken())
        await sender.send(b"word")
        assert (await source.ended()).check(RuntimeError)
        assert [str(error) for error in failures] == ["no"]
        assert reactor.pipes == set()
        assert target.reason is None

    converse(reactor, conversation)


Change = Callable[[Recorder, Recorder], None]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda source, target: setattr(source.transport.reactor, "most_pipes", 0), id="too many"),
        pytest.param(lambda source, target: source.transport.abortConnection(), id="source aborted"),
        pytest.param(lambda source, target: target.transport.loseWriteConnection(), id="target ended"),
        pytest.param(lambda source, target: target.transport.abortConnection(), id="target aborted"),
        pytest.param(lambda source, target: source.transport.pipe_to(target.transport, 9, Owner()), id="already"),
    ],
)
def test_where_it_cannot_be_nothing_changes(reactor: UvloopReactor, change: Change) -> None:
    async def conversation() -> None:
        source, _, target, _ = await two(reactor)
        change(source, target)
        before = len(reactor.pipes)
        assert source.transport.pipe_to(target.transport, 9, Owner()) is False
        assert source.transport.pipe_to(object(), 9, Owner()) is False
        assert len(reactor.pipes) == before

    converse(reactor, conversation)


def test_without_descriptors_the_bytes_come_as_ever(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, _ = await two(reactor)
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        open_now = descriptors()
        for left in range(4):
            highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
            holes = []
            try:
                while True:
                    holes.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                pass
            for hole in holes[:left]:
                os.close(hole)
            assert source.transport.pipe_to(target.transport, 9, Owner()) is False
            for hole in holes[left:]:
                os.close(hole)
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert descriptors() == open_now
        await sender.send(b"word")
        await until(reactor, lambda: source.received)

    converse(reactor, conversation)


def test_pipes_leave_descriptors_for_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    assert most_pipes() == 16
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1 << 20, 1 << 20))
    assert most_pipes() == 128
    monkeypatch.delattr(os, "splice")
    assert most_pipes() == 0
