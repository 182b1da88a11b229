"""Bodies that do not fit into memory, peers that do not keep up, and bytes that must not wait."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable

import pytest

from proxy.limits import PIPED_BYTES
from tests.sockets.stage import Stage, eventually, logged
from tests.support.origin import OriginConnection
from tests.support.ports import LOOPBACK
from tests.support.proxy import RunningProxy
from tests.support.raw import RawClient

MIB = 1 << 20
#: 2 GiB with REVERSEPROXY_FULL=1.
SIZE = (2048 if os.environ.get("REVERSEPROXY_FULL") else 256) * MIB
#: What the process may grow by; the target for 2 GiB is 32 MiB.
GROWTH_KIB = 32 * 1024
PIECE = bytes(range(256)) * 1024


@pytest.fixture(scope="module")
def proxy(serve: Callable[..., RunningProxy], stage: Stage) -> RunningProxy:
    proxy = serve(
        f"""
        upstreams:
          stage: {{servers: ["http://{LOOPBACK}:{stage.port}"]}}
        routes:
          - {{upstream: stage}}
        limits: {{body: 0}}
        """
    )
    stage.play(lambda connection: connection.read_head() and connection.send(b"HTTP/1.1 204 No\r\n\r\n"))
    with proxy.connect() as client:
        client.get(b"/warm")
    return proxy


class Watch:
    """The most memory a process has while this is entered, in KiB above what it had before."""

    def __init__(self, proxy: RunningProxy) -> None:
        self._process = proxy.process
        self._before = proxy.process.rss_kib()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.growth = 0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.growth = max(self.growth, self._process.rss_kib() - self._before)


def send_size(peer: RawClient | OriginConnection, size: int) -> None:
    for _ in range(size // len(PIECE)):
        peer.send(PIECE)


def receive_size(sock: socket.socket, size: int, buffer: bytearray) -> int:
    """Read `size` bytes without keeping them; returns how many came."""
    received = 0
    while received < size:
        count = sock.recv_into(buffer, min(len(buffer), size - received))
        if not count:
            break
        received += count
    return received


@pytest.mark.slow
@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_download_passes_through_a_small_window(proxy: RunningProxy, stage: Stage, chunked: bool) -> None:
    size = SIZE if not chunked else SIZE // 8

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        if not chunked:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            send_size(connection, size)
            return
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(size // len(PIECE)):
            connection.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
        connection.send(b"0\r\n\r\n")

    stage.play(converse)
    target = f"/download-{chunked}"
    with Watch(proxy) as watch, proxy.connect(timeout=100) as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        client.read_until(b"\r\n\r\n")
        while client.read_some():
            pass
    assert watch.growth < GROWTH_KIB
    assert logged(proxy, target)["bytes_out"] == size
    print(f"{size // MIB} MiB down, {watch.growth} KiB more")


@pytest.mark.parametrize("size", [PIPED_BYTES - 1, PIPED_BYTES, PIPED_BYTES + 65536 + 4096, 5 * MIB + 3])
def test_a_large_body_arrives_to_the_last_byte_and_its_connections_stay(
    proxy: RunningProxy, stage: Stage, size: int
) -> None:
    """Where the kernel moves a body, too: neither a byte of the body before nor one of the head after it is lost."""
    body = os.urandom(size)
    heads = 0

    def converse(connection: OriginConnection) -> None:
        nonlocal heads
        while connection.read_head():
            heads += 1
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            connection.send(body[: size // 3])
            time.sleep(0.01)
            connection.send(body[size // 3 :])

    stage.play(converse)
    with proxy.connect(timeout=20) as client:
        client.send(b"GET /exact HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        for _ in range(3):
            assert client.read_answer().body == body
    assert heads == 3


@pytest.mark.parametrize("method", ["POST", "PUT"])  # one may be repeated, and is kept as long as it is small
@pytest.mark.parametrize("size", [PIPED_BYTES - 1, PIPED_BYTES + 65536 + 4096, 5 * MIB + 3])
def test_a_large_upload_arrives_to_the_last_byte_and_its_connections_stay(
    proxy: RunningProxy, stage: Stage, size: int, method: str
) -> None:
    body = os.urandom(size)
    bodies = []

    def converse(connection: OriginConnection) -> None:
        for _ in range(3):
            connection.read_head()
            bodies.append(connection.read_exactly(size))
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    stage.play(converse)
    target = f"/exact-{method}-{size}"
    with proxy.connect(timeout=20) as client:
        for _ in range(3):
            head = f"{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
            client.send(head.encode() + body[: size // 3])
            time.sleep(0.01)
            client.send(body[size // 3 :])
            assert client.read_answer().body == b"ok"
    assert bodies == [body] * 3
    assert logged(proxy, target)["bytes_in"] == size


def test_an_upload_that_breaks_off_is_cut_for_the_server_too(proxy: RunningProxy, stage: Stage) -> None:
    received = []

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        with contextlib.suppress(OSError):
            received.append(receive_size(connection.socket, 20 * MIB, bytearray(MIB)))

    stage.play(converse)
    with proxy.connect(timeout=20) as client:
        client.send(b"POST /broken-upload HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (20 * MIB))
        send_size(client, 5 * MIB)
    assert logged(proxy, "/broken-upload")["reason"] == "client.closed"
    assert received in ([], [5 * MIB])


@pytest.mark.parametrize("slow", [False, True])
def test_a_large_body_that_breaks_off_does_not_look_whole(proxy: RunningProxy, stage: Stage, slow: bool) -> None:
    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (20 * MIB))
        send_size(connection, 10 * MIB)

    stage.play(converse)
    target = f"/broken-{slow}"
    with proxy.connect(timeout=20) as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        time.sleep(0.5 if slow else 0)
        with contextlib.suppress(ConnectionResetError):
            while client.read_some():
                pass
    record = logged(proxy, target)
    assert record["reason"] == "upstream.response.truncated"
    assert record["bytes_out"] == 10 * MIB


def test_a_client_that_leaves_in_the_middle_of_a_large_body_frees_the_server(proxy: RunningProxy, stage: Stage) -> None:
    freed = threading.Event()

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1000 * MIB))
        with contextlib.suppress(OSError):
            send_size(connection, 1000 * MIB)
        freed.set()

    stage.play(converse)
    with proxy.connect(timeout=20) as client:
        client.send(b"GET /leaver HTTP/1.1\r\nHost: a\r\n\r\n")
        receive_size(client.socket, 5 * MIB, bytearray(MIB))
    assert freed.wait(5)
    record = logged(proxy, "/leaver")
    assert record["reason"] == "client.closed"
    assert record["bytes_out"] > 4 * MIB


@pytest.mark.slow
def test_a_large_upload_passes_through_a_small_window(proxy: RunningProxy, stage: Stage) -> None:
    received = 0

    def converse(connection: OriginConnection) -> None:
        nonlocal received
        connection.read_head()
        received = len(connection.received.partition(b"\r\n\r\n")[2])
        received += receive_size(connection.socket, SIZE - received, bytearray(MIB))
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    stage.play(converse)
    with Watch(proxy) as watch, proxy.connect(timeout=100) as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % SIZE)
        send_size(client, SIZE)
        assert client.read_answer().status == 200
    assert received == SIZE
    assert watch.growth < GROWTH_KIB
    assert logged(proxy, "/upload")["bytes_in"] == SIZE
    print(f"{SIZE // MIB} MiB up, {watch.growth} KiB more")


@pytest.mark.parametrize("bodies", ["length", "chunks"])
def test_a_slow_client_pauses_the_server(proxy: RunningProxy, stage: Stage, bodies: str) -> None:
    """Seen at the server's socket: it takes no more. What is on its way is in the kernel, not in the proxy."""
    sent = 0
    blocked, resumed = threading.Event(), threading.Event()

    def converse(connection: OriginConnection) -> None:
        nonlocal sent
        connection.read_head()
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        framing = b"Content-Length: 1000000000" if bodies == "length" else b"Transfer-Encoding: chunked"
        connection.send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing)
        connection.socket.settimeout(0.7)
        piece = PIECE if bodies == "length" else b"%x\r\n%b\r\n" % (len(PIECE), PIECE)
        with contextlib.suppress(TimeoutError):
            while True:
                sent += connection.socket.send(piece[sent % len(piece) :])
        blocked.set()
        connection.socket.settimeout(5)
        connection.send(piece[sent % len(piece) :])
        resumed.set()
        connection.read_head()

    stage.play(converse)
    with Watch(proxy) as watch, proxy.connect() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.send(b"GET /slow-client HTTP/1.1\r\nHost: a\r\n\r\n")
        assert blocked.wait(5)
        assert sent < 30 * MIB
        assert not resumed.is_set()
        receive_size(client.socket, sent, bytearray(MIB))
        assert resumed.wait(5), "the server goes on when the client does"
    assert watch.growth < 2048


