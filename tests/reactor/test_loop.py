from __future__ import annotations

import builtins
import contextvars
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.threads import deferToThreadPool

import proxy.reactor
from proxy.reactor.loop import UvloopReactor
from tests.reactor.conversation import Recorder, connection, converse, pause, until


def test_delayed_calls_come_in_order_and_never_early(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        log: list[tuple[str, bool]] = []
        began = time.time()

        def note(name: str, delay: float) -> None:
            log.append((name, time.time() - began >= delay))

        for name, delay in (("c", 0.0302), ("a", 0), ("b", 0.0101)):
            reactor.callLater(delay, note, name, delay)
        cancelled = reactor.callLater(0.02, note, "cancelled", 0.02)
        sooner = reactor.callLater(9, note, "d", 0.04)
        cancelled.cancel()
        sooner.reset(0.0401)
        await pause(reactor, 0.1)
        assert log == [("a", True), ("b", True), ("c", True), ("d", True)]

    converse(reactor, conversation)


def test_a_call_made_by_a_call_waits_for_the_next_turn(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        log: list[str] = []

        def first() -> None:
            reactor.callLater(0, log.append, "second")
            reactor.loop.call_soon(log.append, "between")
            log.append("first")

        reactor.callLater(0, first)
        await pause(reactor)
        assert sorted(log) == ["between", "first", "second"]
        assert log[0] == "first"

    converse(reactor, conversation)


def test_a_waiting_reactor_does_not_spin(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        turns = 0
        run = reactor.runUntilCurrent

        def counting() -> None:
            nonlocal turns
            turns += 1
            run()

        reactor.runUntilCurrent = counting  # type: ignore[method-assign]
        reactor.callLater(0.05, lambda: None)
        await pause(reactor, 0.2)
        assert turns <= 4

    converse(reactor, conversation)


def test_threads_wake_the_reactor(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        log: list[tuple[int, bool]] = []
        reactor_thread = threading.get_ident()

        def work() -> None:
            for number in range(100):
                reactor.callFromThread(
                    lambda number=number: log.append((number, threading.get_ident() == reactor_thread))
                )

        await deferToThreadPool(reactor, reactor.getThreadPool(), work)
        await pause(reactor, 0.02)
        assert log == [(number, True) for number in range(100)]

    converse(reactor, conversation)


def test_shutdown_loses_all_connections_the_paused_ones_too(reactor: UvloopReactor) -> None:
    made: list[Any] = []

    async def conversation() -> None:
        for _ in range(2):
            made.append(await connection(reactor))
        made[0][0].transport.pauseProducing()

    converse(reactor, conversation)
    for ours, peer in made:
        assert ours.reason.check(ConnectionLost)
        peer.sock.setblocking(True)
        assert peer.sock.recv(1) == b""


def test_readers_and_writers_are_those_that_read_and_write(reactor: UvloopReactor) -> None:
    async def conversation() -> None:
        ours, _ = await connection(reactor)
        stream = ours.transport
        assert stream in reactor.getReaders()
        assert stream not in reactor.getWriters()
        reactor.removeReader(stream)
        assert stream not in reactor.getReaders()
        reactor.addReader(stream)
        assert stream in reactor.getReaders()
        stream.write(b"x")
        assert stream in reactor.getWriters()
        await pause(reactor)
        assert stream not in reactor.getWriters()

    converse(reactor, conversation)


def test_a_reactor_can_be_iterated_by_hand(reactor: UvloopReactor) -> None:
    log: list[str] = []
    reactor.callLater(0, log.append, "soon")
    reactor.callLater(0.02, log.append, "later")
    reactor.iterate()
    reactor.iterate()
    assert log == ["soon"]
    reactor.iterate(0.05)
    assert log == ["soon", "later"]


def test_an_iteration_that_something_else_ended_ends_no_later_run(reactor: UvloopReactor) -> None:
    log: list[str] = []
    reactor.callLater(0, reactor.loop.stop)
    reactor.iterate(0.05)
    reactor.callLater(0.1, log.append, "later")
    reactor.callLater(0.11, reactor.loop.stop)
    reactor.loop.run_forever()
    assert log == ["later"]


def test_timers_and_producers_run_in_the_context_of_the_reactor(reactor: UvloopReactor) -> None:
    """And not in that of the connection whose event happened to wake them."""
    whose: contextvars.ContextVar[str] = contextvars.ContextVar("whose", default="nobody's")
    seen: list[str] = []

    class Setting(Recorder):
        def dataReceived(self, data: bytes) -> None:
            whose.set("a client's")
            super().dataReceived(data)
            reactor.callLater(0, lambda: seen.append(whose.get()))
            reactor.callLater(0.01, lambda: seen.append(whose.get()))

    async def conversation() -> None:
        ours, peer = await connection(reactor, Setting())
        await peer.send(b"x")
        await until(reactor, lambda: len(seen) == 2)
        assert seen == ["nobody's"] * 2
        assert ours.received == [b"x"]

    converse(reactor, conversation)


def test_a_call_from_a_thread_that_comes_while_the_queue_is_emptied_wakes_the_reactor(reactor: UvloopReactor) -> None:
    seen: list[str] = []

    class Queue(list[Any]):
        """The thread has seen the queue, the reactor empties it, and only then is the call in it."""

        def append(self, call: Any) -> None:
            emptied.wait(5)
            super().append(call)

    emptied = threading.Event()

    async def conversation() -> None:
        reactor.threadCallQueue = Queue([(lambda: None, (), {})])
        reactor.wakeUp()
        thread = threading.Thread(target=reactor.callFromThread, args=(seen.append, "called"))
        thread.start()
        await until(reactor, lambda: not reactor.threadCallQueue)
        waited = reactor.seconds()
        emptied.set()
        thread.join()
        await until(reactor, lambda: seen)
        assert reactor.seconds() - waited < 5

    converse(reactor, conversation)


def test_without_uvloop_install_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_uvloop(name: str, *args: Any) -> Any:
        if name == "uvloop":
            raise ImportError("No module named 'uvloop'")
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without_uvloop)
    with pytest.raises(ImportError, match="needs uvloop: run `pip install uvloop`"):
        proxy.reactor.install()


def test_importing_the_room_imports_neither_uvloop_nor_a_reactor() -> None:
    code = "import sys, proxy.reactor; print([m for m in ('uvloop', 'twisted.internet.base') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout == "[]\n", done.stderr


# As twistd does when it daemonizes: the reactor is made before the fork and runs after it.
FORKED = """
import os, sys
from proxy.reactor import install
install()
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.internet.defer import Deferred

child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)

class Asking(Protocol):
    def __init__(self):
        self.answer = Deferred()
    def dataReceived(self, data):
        self.answer.callback(data)

async def main():
    assert await deferToThread(lambda: 42) == 42
    port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory.forProtocol(Echo))
    asking = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port), Asking())
    asking.transport.write(b"alive after the fork")
    print((await asking.answer).decode(), flush=True)

reactor.callWhenRunning(lambda: Deferred.fromCoroutine(main()).addBoth(lambda r: (r and print(r), reactor.stop())))
reactor.run()
"""


def test_a_reactor_made_before_a_fork_runs_after_it() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.returncode) == ("alive after the fork\n", 0), done.stderr
