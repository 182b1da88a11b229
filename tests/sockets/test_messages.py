"""Requests and responses with all that HTTP/1.1 lets them have: interim responses, trailers, no body, no end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from tests.sockets.stage import OK, Stage, eventually, logged
from tests.support.origin import OriginConnection, answering
from tests.support.ports import LOOPBACK
from tests.support.proxy import RunningProxy

POST = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


@pytest.fixture(scope="module")
def proxy(serve: Callable[..., RunningProxy], stage: Stage) -> RunningProxy:
    return serve(
        f"""
        upstreams:
          stage: {{servers: ["http://{LOOPBACK}:{stage.port}"]}}
        routes:
          - {{path: /, upstream: stage}}
          - {{path: /small, upstream: stage, limits: {{body: 1KiB}}}}
        limits: {{requests_per_connection: 20}}
        """
    )


# --- 1xx ------------------------------------------------------------------------------------------------------


def test_100_continue_comes_from_the_server_before_the_body_is_sent(proxy: RunningProxy, stage: Stage) -> None:
    order: list[str] = []

    def converse(connection: OriginConnection) -> None:
        assert b"\r\nExpect: 100-continue\r\n" in connection.read_head()
        order.append("head")
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert connection.read_exactly(5) == b"hello"
        connection.send(OK)

    stage.play(converse)
    with proxy.connect() as client:
        client.send(POST[:-2] % b"/expect" + b"Expect: 100-continue\r\n\r\n")
        assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert order == ["head"]
        client.send(b"hello")
        assert client.read_answer().status == 200


def test_a_server_that_refuses_an_expectation_never_sees_the_body(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(
        lambda connection: connection.read_head() and connection.send(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
    )
    with proxy.connect() as client:
        client.send(POST[:-2] % b"/refuse" + b"Expect: 100-continue\r\n\r\n")
        answer = client.read_answer()
        assert (answer.status, answer.field(b"connection")) == (417, b"close")
        client.send(b"hello")
        assert client.is_closed()
    assert b"hello" not in stage.received


def test_103_and_unknown_interim_responses_pass_at_once(proxy: RunningProxy, stage: Stage) -> None:
    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 150 Soon\r\n\r\n")
        time.sleep(0.3)
        connection.send(OK)

    stage.play(converse)
    with proxy.connect() as client:
        began = time.monotonic()
        client.send(b"GET /hints HTTP/1.1\r\nHost: a\r\n\r\n")
        hints = client.read_answer()
        assert (hints.status, hints.field(b"link")) == (103, b"</a.css>; rel=preload")
        assert client.read_answer().status == 150
        assert time.monotonic() - began < 0.25
        assert client.read_answer().status == 200


def test_http_1_0_clients_get_no_interim_response(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(answering(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK))
    with proxy.connect() as client:
        client.send(b"GET /hints HTTP/1.0\r\n\r\n")
        assert client.read_answer().status == 200


def test_an_early_answer_comes_while_the_body_is_being_sent(proxy: RunningProxy, stage: Stage) -> None:
    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.read_exactly(5)
        connection.send(b"HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno")
        connection.read_exactly(10_000_000)

    stage.play(converse)
    with proxy.connect() as client:
        client.send(b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\nhello")
        answer = client.read_answer()
        assert (answer.status, answer.body) == (413, b"no")
        assert answer.field(b"connection") == b"close"
        client.send(b"x" * 100_000)  # what it sends before it has read the answer does not cost it the answer
        assert client.is_closed()


def test_a_response_may_begin_before_the_request_has_ended(proxy: RunningProxy, stage: Stage) -> None:
    """Both bodies at once, as gRPC-Web, proxies of terminals and long uploads with progress use it."""

    def echo(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            connection.send(b"1\r\n%b\r\n" % connection.read_exactly(1))
        connection.send(b"0\r\n\r\n")

    stage.play(echo)
    with proxy.connect() as client:
        client.send(POST % b"/echo")
        assert b"200 OK" in client.read_until(b"\r\n\r\n")
        for letter in b"hello":
            client.send(bytes([letter]))
            assert client.read_until(b"\r\n") == b"1\r\n"
            assert client.read_exactly(3)[0] == letter
        assert client.read_exactly(5) == b"0\r\n\r\n"


# --- bodies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "response"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        (b"HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (b"HEAD", b"HTTP/1.1 404 No\r\nContent-Length: 7\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 1000\r\n\r\n"),
        (b"GET", b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_responses_without_a_body_leave_both_connections_usable(
    proxy: RunningProxy, stage: Stage, method: bytes, response: bytes
) -> None:
    stage.play(answering(response))
    with proxy.connect() as client:
        for _ in range(3):
            answer = client.request(method, b"/empty")
            assert b"%d" % answer.status == response[9:12]
            told = re.search(rb"Content-Length: (\d+)", response)
            assert answer.field(b"content-length") == (told[1] if told else None)
    assert len(stage.connections) == 1


def test_trailers_of_a_response_arrive(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(
        answering(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n5\r\nhello\r\n"
            b"0\r\nDigest: x\r\nContent-Length: 7\r\nSet-Cookie: a=b\r\n\r\n"
        )
    )
    with proxy.connect() as client:
        client.send(b"GET /trailers HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n")
        client.read_until(b"\r\n\r\n")
        assert client.read_exactly(10) == b"5\r\nhello\r\n"
        assert client.read_until(b"\r\n\r\n") == b"0\r\nDigest: x\r\n\r\n"
    assert b"\r\nTE: trailers\r\n" in stage.received
    assert b"\r\nConnection: TE\r\n" in stage.received


def test_trailers_of_a_request_arrive(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(lambda c: c.read_head() and c.read_exactly(30) and c.send(OK) and None)
    with proxy.connect() as client:
        client.send(
            b"POST /trailers HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n"
            b"0\r\nDigest: 12\r\nHost: b\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"
        )
        eventually(lambda: stage.received.endswith(b"5\r\nhello\r\n0\r\nDigest: 12\r\n\r\n"))


def test_a_body_without_a_length_becomes_chunks_and_for_http_1_0_the_end(proxy: RunningProxy, stage: Stage) -> None:
    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.0 200 OK\r\n\r\nhello")

    stage.play(converse)
    with proxy.connect() as client:
        answer = client.get(b"/open")
        assert (answer.body, answer.field(b"transfer-encoding")) == (b"hello", b"chunked")
        assert client.get(b"/open").status == 200
    with proxy.connect() as client:
        client.send(b"GET /open HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
        answer = client.read_answer()
        assert (answer.body, answer.field(b"connection")) == (b"hello", b"close")


@pytest.mark.parametrize(("fields", "stays"), [(b"", False), (b"Connection: keep-alive\r\n", True)])
def test_http_1_0_clients_stay_when_they_ask_to(proxy: RunningProxy, stage: Stage, fields: bytes, stays: bool) -> None:
    stage.play(answering(OK))
    with proxy.connect() as client:
        for _ in range(2 if stays else 1):
            client.send(b"GET /old HTTP/1.0\r\n%b\r\n" % fields)
            answer = client.read_answer()
            assert answer.body == b"ok"
            assert answer.field(b"connection") == (b"keep-alive" if stays else b"close")
        assert client.is_closed(0.3) is not stays


def test_bodies_over_the_limit_of_a_route_are_refused(proxy: RunningProxy, stage: Stage) -> None:
    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.read_exactly(1 << 20)
        connection.send(OK)

    stage.play(converse)
    with proxy.connect() as client:
        assert client.request(b"POST", b"/small/told", body=b"x" * 1025).status == 413
    assert logged(proxy, "/small/told")["reason"] == "limit.body"
    assert not stage.connections, "what says that it is too long is not even begun"
    with proxy.connect() as client:
        client.send(b"POST /small/untold HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"400\r\n%b\r\n1\r\nx\r\n" % (b"x" * 1024))
        assert client.read_answer().status == 413
    assert not stage.received.endswith(b"0\r\n\r\n"), "the server must not take it for whole"


# --- connections ----------------------------------------------------------------------------------------------


def test_pipelined_requests_are_answered_in_order(proxy: RunningProxy, stage: Stage) -> None:
    """Whatever each takes: two connections to the server could answer in any order, and do not (CVE-2023-46137)."""

    def converse(connection: OriginConnection) -> None:
        while head := connection.read_head():
            number = int(head.split()[1][2:])
            time.sleep(0.05 if number % 3 == 0 else 0)
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n%02d" % number)

    stage.play(converse)
    with proxy.connect() as client:
        client.send(b"".join(b"GET /p%02d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(20)))
        assert [int(client.read_answer().body) for _ in range(20)] == list(range(20))


def test_a_pipelined_request_begins_only_when_the_one_before_is_over(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(lambda connection: connection.read_head() and connection.read_head() and None)
    with proxy.connect() as client:
        client.send(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: b"/first" in stage.received)
        time.sleep(0.1)
        assert b"/second" not in stage.received


def test_a_connection_serves_so_many_requests_and_says_when_it_was_the_last(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(answering(OK))
    with proxy.connect() as client:
        for number in range(1, 21):
            answer = client.get(b"/count")
            assert answer.field(b"connection") == (b"close" if number == 20 else None)
        assert client.is_closed()


def test_nothing_is_read_after_connection_close(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(answering(OK))
    with proxy.connect() as client:
        client.send(b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /more HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.read_answer().status == 200
        assert client.is_closed()
    assert b"/more" not in stage.received


def test_a_server_that_asks_to_close_is_not_asked_again(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(answering(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")))
    with proxy.connect() as client:
        for _ in range(3):
            answer = client.get(b"/closes")
            assert (answer.status, answer.field(b"connection")) == (200, None)
    assert len(stage.connections) == 3


# --- half a goodbye -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["uvloop", "epoll"])
def either(request: pytest.FixtureRequest, serve: Callable[..., RunningProxy], stage: Stage) -> RunningProxy:
    """A proxy on our reactor, and one on Twisted's own."""
    upstream = f"upstreams: {{stage: {{servers: ['http://{LOOPBACK}:{stage.port}']}}}}\nroutes: [{{upstream: stage}}]\n"
    return serve(upstream, f"--reactor={request.param}")


