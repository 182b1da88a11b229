"""What becomes of a request when its server fails: the status, the small page, the log line, the connection."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from tests.sockets.stage import OK, Stage, eventually, logged
from tests.support.origin import Conversation, OriginConnection
from tests.support.ports import LOOPBACK, free_port
from tests.support.proxy import REACTOR, RunningProxy
from tests.support.raw import ClosedEarlyError


@pytest.fixture(scope="module")
def deaf_port() -> Iterator[int]:
    """A port whose queue of connections is full: to connect to it takes for ever."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def proxy(serve: Callable[..., RunningProxy], stage: Stage, deaf_port: int) -> RunningProxy:
    return serve(
        f"""
        upstreams:
          stage: {{servers: ["http://{LOOPBACK}:{stage.port}"]}}
          refused: {{servers: ["http://{LOOPBACK}:{free_port()}"]}}
          deaf: {{servers: ["http://{LOOPBACK}:{deaf_port}"], timeouts: {{connect: 300ms}}}}
          patient: {{servers: ["http://{LOOPBACK}:{deaf_port}"], retries: 0}}
          unnamed: {{servers: ["http://does-not-exist.invalid:80"]}}
        routes:
          - {{path: /, upstream: stage, timeouts: {{response_head: 500ms, response_idle: 500ms}}}}
          - {{path: /refused, upstream: refused}}
          - {{path: /deaf, upstream: deaf}}
          - {{path: /impatient, upstream: patient, timeouts: {{connect: 300ms}}}}
          - {{path: /unnamed, upstream: unnamed}}
        """
    )


def check_page(proxy: RunningProxy, target: str, status: int, reason: str, method: bytes = b"GET") -> None:
    """One request fails for `reason`: the page says so and carries the id under which the log says more."""
    with proxy.connect() as client:
        answer = client.request(method, target.encode(), body=b"x" if method == b"POST" else b"")
        while answer.status < 200:
            answer = client.read_answer(method)
        assert answer.status == status, answer
        line = logged(proxy, target)
        assert line["reason"] == reason
        assert line["status"] == status
        assert line["request_id"].encode() in answer.body
        assert reason.encode() in answer.body
        assert len(answer.body) < 1000
        assert reason.encode() in (answer.field(b"proxy-status") or b"")
        assert answer.field(b"cache-control") == b"no-store"


@pytest.mark.parametrize(
    ("target", "status", "reason"),
    [
        ("/refused", 502, "upstream.connect.refused"),
        ("/deaf", 504, "upstream.connect.timeout"),
        ("/unnamed", 503, "upstream.name.unresolved"),
    ],
)
def test_a_server_that_cannot_be_reached(proxy: RunningProxy, target: str, status: int, reason: str) -> None:
    check_page(proxy, target, status, reason)
    named = logged(proxy, target)["server"]
    assert named.startswith(f"http://{LOOPBACK}:") if target != "/unnamed" else named == ""


def test_a_route_that_waits_shorter_for_a_connection_than_its_upstream(proxy: RunningProxy) -> None:
    began = time.monotonic()
    check_page(proxy, "/impatient", 504, "upstream.connect.timeout")
    assert 0.25 < time.monotonic() - began < 1.5
    assert logged(proxy, "/impatient")["detail"].endswith("no connection in 0.3 s")


def answer_with(data: bytes, *, reset: bool = False, stay: bool = False) -> Conversation:
    """Send `data` for a response and close."""

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(data)
        if stay:
            connection.read_head()
        if reset:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return converse


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"


