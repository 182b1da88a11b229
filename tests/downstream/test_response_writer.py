"""How a response is framed, and in how many writes it leaves."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.downstream.response_writer import JOIN_BYTES, ResponseWriter
from proxy.errors import RESPONSE_TRUNCATED, ProxyError
from proxy.message import EMPTY, BodySink, BodySource, BytesBody, Fields, RequestHead, Response, ResponseHead
from proxy.message.body import HeadOnly

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"


class Stream:
    """A body that comes when the test says so."""

    def __init__(self, length: int | None = None) -> None:
        self.length = length
        self.sink: BodySink | None = None
        self.asked: list[str] = []

    def start(self, sink: BodySink) -> None:
        self.sink = sink

    def pause(self) -> None:
        self.asked.append("pause")

    def resume(self) -> None:
        self.asked.append("resume")

    def stop(self) -> None:
        self.asked.append("stop")

    @property
    def taker(self) -> BodySink:
        assert self.sink is not None
        return self.sink


class Desk:
    """A writer with a transport that notes each write, and the owner who is told the end."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.told: list[Any] = []
        self.writer = ResponseWriter(self, self, lambda: DATE)  # type: ignore[arg-type] # of a transport it has `write`

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def response_written(self) -> None:
        self.told.append("written")

    def response_failed(self, error: ProxyError, begun: bool) -> None:
        self.told.append((error.reason.code, begun))

    def answer(
        self,
        body: BodySource,
        status: int = 200,
        *,
        method: bytes = b"GET",
        minor: int = 1,
        last: bool = False,
        fields: Fields = Fields(),  # noqa: B008 - immutable
    ) -> None:
        head = ResponseHead(status, b"Fine", fields.added((b"Date", DATE)))
        self.writer.write(RequestHead(method, b"/", b"a", minor, Fields()), Response(head, body), last)

    def lines(self) -> list[bytes]:
        """Of the head, less what is the same everywhere."""
        head = b"".join(self.writes).partition(b"\r\n\r\n")[0]
        return [line for line in head.split(b"\r\n")[1:] if not line.startswith(b"Date")]


def test_a_small_response_is_one_write() -> None:
    desk = Desk()
    desk.answer(BytesBody(b"hello"))
    assert desk.writes == [b"HTTP/1.1 200 Fine\r\nDate: %b\r\nContent-Length: 5\r\n\r\nhello" % DATE]
    assert desk.told == ["written"]
    assert desk.writer.bytes_out == 5


def test_large_data_is_not_copied_to_be_joined_with_its_head() -> None:
    desk = Desk()
    data = b"x" * (JOIN_BYTES + 1)
    desk.answer(BytesBody(data))
    assert len(desk.writes) == 2
    assert desk.writes[1] is data


def test_a_head_does_not_wait_for_a_body_that_is_not_there() -> None:
    desk = Desk()
    stream = Stream(5)
    desk.answer(stream)
    assert desk.lines() == [b"Content-Length: 5"]
    assert desk.told == []
    stream.taker.body_data(b"hello")
    stream.taker.body_end(Fields())
    assert desk.writes[1:] == [b"hello"]
    assert desk.told == ["written"]


def test_a_body_of_unknown_length_goes_in_chunks_each_as_it_comes() -> None:
    desk = Desk()
    stream = Stream()
    desk.answer(stream)
    stream.taker.body_data(b"hello")
    stream.taker.body_data(b"world!")
    stream.taker.body_end(Fields([(b"X-Sum", b"1")]))
    assert desk.lines() == [b"Transfer-Encoding: chunked"]
    assert desk.writes[1:] == [b"5\r\nhello\r\n", b"6\r\nworld!\r\n", b"0\r\nX-Sum: 1\r\n\r\n"]
    assert desk.writer.bytes_out == 11


def test_http_1_0_knows_no_chunks_so_its_connection_closes() -> None:
    desk = Desk()
    stream = Stream()
    desk.answer(stream, minor=0)
    stream.taker.body_data(b"hello")
    stream.taker.body_end(Fields([(b"X-Sum", b"1")]))
    assert desk.lines() == [b"Connection: close"]
    assert desk.writes[1:] == [b"hello"]
    assert desk.writer.last


@pytest.mark.parametrize(
    ("minor", "last", "line"),
    [(1, False, []), (1, True, [b"Connection: close"]), (0, False, [b"Connection: keep-alive"])],
)
def test_what_becomes_of_the_connection_is_said_where_it_does_not_go_without_saying(
    minor: int, last: bool, line: list[bytes]
) -> None:
    desk = Desk()
    desk.answer(EMPTY, minor=minor, last=last)
    assert desk.lines() == [b"Content-Length: 0", *line]
    assert desk.writer.last is last


@pytest.mark.parametrize(
    ("method", "status", "body", "lines"),
    [
        (b"HEAD", 200, HeadOnly(1000), [b"Content-Length: 1000"]),
        (b"HEAD", 200, HeadOnly(None), []),
        (b"HEAD", 200, BytesBody(b"hello"), [b"Content-Length: 5"]),
        (b"GET", 304, HeadOnly(1000), [b"Content-Length: 1000"]),
        (b"GET", 304, HeadOnly(None), []),
        (b"GET", 204, EMPTY, []),
        (b"GET", 204, BytesBody(b"hello"), []),
        (b"GET", 205, EMPTY, [b"Content-Length: 0"]),
    ],
)
def test_a_response_that_has_no_body_writes_none(
    method: bytes, status: int, body: BodySource, lines: list[bytes]
) -> None:
    desk = Desk()
    desk.answer(body, status, method=method)
    assert desk.lines() == lines
    assert b"".join(desk.writes).endswith(b"\r\n\r\n")
    assert desk.told == ["written"]


