"""Opens many connections through a proxy and leaves them idle, to see what one costs in memory."""

import contextlib
import socket
from collections.abc import Iterator, Sequence

from tests.bench.machine import LOOPBACK, BenchError
from tests.bench.rows import Row
from tests.bench.websocket import opening

# Well below every peer's accept queue, so that no handshake has to be repeated after a second.
_BATCH = 50
_TIMEOUT_SECONDS = 20.0
_HEAD_END = b"\r\n\r\n"


def greeting(row: Row, port: int) -> bytes:
    """What each connection says once: a request, or the opening of a WebSocket."""
    if row.kind.websocket:
        return opening(port, row.path)
    return f"GET {row.path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\n\r\n".encode("ascii")


@contextlib.contextmanager
def idle_connections(row: Row, port: int, count: int) -> Iterator[list[socket.socket]]:
    """Inside the block `count` connections are open, and each has had its one answer."""
    hello = greeting(row, port)
    status = b"HTTP/1.1 101 " if row.kind.websocket else b"HTTP/1.1 200 "
    connections: list[socket.socket] = []
    with contextlib.ExitStack() as stack:
        for start in range(0, count, _BATCH):
            batch = [stack.enter_context(_connect(port)) for _ in range(min(_BATCH, count - start))]
            connections += batch
            for connection in batch:
                connection.sendall(hello)
            for connection in batch:
                head = _read_head(connection)
                if not head.startswith(status):
                    raise BenchError(f"connection {start} and following: answered {head[:60]!r}")
        yield connections


def count_closed(connections: Sequence[socket.socket]) -> int:
    """How many of them the other side has closed meanwhile."""
    closed = 0
    for connection in connections:
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            closed += not _peek(connection)
    return closed


def _peek(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1, socket.MSG_PEEK)
    except ConnectionError:
        return b""


def _connect(port: int) -> socket.socket:
    return socket.create_connection((LOOPBACK, port), timeout=_TIMEOUT_SECONDS)


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while _HEAD_END not in head:
        try:
            data = connection.recv(4096)
        except TimeoutError:
            raise BenchError("a connection got no answer in time") from None
        if not data:
            raise BenchError("a connection was closed before its answer")
        head += data
    return head