def test_a_client_that_sends_nothing_more_gets_its_answers(either: RunningProxy, stage: Stage) -> None:
    """As `printf ... | nc -N` does it: all requests, then a FIN, then it waits. The first answer takes its time."""
    size = 3_000_000

    def converse(connection: OriginConnection) -> None:
        assert connection.read_head()
        time.sleep(0.5)
        connection.send(OK)
        assert connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(3):
            time.sleep(0.2)
            connection.send(b"x" * (size // 3))

    stage.play(converse)
    with either.connect() as client:
        client.send(b"GET /nc HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        client.half_close()
        assert client.read_answer().body == b"ok"
        assert client.read_answer().body == b"x" * size
        assert client.is_closed()
    assert logged(either, "/nc").get("reason") is None


def test_one_that_has_gone_is_not_waited_for(either: RunningProxy, stage: Stage) -> None:
    gone: list[float] = []

    def converse(connection: OriginConnection) -> None:
        assert connection.read_head()
        began = time.monotonic()
        try:
            connection.read_head()
        finally:
            gone.append(time.monotonic() - began)

    stage.play(converse)
    with either.connect() as client:
        client.send(b"GET /gone HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.2)
    eventually(lambda: gone, 8)
    assert 1.5 < gone[0] < 4
    assert logged(either, "/gone")["reason"] == "client.closed"
