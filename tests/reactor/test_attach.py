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
    attach(reactor.loop, Listener(log), ours)
    reactor.loop.call_soon(log.append, "queued later")
    theirs.send(b"hello")
    reactor.iterate(0.05)
    assert log == ["made", "queued later", "hello"]


def test_the_transport_outlives_the_coroutine_that_made_it(reactor: UvloopReactor) -> None:
    ours, theirs = socket.socketpair()
    log: list[str] = []
    attach(reactor.loop, Listener(log), ours)
    reactor.iterate(0.02)
    gc.collect()
    reactor.iterate(0.02)
    assert log == ["made"]
    theirs.close()
    reactor.iterate(0.02)
    assert log == ["made", "lost"]


def test_a_closed_socket_is_refused(reactor: UvloopReactor) -> None:
    ours, _ = socket.socketpair()
    ours.close()
    with pytest.raises((OSError, ValueError)):
        attach(reactor.loop, Listener([]), ours)
