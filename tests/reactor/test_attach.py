from __future__ import annotations

import asyncio
import gc
import socket

import pytest

from proxy.reactor.attach import attach
from proxy.reactor.loop import UvloopReactor


class Listener(asyncio.Protocol):
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.log.append("made")

    def data_received(self, data: bytes) -> None:
        self.log.append(data.decode())

    def connection_lost(self, exc: Exception | None) -> None:
        self.log.append("lost")


def test_connection_made_comes_before_anything_else_that_is_queued(reactor: UvloopReactor) -> None:
    ours, theirs = socket.socketpair()
    log: list[str] = []
    attachment = attach(reactor.loop, Listener(log), ours)
    reactor.loop.call_soon(log.append, "queued later")
    theirs.send(b"hello")
    reactor.iterate(0.05)
    assert log == ["made", "queued later", "hello"]
    attachment.close()


def test_closing_the_attachment_closes_the_socket_at_once_and_tells_nobody(reactor: UvloopReactor) -> None:
    ours, theirs = socket.socketpair()
    log: list[str] = []
    attachment = attach(reactor.loop, Listener(log), ours)
    reactor.iterate(0.02)
    attachment.close()
    assert theirs.recv(1) == b""
    assert ours.fileno() == -1
    reactor.iterate(0.02)
    assert log == ["made"]


def test_the_transport_lives_as_long_as_its_attachment(reactor: UvloopReactor) -> None:
    ours, theirs = socket.socketpair()
    log: list[str] = []
    attachment = attach(reactor.loop, Listener(log), ours)
    reactor.iterate(0.02)
    gc.collect()
    reactor.iterate(0.02)
    assert log == ["made"]
    theirs.close()
    reactor.iterate(0.02)
    assert log == ["made", "lost"]
    attachment.close()  # nothing is left to close


def test_a_closed_socket_is_refused(reactor: UvloopReactor) -> None:
    ours, _ = socket.socketpair()
    ours.close()
    with pytest.raises((OSError, ValueError)):
        attach(reactor.loop, Listener([]), ours)
