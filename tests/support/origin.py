"""An upstream that misbehaves on purpose: each connection is a function of a plain socket."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType

from tests.support.ports import LOOPBACK

TIMEOUT_SECONDS = 20.0

Conversation = Callable[["OriginConnection"], None]


class OriginConnection:
    """The upstream's end of one connection, inside a thread of its own."""

    def __init__(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(TIMEOUT_SECONDS)
        self.socket = connection
        self.number = number
        self.received = b""
        """Everything read so far, all requests in a row."""
        self._unread = b""

    def read_head(self) -> bytes:
        """One request head with its empty line; b"" when the peer closed instead."""
        while b"\r\n\r\n" not in self._unread:
            if not self._read():
                return b""
        head, mark, self._unread = self._unread.partition(b"\r\n\r\n")
        return head + mark

    def read_exactly(self, size: int) -> bytes:
        """`size` bytes of a body; fewer when the peer closed."""
        while len(self._unread) < size:
            if not self._read():
                break
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _read(self) -> bool:
        data = self.socket.recv(65536)
        self.received += data
        self._unread += data
        return bool(data)


class ScriptedOrigin:
    """
    Accepts on a port of its own and holds `conversation` with each connection, which ends with it.

    `connections` lists every one ever accepted. What a conversation raises is raised again by `close()`,
    unless it is the peer's leaving (ConnectionError) or the closing itself.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._listener = socket.create_server((LOOPBACK, 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.connections: list[OriginConnection] = []
        self._failures: list[Exception] = []
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def __enter__(self) -> "ScriptedOrigin":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def close(self) -> None:
        self._closing = True
        # Closing a listener does not wake a thread that sits in accept(); shutting it down does.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(TIMEOUT_SECONDS)
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(TIMEOUT_SECONDS)
        if self._failures:
            raise self._failures[0]

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            connection = OriginConnection(accepted, len(self.connections))
            self.connections.append(connection)
            thread = threading.Thread(target=self._converse, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _converse(self, connection: OriginConnection) -> None:
        with connection.socket:
            try:
                self._conversation(connection)
            except ConnectionError:
                return
            except Exception as failure:  # noqa: BLE001 - kept for close(), which raises it in the test's thread
                if not self._closing:
                    self._failures.append(failure)


def answering(response: bytes) -> Conversation:
    """A conversation that answers every request head (of requests without body) with the same bytes."""

    def converse(connection: OriginConnection) -> None:
        while connection.read_head():
            connection.send(response)

    return converse
