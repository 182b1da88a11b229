"""What a client hears of what servers send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import limits
from proxy.errors import RESPONSE_CLOSED, RESPONSE_INVALID, ProxyError, Retry
from proxy.message import Fields, ResponseHead
from proxy.wire import UNTIL_CLOSE, End, ResponseLimits, ResponseReader
from tests.wire.cases.responses import ACCEPTED, FIVE, OK, POISON, REFUSED, Accepted, Refused, message
from tests.wire.conversation import bytewise, cut, hear_response

HELLO = message(OK, FIVE, body=b"hello")


def drain(reader: ResponseReader) -> list[ResponseHead | bytes | End]:
    return list(iter(reader.next_event, None))


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.name)
def test_understood(case: Accepted) -> None:
    reader = ResponseReader()
    reader.expect(case.method)
    reader.feed(case.raw)
    events = drain(reader)
    if case.eof and (end := reader.feed_eof()):
        events.append(end)
    heads = [event for event in events if isinstance(event, ResponseHead)]
    assert tuple(head.status for head in heads) == case.statuses
    assert (heads[-1].reason, heads[-1].minor) == (case.reason, case.minor)
    assert b"".join(event for event in events if isinstance(event, bytes)) == case.body
    assert (reader.complete, reader.keep_alive, reader.buffered) == (True, case.keep_alive, case.rest)
    assert isinstance(events[-1], End) is (reader.body_length != 0)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refused(case: Refused) -> None:
    heard = hear_response([case.raw], case.method, eof=case.eof)
    assert heard.reason == case.reason
    assert len(heard.heads) == case.heads


@pytest.mark.parametrize("case", [*ACCEPTED, *REFUSED], ids=lambda case: case.name)
def test_the_same_one_byte_at_a_time(case: Accepted | Refused) -> None:
    raw = case.raw[: 2 * limits.RESPONSE_HEAD_BYTES]
    piecewise = hear_response(bytewise(raw), case.method, eof=case.eof)
    assert piecewise == hear_response([raw], case.method, eof=case.eof)


@given(st.data())
def test_the_same_however_noise_is_cut(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from([*ACCEPTED, *REFUSED]))
    raw = bytearray(case.raw[:2000] or b"-")
    for place, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(raw) - 1), st.sampled_from(b"\r\n\0 \t:;,09aA\x7f\xff")), max_size=4)
    ):
        raw[place] = byte
    places = data.draw(st.lists(st.integers(0, len(raw)), max_size=8))
    pieces = cut(bytes(raw), places)
    assert hear_response(pieces, case.method, eof=True) == hear_response([bytes(raw)], case.method, eof=True)


def test_one_response_after_another() -> None:
    reader = ResponseReader()
    for _ in range(3):
        reader.expect(b"GET")
        assert not reader.complete
        reader.feed(HELLO)
        assert drain(reader)[1:] == [b"hello", End(Fields())]
        assert (reader.complete, reader.keep_alive, reader.buffered) == (True, True, 0)


def test_a_repeated_head_means_the_same_again_but_not_to_another_method() -> None:
    reader = ResponseReader()
    heads = []
    for method, data, length in ((b"GET", HELLO, 5), (b"GET", HELLO, 5), (b"HEAD", HELLO[:-5], 0), (b"GET", HELLO, 5)):
        reader.expect(method)
        reader.feed(data)
        heads.append(drain(reader)[0])
        assert reader.body_length == length
        assert reader.complete
    assert heads[1] is heads[0]
    assert heads[2] == heads[3] == heads[0]


def test_an_interim_head_changes_nothing_about_the_final_one() -> None:
    reader = ResponseReader()
    for _ in range(2):
        reader.expect(b"GET")
        reader.feed(message(b"HTTP/1.1 103 Early Hints", b"Connection: close") + HELLO)
        assert [event.status for event in drain(reader) if isinstance(event, ResponseHead)] == [103, 200]
        assert reader.keep_alive
        assert reader.body_length == 5


def test_the_head_after_an_interim_one_is_read_afresh() -> None:
    interim = bytewise(message(b"HTTP/1.1 103 Early Hints", b"Link: </a.css>; rel=preload"))
    assert len(hear_response([*interim, b"HTTP/1.1 200\r\n\r\n"]).heads) == 2
    assert hear_response([*interim, b"HTTP/2 200\r\n"]).reason == RESPONSE_INVALID


def test_interim_responses_are_counted_for_each_request() -> None:
    reader = ResponseReader(ResponseLimits(interim=1))
    for _ in range(2):
        reader.expect(b"GET")
        reader.feed(message(b"HTTP/1.1 103 X") + HELLO)
        assert drain(reader)[-1] == End(Fields())


def test_bytes_that_nobody_asked_for_answer_nothing() -> None:
    reader = ResponseReader()
    reader.expect(b"GET")
    reader.feed(HELLO + POISON)
    drain(reader)
    assert reader.buffered == len(POISON)
    reader.expect(b"GET")
    with pytest.raises(ProxyError) as caught:
        reader.next_event()
    assert caught.value.reason == RESPONSE_INVALID


def test_nothing_is_read_before_a_request() -> None:
    reader = ResponseReader()
    reader.feed(message(b"HTTP/1.1 408 Request Timeout", FIVE, body=b"hello"))
    assert reader.next_event() is None
    assert reader.buffered > 0


def test_one_request_at_a_time() -> None:
    reader = ResponseReader()
    reader.expect(b"GET")
    with pytest.raises(RuntimeError):
        reader.expect(b"GET")


@pytest.mark.parametrize(("interim", "retry"), [(b"", Retry.SENT), (message(b"HTTP/1.1 100 Continue"), Retry.NEVER)])
def test_a_close_before_any_answer_says_whether_to_try_again(interim: bytes, retry: Retry) -> None:
    reader = ResponseReader()
    reader.expect(b"GET")
    reader.feed(interim)
    drain(reader)
    with pytest.raises(ProxyError) as caught:
        reader.feed_eof()
    assert (caught.value.reason, caught.value.retry) == (RESPONSE_CLOSED, retry)


def test_a_close_between_messages_is_nothing() -> None:
    reader = ResponseReader()
    assert reader.feed_eof() is None
    reader.expect(b"GET")
    reader.feed(HELLO)
    drain(reader)
    assert reader.feed_eof() is None


def test_a_close_ends_the_body_that_only_it_can_end() -> None:
    reader = ResponseReader()
    reader.expect(b"GET")
    reader.feed(message(OK))
    assert isinstance(reader.next_event(), ResponseHead)
    assert reader.body_length == UNTIL_CLOSE
    piece = b"hello"
    reader.feed(piece)
    with pytest.raises(RuntimeError):
        reader.feed_eof()
    assert reader.next_event() is piece
    assert not reader.complete
    assert reader.feed_eof() == End(Fields())
    assert reader.complete


def test_a_close_behind_the_last_byte_comes_too_late_to_matter() -> None:
    reader = ResponseReader()
    reader.expect(b"GET")
    reader.feed(HELLO)
    reader.next_event()
    assert reader.next_event() == b"hello"
    assert reader.feed_eof() == End(Fields())


def test_a_reader_that_failed_says_so_again_at_the_close() -> None:
    reader = ResponseReader()
    reader.expect(b"GET")
    reader.feed(b"nonsense\r\n")
    for read in (reader.next_event, reader.next_event, reader.feed_eof):
        with pytest.raises(ProxyError) as caught:
            read()
        assert caught.value.reason == RESPONSE_INVALID


def test_after_101_the_bytes_are_somebody_elses() -> None:
    reader = ResponseReader()
    reader.expect(b"GET")
    reader.feed(message(b"HTTP/1.1 101 Switching Protocols", b"Upgrade: x", b"Connection: upgrade", body=b"\0raw"))
    drain(reader)
    assert reader.complete
    assert reader.take_rest() == b"\0raw"
    with pytest.raises(RuntimeError):
        reader.expect(b"GET")


def test_limits_can_be_chosen() -> None:
    small = ResponseLimits(head_bytes=40, fields=1, interim=1)
    assert hear_response([HELLO], limits=small).complete
    interim = message(b"HTTP/1.1 103 X")
    assert hear_response([interim + HELLO], limits=small).complete
    assert hear_response([interim * 2 + HELLO], limits=small).reason == RESPONSE_INVALID
    for raw in (message(OK, b"X: " + b"a" * 40), message(b"HTTP/1.1 200", b"X: 1", b"Y: 1")):
        reason = hear_response([raw], limits=small).reason
        assert reason is not None
        assert reason.code == "upstream.response.head_too_large"
