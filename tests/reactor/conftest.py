"""Reactors for the tests of this room, each on a loop of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from twisted.logger import globalLogPublisher

from proxy.reactor.loop import UvloopReactor


@pytest.fixture(autouse=True)
def _in_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Twisted's tests make their temporary files below the working directory.
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def reactor() -> Iterator[UvloopReactor]:
    """A reactor that is not running: `tests.reactor.conversation.converse` runs it."""
    loop = uvloop.new_event_loop()
    reactor = UvloopReactor(loop)
    yield reactor
    reactor.disconnectAll()
    if reactor.threadpool is not None:
        reactor.threadpool.stop()
    reactor.removeReader(reactor.waker)
    reactor.waker.connectionLost(None)
    loop.call_soon(loop.stop)
    loop.run_forever()  # the turn in which aborted streams close their sockets
    loop.close()


@pytest.fixture
def failures() -> Iterator[list[BaseException]]:
    """The exceptions that are logged meanwhile."""
    seen: list[BaseException] = []

    def observe(event: Any) -> None:
        if "log_failure" in event:
            seen.append(event["log_failure"].value)

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)
