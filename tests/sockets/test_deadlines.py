"""Each deadline, with a peer that lets it pass; and peers that are slow, but not as slow as that."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.sockets.stage import OK, Stage, eventually, logged
from tests.support.origin import OriginConnection, answering
from tests.support.ports import LOOPBACK
from tests.support.processes import require_program
from tests.support.proxy import RunningProxy
from tests.support.raw import RawClient

#: What each deadline of this module is, and how late one may be: the wheel's tick, and a busy machine.
SECONDS = 0.6
LATE = 1.0


@pytest.fixture(scope="module")
def proxy(serve: Callable[..., RunningProxy], stage: Stage) -> RunningProxy:
    return serve(
        f"""
        upstreams:
          stage: {{servers: ["http://{LOOPBACK}:{stage.port}"]}}
        routes:
          - {{path: /, upstream: stage}}
          - {{path: /patient, upstream: stage, timeouts: {{response_head: 3s, body_idle: 3s}}}}
        timeouts:
          request_head: 600ms
          body_idle: 600ms
          write_stall: 600ms
          keep_alive: 600ms
          response_head: 600ms
          response_idle: 600ms
        limits: {{body: 100MiB}}
        """
    )


def seconds_until_closed(client: RawClient) -> float:
    began = time.monotonic()
    assert client.is_closed()
    return time.monotonic() - began


def check_in_time(began: float) -> None:
    took = time.monotonic() - began
    assert SECONDS - 0.15 < took < SECONDS + LATE, took


def test_a_connection_that_says_nothing_is_closed(proxy: RunningProxy) -> None:
    began = time.monotonic()
    with proxy.connect() as client:
        assert client.is_closed()
    check_in_time(began)


@pytest.mark.parametrize("drip", [False, True])
def test_a_head_has_one_deadline_however_it_drips(proxy: RunningProxy, drip: bool) -> None:
    with proxy.connect() as client:
        client.send(b"GET /head HTTP/1.1\r\nHost: a\r\n")
        began = time.monotonic()
        client.socket.settimeout(0.1)
        while drip:
            client.send(b"X: y\r\n")
            try:
                if client.socket.recv(1, socket.MSG_PEEK):
                    break
            except TimeoutError:
                assert time.monotonic() - began < SECONDS + LATE
        client.socket.settimeout(5)
        answer = client.read_answer()
        check_in_time(began)
        assert answer.status == 408
        assert b"client.head.timeout" in answer.body
        assert client.is_closed()


def test_a_second_head_has_the_same_deadline(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(answering(OK))
    with proxy.connect() as client:
        assert client.get(b"/first").status == 200
        client.send(b"GET /")
        began = time.monotonic()
        assert client.read_answer().status == 408
        check_in_time(began)


def test_an_idle_connection_is_closed_with_fin(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(answering(OK))
    with proxy.connect() as client:
        assert client.get(b"/idle").status == 200
        began = time.monotonic()
        assert client.read_until_close() == b""  # a reset would raise
        check_in_time(began)


def test_a_body_that_stops_is_answered_with_408(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(lambda connection: connection.read_exactly(10_000) and None)
    with proxy.connect() as client:
        client.send(b"POST /stops HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello")
        began = time.monotonic()
        answer = client.read_answer()
        check_in_time(began)
        assert answer.status == 408
    assert logged(proxy, "/stops")["reason"] == "client.body.timeout"
    eventually(lambda: b"hello" in stage.received)


def test_events_that_stop_are_cut_where_the_configuration_says_when(proxy: RunningProxy, stage: Stage) -> None:
    """Where it does not say so they never are; see tests/upstream/test_connection.py."""

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        connection.read_head()

    stage.play(converse)
    with proxy.connect() as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        client.read_until(b"data: 1\n\n\r\n")
        began = time.monotonic()
        assert client.is_closed()
        check_in_time(began)
    assert logged(proxy, "/events")["reason"] == "upstream.response.idle"


def test_a_body_that_drips_within_its_deadline_arrives(proxy: RunningProxy, stage: Stage) -> None:
    """And the deadline of the response does not run while the request is still coming."""

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        assert connection.read_exactly(5) == b"hello"
        connection.send(OK)

    stage.play(converse)
    with proxy.connect() as client:
        client.send(b"POST /drips HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        for letter in b"hello":
            time.sleep(0.35)
            client.send(bytes([letter]))
        assert client.read_answer().status == 200


def test_a_slow_body_is_not_the_servers_fault(proxy: RunningProxy, stage: Stage) -> None:
    """A client may take longer between two pieces than the server may take to answer."""

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        assert connection.read_exactly(5) == b"hello"
        connection.send(OK)

    stage.play(converse)
    with proxy.connect() as client:
        client.send(b"POST /patient/slow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell")
        time.sleep(1.2)
        client.send(b"o")
        assert client.read_answer().status == 200


def test_a_server_that_does_not_take_the_body_is_a_504(proxy: RunningProxy, stage: Stage) -> None:
    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        time.sleep(2.5)

    stage.play(converse)
    with proxy.connect() as client:
        client.send(b"POST /takes-not HTTP/1.1\r\nHost: a\r\nContent-Length: 40000000\r\n\r\n")
        client.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.send(b"x" * 40_000_000)
        client.socket.settimeout(5)
        assert client.read_answer().status == 504
    assert logged(proxy, "/takes-not")["reason"] == "upstream.response.timeout"


def test_a_client_that_does_not_read_is_cut(proxy: RunningProxy, stage: Stage) -> None:
    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 50_000_000)

    stage.play(converse)
    with proxy.connect() as client:
        client.send(b"GET /reads-not HTTP/1.1\r\nHost: a\r\n\r\n")
        line = logged(proxy, "/reads-not")
        assert line["reason"] == "client.write.timeout"
        assert line["ms"] < 1000 * (SECONDS + LATE)
        assert line["bytes_out"] < 50_000_000


def test_a_client_that_reads_slowly_gets_everything(proxy: RunningProxy, stage: Stage) -> None:
    """The deadline is for the stall, not for the whole."""
    size = 20_000_000

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)

    stage.play(converse)
    with proxy.connect() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.send(b"GET /reads-slowly HTTP/1.1\r\nHost: a\r\n\r\n")
        client.read_until(b"\r\n\r\n")
        for _ in range(10):
            client.read_exactly(size // 10)
            time.sleep(0.15)
    assert logged(proxy, "/reads-slowly")["bytes_out"] == size


def test_many_requests_of_a_client_that_reads_nothing_are_not_answered_ahead(proxy: RunningProxy, stage: Stage) -> None:
    """A thousand small requests in one segment must not become a thousand large responses in our memory."""
    body = b"x" * 60_000
    stage.play(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + body))
    with proxy.connect() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        before = proxy.process.rss_kib()
        client.send(b"GET /ahead HTTP/1.1\r\nHost: a\r\n\r\n" * 900)
        time.sleep(0.4)
        # What the kernel takes for a client that does not read: a few MiB, on Linux with its defaults.
        assert stage.received.count(b"GET /ahead") < 200
        assert proxy.process.rss_kib() - before < 8 * 1024
        assert not client.is_closed(0.1), "it has sent an answer already"
    eventually(lambda: not connected(proxy), SECONDS + LATE)


def test_a_client_that_takes_no_last_response_is_cut(proxy: RunningProxy, stage: Stage) -> None:
    """The response is whole, and with the transport; the connection only waits to be closed."""
    body = b"x" * 6_000_000
    stage.play(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body))
    with proxy.connect() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(b"GET /takes-no-last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        eventually(lambda: connected(proxy))
        eventually(lambda: not connected(proxy), 2 * (SECONDS + LATE))


def test_a_server_that_stops_in_its_body_is_given_up(proxy: RunningProxy, stage: Stage) -> None:
    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        connection.read_head()

    stage.play(converse)
    with proxy.connect() as client:
        client.send(b"GET /stalls HTTP/1.1\r\nHost: a\r\n\r\n")
        client.read_until(b"hello")
        assert seconds_until_closed(client) < SECONDS + LATE
    assert logged(proxy, "/stalls")["reason"] == "upstream.response.idle"


def test_a_server_that_drips_within_its_deadline_is_waited_for(proxy: RunningProxy, stage: Stage) -> None:
    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        time.sleep(0.35)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        for letter in b"hello":
            time.sleep(0.35)
            connection.send(bytes([letter]))

    stage.play(converse)
    with proxy.connect() as client:
        assert client.get(b"/slow-server").body == b"hello"


def connected(proxy: RunningProxy) -> int:
    """How many connections of clients the proxy holds."""
    shown = subprocess.run(
        [require_program("ss", "iproute2"), "-Htn", "state", "established", f"( sport = :{proxy.port} )"],
        capture_output=True,
        text=True,
        check=True,
    )
    return len(shown.stdout.splitlines())
