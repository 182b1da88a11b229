"""The table of states that stands above the readers, walked along."""

from __future__ import annotations

import pytest

from proxy.errors import ProxyError
from proxy.message import RequestHead
from proxy.wire import RequestReader, ResponseReader
from proxy.wire.blame import CLIENT
from proxy.wire.reader import VIEW_BYTES, MessageReader, State
from tests.wire.cases.requests import get, post
from tests.wire.cases.responses import CHUNKED, FIVE, OK, message

# What is fed, and the state after each event that can then be had.
REQUEST_WALKS = {
    "no body": (get(), [State.DONE]),
    "sized": (post(b"Content-Length: 5"), [State.SIZED_BODY, State.SIZED_BODY, State.DONE]),
    "chunked": (post(CHUNKED, body=b"1\r\nx\r\n0\r\n\r\n"), [State.CHUNKED_BODY, State.CHUNKED_BODY, State.DONE]),
    "unfinished": (post(b"Content-Length: 5", body=b"he"), [State.SIZED_BODY, State.SIZED_BODY]),
    "nothing": (b"", []),
}
RESPONSE_WALKS = {
    "no body": (message(OK, b"Content-Length: 0"), [State.DONE]),
    "interim": (message(b"HTTP/1.1 100 Continue") + message(OK, b"Content-Length: 0"), [State.HEAD, State.DONE]),
    "sized": (message(OK, FIVE, body=b"hello"), [State.SIZED_BODY, State.SIZED_BODY, State.DONE]),
    "chunked": (message(OK, CHUNKED, body=b"0\r\n\r\n"), [State.CHUNKED_BODY, State.DONE]),
    "open": (message(OK, body=b"hello"), [State.OPEN_BODY, State.OPEN_BODY]),
}


def walk(reader: RequestReader | ResponseReader, data: bytes) -> list[State]:
    states = []
    reader.feed(data)
    while reader.next_event() is not None:
        states.append(reader._state)
    return states


@pytest.mark.parametrize("name", REQUEST_WALKS)
def test_requests(name: str) -> None:
    data, states = REQUEST_WALKS[name]
    reader = RequestReader()
    assert reader._state is State.HEAD
    assert walk(reader, data) == states
    if states and states[-1] is State.DONE:
        reader.start_next()
        assert reader._state is State.HEAD


@pytest.mark.parametrize("name", RESPONSE_WALKS)
def test_responses(name: str) -> None:
    data, states = RESPONSE_WALKS[name]
    reader = ResponseReader()
    assert reader._state is State.DONE
    reader.expect(b"GET")
    assert reader._state is State.HEAD
    assert walk(reader, data) == states
    if states[-1] is State.OPEN_BODY:
        reader.feed_eof()
        assert reader._state is State.DONE


@pytest.mark.parametrize("data", [b"\0", post(b"Content-Length: x"), post(CHUNKED, body=b"x")])
def test_every_failure_is_final_and_keeps_no_bytes(data: bytes) -> None:
    reader = RequestReader()
    with pytest.raises(ProxyError) as first:
        walk(reader, data)
    reader.feed(get())
    with pytest.raises(ProxyError) as second:
        reader.next_event()
    assert str(first.value) == str(second.value)
    assert reader._state is State.FAILED


def test_leaving_is_final() -> None:
    reader = RequestReader()
    reader.take_rest()
    assert reader._state is State.LEFT
    assert walk(reader, get()) == []


def test_an_idle_reader_holds_no_bytes() -> None:
    reader = RequestReader()
    walk(reader, post(b"Content-Length: 5"))
    assert reader._buffer == b""


def test_the_reader_of_neither_side_reads_no_heads() -> None:
    reader = MessageReader[RequestHead](CLIENT, State.HEAD)
    with pytest.raises(NotImplementedError):
        reader.next_event()


@pytest.mark.parametrize(
    ("body", "rest"), [(b"hello", b""), (b"hello and more", b" and more"), (b"hell", None)], ids=["all", "more", "less"]
)
def test_a_body_that_is_here_with_its_head_can_be_had_at_once(body: bytes, rest: bytes | None) -> None:
    reader = ResponseReader()
    reader.expect(b"GET")
    reader.feed(message(OK, FIVE, body=body))
    assert reader.next_event() is not None
    taken = reader.take_body()
    if rest is None:
        assert taken is None
        assert reader.next_event() == body
        assert reader.take_body() is None  # part of it was given already; the rest has not come
    else:
        assert (taken, reader.complete, reader.next_event()) == (b"hello", True, None)
        assert reader.take_rest() == rest


def test_a_large_body_that_is_here_is_not_copied() -> None:
    body = b"x" * (VIEW_BYTES + 1)
    raw = message(OK, b"Content-Length: %d" % len(body), body=body)
    reader = ResponseReader()
    reader.expect(b"GET")
    reader.feed(raw)
    assert reader.next_event() is not None
    taken = reader.take_body()
    assert isinstance(taken, memoryview)
    assert taken.obj is raw
    assert taken == body
    assert reader.buffered == 0


@pytest.mark.parametrize("raw", [message(OK, CHUNKED, body=b"0\r\n\r\n"), message(OK, body=b"hello")])
def test_a_body_of_untold_length_is_never_had_at_once(raw: bytes) -> None:
    reader = ResponseReader()
    reader.expect(b"GET")
    reader.feed(raw)
    assert reader.next_event() is not None
    assert reader.take_body() is None