@pytest.mark.parametrize("bodies", ["length", "chunks"])
def test_a_slow_server_pauses_the_client(proxy: RunningProxy, stage: Stage, bodies: str) -> None:
    def converse(connection: OriginConnection) -> None:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.read_head()
        time.sleep(1.5)

    stage.play(converse)
    sent = 0
    with Watch(proxy) as watch, proxy.connect(timeout=0.7) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        framing = b"Content-Length: 1000000000" if bodies == "length" else b"Transfer-Encoding: chunked"
        client.send(b"POST /slow-server HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % framing)
        piece = PIECE if bodies == "length" else b"%x\r\n%b\r\n" % (len(PIECE), PIECE)
        with contextlib.suppress(TimeoutError):
            while True:
                client.send(piece)
                sent += len(piece)
        assert sent < 30 * MIB
    assert watch.growth < 2048


def test_many_slow_clients_hold_one_window_each(proxy: RunningProxy, stage: Stage) -> None:
    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        send_size(connection, 100_000_000)

    stage.play(converse)
    with contextlib.ExitStack() as stack, Watch(proxy) as watch:
        for _ in range(50):
            client = stack.enter_context(proxy.connect())
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.send(b"GET /window HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(1.5)
    # One window is 64 KiB, one read is 64 KiB, and both ends of a connection have an object or two.
    assert watch.growth < 50 * 256


# --- streams --------------------------------------------------------------------------------------------------


def test_every_event_leaves_when_it_arrives(proxy: RunningProxy, stage: Stage) -> None:
    """Server-sent events: each is a chunk, and nobody may wait for the next one to send it."""
    left: list[float] = []

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(10):
            time.sleep(0.05)
            event = b"data: %d\n\n" % number
            left.append(time.monotonic())
            connection.send(b"%x\r\n%b\r\n" % (len(event), event))
        connection.send(b"0\r\n\r\n")

    stage.play(converse)
    with proxy.connect() as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n")
        began = time.monotonic()
        client.read_until(b"\r\n\r\n")
        assert time.monotonic() - began < 0.05, "the head waits for nothing"
        arrived = []
        for number in range(10):
            client.read_until(b"data: %d\n\n\r\n" % number)
            arrived.append(time.monotonic())
        assert client.read_exactly(5) == b"0\r\n\r\n"
    delays = [came - went for went, came in zip(left, arrived, strict=True)]
    assert sorted(delays)[5] < 0.01, delays
    assert max(delays) < 0.05, delays


def test_events_leave_at_once_without_chunks_too(proxy: RunningProxy, stage: Stage) -> None:
    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for _ in range(3):
            time.sleep(0.1)
            connection.send(b"data: x\n\n")

    stage.play(converse)
    with proxy.connect() as client:
        client.send(b"GET /open-events HTTP/1.0\r\nHost: a\r\n\r\n")
        client.read_until(b"\r\n\r\n")
        for _ in range(3):
            began = time.monotonic()
            assert client.read_exactly(9) == b"data: x\n\n"
            assert time.monotonic() - began < 0.2
        assert client.is_closed()


def test_a_long_poll_is_answered_when_there_is_an_answer(proxy: RunningProxy, stage: Stage) -> None:
    answered: list[float] = []

    def converse(connection: OriginConnection) -> None:
        while connection.read_head():
            time.sleep(0.5)
            answered.append(time.monotonic())
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnews")

    stage.play(converse)
    with proxy.connect() as client:
        for _ in range(2):
            assert client.get(b"/poll").body == b"news"
            assert time.monotonic() - answered[-1] < 0.05


def test_a_client_that_stops_listening_to_events_frees_the_server(proxy: RunningProxy, stage: Stage) -> None:
    left: list[bool] = []

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        try:
            connection.read_head()
        finally:
            left.append(True)

    stage.play(converse)
    with proxy.connect() as client:
        client.send(b"GET /unheard HTTP/1.1\r\nHost: a\r\n\r\n")
        client.read_until(b"\r\n\r\n")
    eventually(lambda: left)
    assert logged(proxy, "/unheard")["reason"] == "client.closed"
