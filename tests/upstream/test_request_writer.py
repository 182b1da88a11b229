"""How a request with a body leaves: framing, writes, and whose pace counts."""

from __future__ import annotations

from typing import Any

from proxy.errors import CLIENT_CLOSED, ProxyError
from proxy.message import BodySource, BytesBody, Fields
from proxy.upstream.request_writer import JOIN_BYTES, RequestWriter
from tests.downstream.test_response_writer import Stream

HEAD = b"POST / HTTP/1.1\r\n\r\n"


class Desk:
    """A writer, its transport and its owner."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.told: list[Any] = []
        self.writer = RequestWriter(self)

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def request_sent(self) -> None:
        self.told.append("sent")

    def request_failed(self, error: ProxyError) -> None:
        self.told.append(error)

    def send(self, body: BodySource) -> None:
        self.writer.write(self, HEAD, body)  # type: ignore[arg-type] # of a transport it has `write`


def test_a_small_request_is_one_write() -> None:
    desk = Desk()
    desk.send(BytesBody(b"hello"))
    assert desk.writes == [HEAD + b"hello"]
    assert desk.told == ["sent"]
    assert desk.writer.sent


def test_large_data_is_not_copied_to_be_joined_with_its_head() -> None:
    desk = Desk()
    data = b"x" * (JOIN_BYTES + 1)
    desk.send(BytesBody(data))
    assert desk.writes == [HEAD, data]
    assert desk.writes[1] is data


def test_a_head_does_not_wait_for_a_body_that_is_not_there() -> None:
    desk = Desk()
    stream = Stream(5)
    desk.send(stream)
    assert desk.writes == [HEAD]
    assert not desk.writer.sent
    stream.taker.body_data(b"hello")
    stream.taker.body_end(Fields())
    assert desk.writes[1:] == [b"hello"]
    assert desk.told == ["sent"]


def test_a_body_of_unknown_length_goes_in_chunks_with_its_trailers() -> None:
    desk = Desk()
    stream = Stream()
    desk.send(stream)
    stream.taker.body_data(b"hello")
    stream.taker.body_end(Fields([(b"X-Sum", b"1")]))
    assert desk.writes == [HEAD, b"5\r\nhello\r\n", b"0\r\nX-Sum: 1\r\n\r\n"]


def test_a_body_that_fails_is_told_and_not_ended() -> None:
    desk = Desk()
    stream = Stream()
    desk.send(stream)
    error = ProxyError(CLIENT_CLOSED)
    stream.taker.body_failed(error)
    assert desk.told == [error]
    assert desk.writes == [HEAD]


def test_the_pace_of_the_server_is_passed_on_to_the_body() -> None:
    desk = Desk()
    stream = Stream()
    desk.send(stream)
    desk.writer.pause()
    desk.writer.resume()
    desk.writer.drop()
    desk.writer.pause()
    assert stream.asked == ["pause", "resume", "stop"]


class Pipe:
    """A transport that bodies come by."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def pipe_to(self, target: Any, count: int, owner: Any) -> bool:
        self.asked.append((target, count, owner))
        return True


def test_the_rest_of_a_body_of_known_length_may_come_through_a_pipe() -> None:
    desk, stream, pipe = Desk(), Stream(10), Pipe()
    desk.send(stream)
    stream.taker.body_data(b"abc")
    owner: Any = object()
    assert desk.writer.pipe_from(pipe, 7, owner)
    assert pipe.asked == [(desk, 7, owner)]
    assert not desk.writer.pipe_from(object(), 7, owner)
    chunked = Desk()
    chunked.send(Stream())
    assert not chunked.writer.pipe_from(pipe, 7, owner)
