"""Leaving HTTP: WebSockets and other upgrades, end to end, and those that never come about."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable

import pytest
import websockets

from tests.sockets.stage import OK, Stage, eventually, logged
from tests.support.origin import OriginConnection, answering
from tests.support.ports import LOOPBACK, free_port
from tests.support.proxy import RunningProxy

MIB = 1 << 20
SIZE = (64 if os.environ.get("REVERSEPROXY_FULL") else 16) * MIB

ASK = b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: %b\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"


@pytest.fixture(scope="module")
def websocket_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def proxy(serve: Callable[..., RunningProxy], stage: Stage, websocket_port: int) -> RunningProxy:
    return serve(
        f"""
        upstreams:
          stage: {{servers: ["http://{LOOPBACK}:{stage.port}"]}}
          websocket: {{servers: ["http://{LOOPBACK}:{websocket_port}"]}}
        routes:
          - {{path: /, upstream: stage, upgrade: [echo, websocket]}}
          - {{path: /websocket, upstream: websocket}}
          - {{path: /closed, upstream: stage, upgrade: false}}
          - {{path: /short, upstream: stage, upgrade: echo, timeouts: {{tunnel_idle: 500ms}}}}
        timeouts: {{write_stall: 2s}}
        """
    )


# --- WebSocket, with a server and a client that know nothing of the proxy -----------------------------------------


@contextlib.asynccontextmanager
async def echo_server(port: int) -> AsyncIterator[None]:
    async def echo(connection: websockets.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with websockets.serve(echo, LOOPBACK, port, max_size=None):
        yield


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_messages_come_back(proxy: RunningProxy, websocket_port: int, compression: str | None) -> None:
    """Small ones, and 16 MiB each way (64 with REVERSEPROXY_FULL), with both directions full at once."""
    before = proxy.process.rss_kib()
    piece = os.urandom(MIB)

    async def converse() -> None:
        url = f"ws://{LOOPBACK}:{proxy.port}/websocket"
        async with (
            echo_server(websocket_port),
            websockets.connect(url, max_size=None, compression=compression) as client,  # type: ignore[arg-type]  # a str
        ):
            assert [extension.name for extension in client.protocol.extensions] == (
                ["permessage-deflate"] if compression else []
            )
            await client.send("hello")
            assert await client.recv() == "hello"

            async def send() -> None:
                for _ in range(SIZE // MIB):
                    await client.send(piece)

            sending = asyncio.create_task(send())
            for _ in range(SIZE // MIB):
                assert await client.recv() == piece
            await sending

    asyncio.run(asyncio.wait_for(converse(), 100))
    assert proxy.process.rss_kib() - before < 16 * 1024


def test_the_client_learns_of_the_close(proxy: RunningProxy, websocket_port: int) -> None:
    async def converse() -> int:
        async def leave(connection: websockets.ServerConnection) -> None:
            await connection.close(4001, "enough")

        url = f"ws://{LOOPBACK}:{proxy.port}/websocket"
        async with websockets.serve(leave, LOOPBACK, websocket_port), websockets.connect(url) as client:
            await client.wait_closed()
            return client.close_code or 0

    assert asyncio.run(converse()) == 4001


# --- any protocol -------------------------------------------------------------------------------------------------


def echo(connection: OriginConnection) -> None:
    """Switches, and then sends everything back."""
    head = connection.read_head()
    assert b"\r\nUpgrade: echo\r\n" in head
    connection.send(SWITCH)
    while data := connection.socket.recv(65536):
        connection.send(data)


def test_bytes_pass_both_ways(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(echo)
    with proxy.connect() as client:
        client.send(ASK % (b"/echo", b"echo"))
        answer = client.read_answer()
        assert answer.status == 101
        assert answer.field(b"upgrade") == b"echo"
        assert (answer.field(b"connection") or b"").lower() == b"upgrade"
        for data in (b"\0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"x" * 100_000):
            client.send(data)
            assert client.read_exactly(len(data)) == data
    line = logged(proxy, "/echo")
    assert (line["status"], line["bytes_in"], line["bytes_out"]) == (101, 100_023, 100_023)


def test_bytes_that_come_too_early_wait_for_the_101(proxy: RunningProxy, stage: Stage) -> None:
    """Not one of them may reach the server before it has switched (CVE-2026-2833, CVE-2025-64763)."""

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        time.sleep(0.2)
        assert connection.received.endswith(b"\r\n\r\n")
        connection.send(SWITCH + b"both")
        assert connection.read_exactly(5) == b"early"

    stage.play(converse)
    with proxy.connect() as client:
        client.send(ASK % (b"/early", b"echo") + b"early")
        assert client.read_answer().status == 101
        assert client.read_exactly(4) == b"both"
        assert client.is_closed()


def test_bytes_that_come_too_early_are_a_request_when_nothing_is_switched(proxy: RunningProxy, stage: Stage) -> None:
    """A 200 is no switch (CVE-2024-23326): what follows is the next request, and has its route and gates."""
    stage.play(answering(OK))
    with proxy.connect() as client:
        client.send(ASK % (b"/no-switch", b"echo") + b"RAW BYTES\r\n\r\n")
        assert client.read_answer().status == 200
        assert client.read_answer().status == 400
    assert b"RAW" not in stage.received


@pytest.mark.parametrize("first", ["client", "server"])
def test_half_closes_pass(proxy: RunningProxy, stage: Stage, first: str) -> None:
    """Who has said all may still listen, also while much is on its way."""
    size = 8_000_000

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(SWITCH)
        if first == "client":
            assert connection.read_exactly(size + 1) == b"c" * size
        connection.send(b"s" * size)
        connection.socket.shutdown(1)
        if first == "server":
            assert connection.read_exactly(size + 1) == b"c" * size

    stage.play(converse)
    with proxy.connect() as client:
        client.send(ASK % (b"/half-" + first.encode(), b"echo"))
        assert client.read_answer().status == 101
        if first == "server":
            time.sleep(0.3)  # until the buffers are full, and the end stands behind them
            assert client.read_until_close() == b"s" * size
        client.send(b"c" * size)
        client.half_close()
        if first == "client":
            assert client.read_until_close() == b"s" * size
    line = logged(proxy, f"/half-{first}")
    assert (line["bytes_in"], line["bytes_out"], line.get("reason")) == (size, size, None)


def test_a_tunnel_holds_one_window(proxy: RunningProxy, stage: Stage) -> None:
    sent = 0

    def converse(connection: OriginConnection) -> None:
        nonlocal sent
        connection.read_head()
        connection.send(SWITCH)
        connection.socket.settimeout(1)
        with contextlib.suppress(TimeoutError):
            while True:
                sent += connection.socket.send(b"x" * 65536)

    stage.play(converse)
    before = proxy.process.rss_kib()
    with proxy.connect() as client:
        client.send(ASK % (b"/window", b"echo"))
        client.read_answer()
        time.sleep(1.5)
        assert 0 < sent < 30_000_000, "the origin was not paused"
        assert proxy.process.rss_kib() - before < 4096


def test_a_tunnel_in_which_nothing_moves_is_closed(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(echo)
    with proxy.connect() as client:
        client.send(ASK % (b"/short", b"echo"))
        assert client.read_answer().status == 101
        for _ in range(3):
            time.sleep(0.3)
            client.send(b"x")
            assert client.read_exactly(1) == b"x"
        began = time.monotonic()
        assert client.is_closed()
        assert 0.4 < time.monotonic() - began < 1.5
    assert logged(proxy, "/short")["reason"] == "tunnel.idle"


def test_an_upgrade_that_the_route_does_not_allow_is_refused(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(echo)
    with proxy.connect() as client:
        client.send(ASK % (b"/closed", b"websocket"))
        assert client.read_answer().status == 403
    assert not stage.connections
    assert logged(proxy, "/closed")["reason"] == "client.request.upgrade"


@pytest.mark.parametrize("protocol", [b"h2c", b"h2c, echo", b"HTTP/2.0", b"TLS/1.0", b"h2"])
def test_http_inside_a_tunnel_never_comes_about(proxy: RunningProxy, stage: Stage, protocol: bytes) -> None:
    """Requests in it would pass by every route (h2c smuggling)."""

    def converse(connection: OriginConnection) -> None:
        head = connection.read_head().lower()
        assert b"h2" not in head
        assert b"http/2" not in head
        assert b"tls" not in head
        connection.send(OK)

    stage.play(converse)
    with proxy.connect() as client:
        ask = ASK % (b"/never", protocol)
        client.send(
            ask.replace(b"upgrade\r\n", b"upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n", 1)
        )
        assert client.read_answer().status == 200
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert client.read_answer().status in (400, 505)
    assert b"PRI" not in stage.received


def test_a_server_that_switches_unasked_or_to_something_else_is_a_502(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(answering(SWITCH.replace(b"echo", b"other")))
    with proxy.connect() as client:
        client.send(ASK % (b"/other", b"echo"))
        assert client.read_answer().status == 502


def test_a_client_that_leaves_before_the_101_leaves_nothing_behind(proxy: RunningProxy, stage: Stage) -> None:
    left: list[bool] = []

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        time.sleep(0.3)
        try:
            connection.send(SWITCH)
            connection.read_head()
        finally:
            left.append(True)

    stage.play(converse)
    with proxy.connect() as client:
        client.send(ASK % (b"/leaves", b"echo"))
        eventually(lambda: stage.received)
    eventually(lambda: left)


def test_what_a_broken_tunnel_has_moved_is_told(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(echo)
    with proxy.connect() as client:
        client.send(ASK % (b"/broken", b"echo"))
        assert client.read_answer().status == 101
        for _ in range(5):
            client.send(b"x" * 1000)
            assert client.read_exactly(1000)
        client.reset()
    line = logged(proxy, "/broken")
    assert (line["bytes_in"], line["bytes_out"]) == (5000, 5000)


@pytest.mark.parametrize("reset", [False, True])
def test_one_end_that_goes_takes_the_other_with_it(proxy: RunningProxy, stage: Stage, reset: bool) -> None:
    gone: list[bool] = []

    def converse(connection: OriginConnection) -> None:
        try:
            echo(connection)
        finally:
            gone.append(True)

    stage.play(converse)
    with proxy.connect() as client:
        client.send(ASK % (b"/goes", b"echo"))
        client.read_answer()
        if reset:
            client.reset()
    eventually(lambda: gone)