def test_a_stream_that_answers_head_is_stopped() -> None:
    desk = Desk()
    stream = Stream(5)
    desk.answer(stream, method=b"HEAD")
    assert stream.asked == ["stop"]
    assert desk.told == ["written"]


def test_a_date_that_is_there_stays_and_one_that_is_missing_is_added() -> None:
    desk = Desk()
    head = RequestHead(b"GET", b"/", b"a", 1, Fields())
    desk.writer.write(head, Response(ResponseHead(204, b"No Content", Fields())), False)
    assert desk.writes == [b"HTTP/1.1 204 No Content\r\nDate: %b\r\n\r\n" % DATE]


def test_a_failure_says_whether_the_client_has_seen_anything() -> None:
    class Broken(Stream):
        def start(self, sink: BodySink) -> None:
            sink.body_failed(ProxyError(RESPONSE_TRUNCATED))

    desk = Desk()
    desk.answer(Broken(5))
    assert desk.told == [("upstream.response.truncated", False)]
    assert desk.writes == []
    stream = Stream(5)
    desk.answer(stream)
    stream.taker.body_failed(ProxyError(RESPONSE_TRUNCATED))
    assert desk.told[1:] == [("upstream.response.truncated", True)]


def test_a_head_that_is_none_is_refused_before_anything_is_written() -> None:
    desk = Desk()
    stream = Stream()
    desk.answer(stream, fields=Fields([(b"X", b"a\r\nContent-Length: 7")]))
    assert desk.told == [("proxy.internal", False)]
    assert desk.writes == []
    assert stream.asked == ["stop"]


def test_the_pace_of_the_client_is_passed_on_to_the_body() -> None:
    desk = Desk()
    stream = Stream()
    desk.answer(stream)
    desk.writer.pause()
    desk.writer.resume()
    desk.writer.stop()
    assert stream.asked == ["pause", "resume", "stop"]
    desk.writer.pause()
    assert stream.asked[-1] == "stop", "the body is nobody's now"


@pytest.mark.parametrize("takes_views", [True, False])
def test_a_body_that_is_here_leaves_with_its_head_and_a_large_one_behind_it(takes_views: bool) -> None:
    desk = Desk()
    desk.writer._transport.takes_views = takes_views  # type: ignore[attr-defined]
    head = RequestHead(b"GET", b"/", b"a", 1, Fields())
    desk.writer.write(head, Response(ResponseHead(200, b"OK", Fields()), BytesBody(memoryview(b"- small")[2:])), False)
    large = memoryview(b"-" * (JOIN_BYTES + 9))[8:]
    desk.writer.write(head, Response(ResponseHead(200, b"OK", Fields()), BytesBody(large)), False)
    small, first, second = desk.writes
    assert small.endswith(b"\r\n\r\nsmall")
    assert first.endswith(b"\r\n\r\n")
    if takes_views:
        assert second is large, "without a copy"
    else:
        assert type(second) is bytes, "Twisted's own transports take nothing else"
        assert second == large
    assert desk.told == ["written", "written"]
    assert desk.writer.bytes_out == JOIN_BYTES + 1


class PipingDesk(Desk):
    """Its transport, and the one that bodies come by, are the same object: it notes what is piped."""

    takes = True

    def __init__(self) -> None:
        super().__init__()
        self.pipes: list[tuple[Any, int]] = []

    def pipe_to(self, target: Any, count: int, owner: Any) -> bool:
        self.pipes.append((target, count))
        return self.takes

    def piped(self, size: int) -> None:
        self.told.append(size)

    def pipe_over(self) -> None:
        self.told.append("over")


def test_the_rest_of_a_body_may_come_through_a_pipe() -> None:
    desk, body = PipingDesk(), Stream(10)
    desk.answer(body)
    body.taker.body_data(b"abc")
    assert desk.writer.pipe_from(desk, 7, desk)
    assert desk.pipes == [(desk, 7)]
    desk.writer.piped(4)
    desk.writer.piped(3)
    desk.writer.pipe_over()
    assert desk.told == [4, 3, "over"]
    body.taker.body_end(Fields())
    assert desk.writer.bytes_out == 10
    assert desk.told[-1] == "written"


def test_a_pipe_is_not_for_chunks_nor_for_transports_that_have_none() -> None:
    desk, body = PipingDesk(), Stream()
    desk.answer(body)
    body.taker.body_data(b"abc")
    assert not desk.writer.pipe_from(desk, 7, desk)
    assert desk.pipes == []
    plain, body = Desk(), Stream(10)
    plain.answer(body)
    body.taker.body_data(b"abc")
    assert not plain.writer.pipe_from(plain, 7, desk)
    refusing, body = PipingDesk(), Stream(10)
    refusing.takes = False
    refusing.answer(body)
    body.taker.body_data(b"abc")
    assert not refusing.writer.pipe_from(refusing, 7, desk)
