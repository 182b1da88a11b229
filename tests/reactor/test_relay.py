"""Streams of which one writes what the other reads, without asking a protocol, between raw sockets."""

from __future__ import annotations

import os
import socket

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory

from proxy.reactor.loop import UvloopReactor
from tests.reactor.conversation import Pacing, Recorder, connection, converse, pause, take, two, until

MUCH = os.urandom(64 * 1024) * 512  # 32 MiB: more than the kernel takes


def test_what_comes_goes_to_the_other_after_what_was_written_before(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        await sender.send(b"for the protocol")
        await until(reactor, lambda: source.received)
        target.transport.write(b"before ")
        relay = source.transport.relay_to(target.transport)
        assert relay is not None
        await sender.send(b"one ")
        assert await take(receiver, 11) == b"before one "
        await sender.send(b"two")
        assert await take(receiver, 3) == b"two"
        assert source.received == [b"for the protocol"]
        assert relay.moved == 7

    converse(reactor, conversation)


def test_it_goes_both_ways(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        one, first, other, second = await two(reactor)
        there, back = one.transport.relay_to(other.transport), other.transport.relay_to(one.transport)
        assert there is not None
        assert back is not None
        await first.send(b"ping")
        assert await second.recv() == b"ping"
        await second.send(b"pong!")
        assert await first.recv() == b"pong!"
        assert (there.moved, back.moved) == (4, 5)

    converse(reactor, conversation)


def test_the_producer_of_a_target_that_takes_no_more_is_paused_and_resumed(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        producer = Pacing(source)
        target.transport.registerProducer(producer, True)
        relays = source.transport.relay_to(target.transport), target.transport.relay_to(source.transport)
        sending = sender.sending(MUCH)
        await until(reactor, lambda: producer.log)
        await pause(reactor)
        assert producer.log == ["pause"]
        assert await take(receiver, len(MUCH)) == MUCH
        await sending
        await pause(reactor)
        assert producer.log[-1] == "resume"
        assert relays[0] is not None
        assert relays[0].moved == len(MUCH)

    converse(reactor, conversation)


def test_what_was_not_read_has_not_moved(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, _receiver = await two(reactor)
        source.transport.pauseProducing()
        await sender.send(b"12345")
        await pause(reactor)
        relay = source.transport.relay_to(target.transport)
        assert relay is not None
        assert relay.moved == 0
        source.transport.resumeProducing()
        await until(reactor, lambda: relay.moved)
        assert relay.moved == 5

    converse(reactor, conversation)


def test_the_end_of_the_source_is_told_and_no_byte(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        relay = source.transport.relay_to(target.transport)
        assert relay is not None
        await sender.send(b"last words")
        sender.sock.shutdown(socket.SHUT_WR)
        assert (await source.ended()).type is ConnectionDone
        assert await take(receiver, 10) == b"last words"
        assert relay.moved == 10
        await pause(reactor)
        assert relay.moved == 10, "what is known stays when the socket is closed"
        assert target.reason is None

    converse(reactor, conversation)


def test_a_reset_of_either_is_told(reactor: UvloopReactor, failures: list[BaseException]) -> None:
    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        relay = source.transport.relay_to(target.transport)
        receiver.reset()
        assert (await target.ended()).type is ConnectionLost
        await sender.send(b"into the void")
        await pause(reactor)
        assert source.reason is None, "the protocol decides what becomes of it"
        sender.reset()
        assert (await source.ended()).type is ConnectionLost
        assert relay is not None

    converse(reactor, conversation)
    assert not failures


def test_what_is_unsent_has_to_go_first(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        target.transport.write(MUCH)
        assert source.transport.relay_to(target.transport) is None
        await sender.send(b"as ever")
        await until(reactor, lambda: source.received)
        assert source.received == [b"as ever"]
        assert await take(receiver, len(MUCH)) == MUCH

    converse(reactor, conversation)


def test_the_kernel_knows_for_how_long_nothing_came(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, sender, target, receiver = await two(reactor)
        relay = source.transport.relay_to(target.transport)
        assert relay is not None
        await pause(reactor, 0.3)
        assert relay.quiet_seconds >= 0.25
        await sender.send(b"x")
        await take(receiver, 1)
        assert relay.quiet_seconds < 0.25

    converse(reactor, conversation)


def test_nobody_counts_the_bytes_of_a_unix_socket(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        target, _ = await connection(reactor)
        source = Recorder()
        factory = Factory()
        factory.buildProtocol = lambda _: source  # type: ignore[method-assign]
        port = reactor.listenUNIX("here.sock", factory)
        with socket.socket(socket.AF_UNIX) as sender:
            sender.connect("here.sock")
            await source.made
            assert source.transport.relay_to(target.transport) is None
            source.transport.loseConnection()
            await source.ended()
        await port.stopListening()

    converse(reactor, conversation)


def test_only_streams_of_this_kind_are_relayed(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        source, _ = await connection(reactor)
        assert source.transport.relay_to(object()) is None

    converse(reactor, conversation)