@pytest.mark.parametrize(
    ("name", "conversation", "status", "reason"),
    [
        ("closed", answer_with(b""), 502, "upstream.response.closed"),
        ("reset", answer_with(b"", reset=True), 502, "upstream.response.closed"),
        ("mid-head", answer_with(HEAD[:-5]), 502, "upstream.response.truncated"),
        ("mid-line", answer_with(HEAD[:5]), 502, "upstream.response.truncated"),
        ("garbage", answer_with(b"\x15\x03\x01\x00\x02\x02garbage\r\n\r\n"), 502, "upstream.response.invalid"),
        ("http-0.9", answer_with(b"<html>hello</html>"), 502, "upstream.response.invalid"),
        ("silence", answer_with(b"", stay=True), 504, "upstream.response.timeout"),
        ("half-a-head", answer_with(HEAD[:-5], stay=True), 504, "upstream.response.timeout"),
        ("big-head", answer_with(HEAD[:-2] + b"X: " + b"y" * 70_000), 502, "upstream.response.head_too_large"),
        ("endless-1xx", answer_with(b"HTTP/1.1 103 E\r\n\r\n" * 100), 502, "upstream.response.invalid"),
        ("unasked-101", answer_with(b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), 502,
         "upstream.response.upgrade"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_a_server_that_does_not_answer_properly(
    proxy: RunningProxy, stage: Stage, name: str, conversation: Conversation, status: int, reason: str, method: bytes
) -> None:
    stage.play(conversation)
    check_page(proxy, f"/{name}-{method.decode()}", status, reason, method)


@pytest.mark.parametrize(
    ("name", "data", "kwargs", "reason"),
    [
        ("cut", HEAD + b"hello", {}, "upstream.response.truncated"),
        ("reset", HEAD + b"hello", {"reset": True}, "upstream.response.truncated"),
        ("stalled", HEAD + b"hello", {"stay": True}, "upstream.response.idle"),
        ("open-reset", b"HTTP/1.1 200 OK\r\n\r\nhello", {"reset": True}, "upstream.response.truncated"),
        ("chunks-cut", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", {},
         "upstream.response.truncated"),
        ("chunks-cut-before-end", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", {},
         "upstream.response.truncated"),
        ("chunks-garbage", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX", {},
         "upstream.response.invalid"),
    ],
)  # fmt: skip
def test_a_truncated_body_cuts_the_client_off(
    proxy: RunningProxy, stage: Stage, name: str, data: bytes, kwargs: dict[str, bool], reason: str
) -> None:
    """A client must not take what it has for the whole: neither the last chunk nor a clean end of the connection."""
    stage.play(answer_with(data, **kwargs))
    with proxy.connect() as client:
        client.send(b"GET /body-%b HTTP/1.1\r\nHost: a\r\n\r\n" % name.encode())
        with pytest.raises((ClosedEarlyError, ConnectionResetError)):
            client.read_answer()
    line = logged(proxy, f"/body-{name}")
    assert (line["status"], line["reason"]) == (200, reason)


def test_a_body_that_is_cut_is_cut_for_http_1_0_too(proxy: RunningProxy, stage: Stage) -> None:
    """Without a length and without chunks the end of the connection is the end of the body: only a reset says more."""
    stage.play(answer_with(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"))
    with proxy.connect() as client:
        client.send(b"GET /cut-1.0 HTTP/1.0\r\nHost: a\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            client.read_until_close()


@pytest.mark.skipif(bool(REACTOR), reason="Twisted's own reactors drop what came before a write failed")
def test_a_refusal_in_the_middle_of_an_upload_arrives(proxy: RunningProxy, stage: Stage) -> None:
    """The server answers and closes while we still send: our write fails before we have read why."""

    def converse(connection: OriginConnection) -> None:
        connection.socket.recv(100)
        connection.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbig\n")

    stage.play(converse)
    for _ in range(5):
        with proxy.connect() as client:
            client.send(b"POST /refused-upload HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                client.send(b"x" * 8_000_000)
            answer = client.read_answer()
            assert (answer.status, answer.body) == (413, b"big\n")


def test_what_comes_after_a_response_answers_nobody(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(answer_with(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON", stay=True))
    for _ in range(3):
        with proxy.connect() as client:
            assert client.get(b"/surplus").body == b"ok"
    assert len(stage.connections) == 3


def test_a_word_out_of_turn_ends_an_idle_connection(proxy: RunningProxy, stage: Stage) -> None:
    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(OK)
        time.sleep(0.1)
        connection.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.read_head()

    stage.play(converse)
    with proxy.connect() as client:
        assert client.get(b"/turn").body == b"ok"
        time.sleep(0.3)
        assert client.get(b"/turn").body == b"ok"
    assert len(stage.connections) == 2


def test_an_idle_connection_that_the_server_closes_is_never_seen(proxy: RunningProxy, stage: Stage) -> None:
    def once(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(OK)

    stage.play(once)
    with proxy.connect() as client:
        for _ in range(50):
            assert client.get(b"/once").status == 200
    assert len(stage.connections) == 50


def test_a_get_that_lost_the_race_for_an_idle_connection_is_repeated(proxy: RunningProxy, stage: Stage) -> None:
    """The server closes at the very moment in which the next request is sent: it reads that, and answers nothing."""

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(OK)
        if connection is stage.connections[0]:
            connection.read_head()  # and leaves
        else:
            connection.read_head()
            connection.send(OK)

    stage.play(converse)
    with proxy.connect() as client:
        assert client.get(b"/race").status == 200
        assert client.get(b"/race").status == 200
    assert [connection.received.count(b"GET /race") for connection in stage.connections] == [2, 1]
    line = logged(proxy, "/race", 2)
    assert line["attempts"] == 2


def test_a_post_that_lost_that_race_is_not_repeated(proxy: RunningProxy, stage: Stage) -> None:
    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        connection.send(OK)
        connection.read_head()

    stage.play(converse)
    with proxy.connect() as client:
        assert client.get(b"/post-race").status == 200
        assert client.request(b"POST", b"/post-race", body=b"once").status == 502
    assert stage.received.count(b"POST /post-race") == 1
    assert logged(proxy, "/post-race", 2)["reason"] == "upstream.response.closed"


def test_a_client_that_leaves_ends_the_request(proxy: RunningProxy, stage: Stage) -> None:
    left: list[bytes] = []

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        try:
            connection.read_head()
        finally:
            left.append(b"left")

    stage.play(converse)
    with proxy.connect() as client:
        client.send(b"GET /leaves HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: stage.received)
        client.reset()  # one that says goodbye with a FIN may still wait: see test_messages
    eventually(lambda: left, 0.4)  # before the deadline for the response
    line = logged(proxy, "/leaves")
    assert (line["status"], line["reason"]) == (499, "client.closed")


@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_leaves_in_its_body_ends_the_request(proxy: RunningProxy, stage: Stage, reset: bool) -> None:
    stage.play(lambda connection: connection.read_exactly(10_000) and None)
    target = f"/half-body-{reset}"
    with proxy.connect() as client:
        client.send(b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello" % target.encode())
        eventually(lambda: b"hello" in stage.received)
        if reset:
            client.reset()
    line = logged(proxy, target)
    assert (line["status"], line["reason"], line["bytes_in"]) == (499, "client.closed", 5)
    with proxy.connect() as client:
        stage.play(answer_with(OK))
        assert client.get(b"/after").status == 200
