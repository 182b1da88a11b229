"""One scripted origin for a whole module of tests: each test gives it another conversation."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any

from tests.support.origin import Conversation, OriginConnection, ScriptedOrigin
from tests.support.proxy import RunningProxy

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Stage:
    """`play` a conversation: from then on every connection is held by it, and those of the play before are closed."""

    def __init__(self) -> None:
        self._conversation: Conversation = _silence
        self._origin = ScriptedOrigin(lambda connection: self._conversation(connection))
        self._first = 0

    @property
    def port(self) -> int:
        return self._origin.port

    @property
    def connections(self) -> list[OriginConnection]:
        """All that were accepted since the play began."""
        return self._origin.connections[self._first :]

    @property
    def received(self) -> bytes:
        """All bytes that came since the play began, one connection after the other."""
        return b"".join(connection.received for connection in self.connections)

    def play(self, conversation: Conversation) -> None:
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        time.sleep(0.05)  # the proxy learns of it
        self._first = len(self._origin.connections)
        self._conversation = conversation

    def close(self) -> None:
        self._origin.close()


def _silence(connection: OriginConnection) -> None:
    connection.read_head()


def eventually(condition: Callable[[], Any], seconds: float = 5.0) -> Any:
    """The first true value of `condition`; AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{condition} did not come true in {seconds} s"
        time.sleep(0.02)
    return value


def logged(proxy: RunningProxy, target: str, count: int = 1) -> dict[str, Any]:
    """The last line of the access log about `target`, once there are `count`."""

    def lines() -> list[dict[str, Any]]:
        found = [line for line in proxy.access_log() if line["target"] == target]
        return found if len(found) >= count else []

    found: list[dict[str, Any]] = eventually(lines)
    return found[-1]
