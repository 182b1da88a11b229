"""A request body: nothing is read before somebody wants it, and nothing more than is wanted."""

from __future__ import annotations

import pytest

from proxy.downstream.request_body import RequestBody
from proxy.errors import BODY_TOO_LARGE, CLIENT_CLOSED, ProxyError
from proxy.message import Fields
from proxy.message.body import PipeOwner
from proxy.wire import RequestReader


class Connection:
    """What a body asks of its connection, written down."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def hold_body(self) -> None:
        self.asked.append("hold")

    def release_body(self) -> None:
        self.asked.append("release")


class Sink:
    def __init__(self) -> None:
        self.told: list[object] = []

    def body_data(self, data: bytes) -> None:
        self.told.append(data)

    def body_end(self, trailers: Fields) -> None:
        self.told.append(trailers)

    def body_failed(self, error: ProxyError) -> None:
        self.told.append(error)


def started(length: int | None = 10, limit: int = 0) -> tuple[RequestBody, Connection, Sink]:
    connection, sink = Connection(), Sink()
    body = RequestBody(connection, length)
    body.limit(limit)
    body.start(sink)
    return body, connection, sink


def test_what_goes_by_a_pipe_is_counted_and_its_end_is_heard() -> None:
    class Piped(Sink):
        def pipe_from(self, transport: object, count: int, owner: PipeOwner) -> bool:
            owner.piped(count)
            owner.pipe_over()
            return True

    connection, sink = Connection(), Piped()
    reader = RequestReader()
    reader.feed(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    assert [reader.next_event() is not None, reader.next_event()] == [True, b"abc"]
    body = RequestBody(connection, 10)
    body.start(sink)
    body.push(b"abc")
    body.bypass(reader, "transport")
    assert (body.taken, reader.absent) == (10, 0)
    assert connection.asked == ["release"] * 3
    assert reader.next_event() is not None


def test_it_is_held_until_somebody_starts_it() -> None:
    connection = Connection()
    body = RequestBody(connection, 10)
    assert body.held
    body.start(Sink())
    assert not body.held
    assert connection.asked == ["release"]


def test_pieces_arrive_as_they_are_pushed_and_then_the_trailers() -> None:
    body, _, sink = started()
    body.push(b"01234")
    body.push(b"56789")
    trailers = Fields([(b"X-Sum", b"1")])
    body.finish(trailers)
    assert sink.told == [b"01234", b"56789", trailers]
    assert (body.taken, body.ended) == (10, True)


def test_pausing_holds_the_connection() -> None:
    body, connection, _ = started()
    body.pause()
    assert body.held
    body.resume()
    assert not body.held
    assert connection.asked == ["release", "hold", "release"]


def test_whoever_stops_it_hears_no_more_and_the_connection_reads_on() -> None:
    body, connection, sink = started()
    body.pause()
    body.stop()
    assert not body.held, "the rest is read, and thrown away"
    body.push(b"01234")
    body.finish(Fields())
    assert sink.told == []
    assert body.taken == 5
    assert connection.asked[-1] == "release"


def test_it_may_be_stopped_before_it_was_started_and_after_its_end() -> None:
    body = RequestBody(Connection(), 10)
    body.stop()
    assert not body.held
    body.stop()


def test_it_fails_once() -> None:
    body, _, sink = started()
    error = ProxyError(CLIENT_CLOSED)
    body.fail(error)
    body.fail(error)
    assert sink.told == [error]


def test_too_large_is_known_from_the_announcement() -> None:
    with pytest.raises(ProxyError) as refused:
        RequestBody(Connection(), 11).limit(10)
    assert refused.value.reason is BODY_TOO_LARGE
    RequestBody(Connection(), 10).limit(10)
    RequestBody(Connection(), 10**12).limit(0)


def test_too_large_is_noticed_on_the_way_where_nothing_was_announced() -> None:
    body, _, sink = started(None, limit=8)
    body.push(b"01234567")
    body.push(b"8")
    assert sink.told[0] == b"01234567"
    assert isinstance(sink.told[1], ProxyError)
    assert sink.told[1].reason is BODY_TOO_LARGE
    body.push(b"9")
    body.finish(Fields())
    assert len(sink.told) == 2


@pytest.mark.parametrize(
    ("word", "act"), [("flowing", RequestBody.resume), ("held", RequestBody.pause), ("ended", RequestBody.stop)]
)
def test_the_state_is_in_the_repr(word: str, act: object) -> None:
    body, _, _ = started()
    act(body)  # type: ignore[operator] # a method of RequestBody
    assert repr(body) == f"<RequestBody {word} 0 of 10 bytes>"
