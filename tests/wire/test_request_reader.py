"""What a server hears of what clients send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import limits
from proxy.errors import HEAD_TOO_LARGE, LINE_TOO_LONG, REQUEST_FRAMING, REQUEST_INVALID, TOO_MANY_FIELDS, ProxyError
from proxy.message import Fields, RequestHead
from proxy.wire import CHUNKED, End, RequestLimits, RequestReader
from proxy.wire.request_reader import REMEMBERED_BYTES
from tests.wire.cases.requests import ACCEPTED, REFUSED, SMUGGLED, Accepted, Refused, get, post
from tests.wire.conversation import Transcript, bytewise, cut, hear_requests

GET = get()
POST = post(b"Content-Length: 5")
CHUNKS = post(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\nX: 1\r\n\r\n")


def of(head: RequestHead) -> tuple[bytes, bytes, bytes, int]:
    return head.method, head.target, head.host, head.minor


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.name)
def test_understood(case: Accepted) -> None:
    reader = RequestReader()
    reader.feed(case.raw)
    head = reader.next_event()
    assert isinstance(head, RequestHead)
    assert of(head) == (case.method, case.target, case.host, case.minor)
    assert reader.keep_alive is case.keep_alive
    heard = hear_requests([case.raw])
    assert (heard.reason, heard.complete, heard.body) == (None, True, case.body)
    if isinstance(end := heard.events[-1], End):
        assert end.trailers.pairs == case.trailers
    else:
        assert case.trailers == ()


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refused(case: Refused) -> None:
    heard = hear_requests([case.raw])
    assert heard.reason == case.reason
    assert len(heard.heads) == case.heads


@pytest.mark.parametrize("case", [*ACCEPTED, *REFUSED], ids=lambda case: case.name)
def test_the_same_one_byte_at_a_time(case: Accepted | Refused) -> None:
    raw = case.raw[: 2 * limits.REQUEST_HEAD_BYTES]
    assert hear_requests(bytewise(raw)) == hear_requests([raw])


@given(st.data())
def test_the_same_however_it_is_cut(data: st.DataObject) -> None:
    raw = b"".join(
        case.raw for case in data.draw(st.lists(st.sampled_from([*ACCEPTED, *REFUSED]), min_size=1, max_size=3))
    )
    raw = raw[: 2 * limits.REQUEST_HEAD_BYTES]
    places = data.draw(st.lists(st.integers(0, len(raw)), max_size=8))
    assert hear_requests(cut(raw, places)) == hear_requests([raw])


@given(st.data())
def test_the_same_however_noise_is_cut(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([*ACCEPTED, *REFUSED])).raw[:2000])
    for place, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(raw) - 1), st.sampled_from(b"\r\n\0 \t:;,09aA\x7f\xff")), max_size=4)
    ):
        raw[place] = byte
    places = data.draw(st.lists(st.integers(0, len(raw)), max_size=8))
    assert hear_requests(cut(bytes(raw), places)) == hear_requests([bytes(raw)])


def test_a_message_without_a_body_has_no_end() -> None:
    reader = RequestReader()
    reader.feed(GET)
    assert reader.next_event() is not None
    assert reader.complete
    assert reader.body_length == 0
    assert reader.next_event() is None


def test_a_body_ends_once() -> None:
    reader = RequestReader()
    reader.feed(POST)
    assert isinstance(reader.next_event(), RequestHead)
    assert (reader.body_length, reader.complete) == (5, False)
    assert reader.next_event() == b"hello"
    assert not reader.complete
    assert reader.next_event() == End(Fields())
    assert reader.complete
    assert reader.next_event() is None


def test_chunks_end_with_their_trailers() -> None:
    reader = RequestReader()
    reader.feed(CHUNKS)
    assert isinstance(reader.next_event(), RequestHead)
    assert reader.body_length == CHUNKED
    assert reader.next_event() == b"hello"
    assert reader.next_event() == End(Fields([(b"X", b"1")]))


def test_a_large_body_is_handed_on_without_a_copy() -> None:
    reader = RequestReader()
    reader.feed(post(b"Content-Length: 200000", body=b""))
    reader.next_event()
    piece = b"x" * 100_000
    for _ in range(2):
        reader.feed(piece)
        assert reader.next_event() is piece
    assert reader.next_event() == End(Fields())


def test_pipelined_requests_wait_for_their_turn() -> None:
    reader = RequestReader()
    reader.feed(POST + get(b"/second") + get(b"/third"))
    targets = []
    for _ in range(3):
        while (event := reader.next_event()) is not None:
            if isinstance(event, RequestHead):
                targets.append(event.target)
        assert reader.complete
        reader.start_next()
    assert targets == [b"/t", b"/second", b"/third"]
    assert (reader.complete, reader.started, reader.buffered) == (False, False, 0)


def test_nothing_is_read_after_close() -> None:
    reader = RequestReader()
    reader.feed(get(b"/t", b"Connection: close") + SMUGGLED)
    assert isinstance(reader.next_event(), RequestHead)
    assert not reader.keep_alive
    reader.start_next()
    assert reader.next_event() is None


def test_the_next_request_cannot_begin_inside_a_body() -> None:
    reader = RequestReader()
    reader.feed(POST)
    reader.next_event()
    with pytest.raises(RuntimeError):
        reader.start_next()


def test_a_reader_that_failed_says_so_again() -> None:
    reader = RequestReader()
    reader.feed(b"NONSENSE\r\n\r\n")
    for _ in range(2):
        with pytest.raises(ProxyError) as caught:
            reader.next_event()
        assert caught.value.reason == REQUEST_INVALID
        reader.feed(GET)
    assert not reader.complete


def test_good_data_comes_before_the_error_behind_it() -> None:
    reader = RequestReader()
    reader.feed(post(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\nx\r\n"))
    reader.next_event()
    assert reader.next_event() == b"hello"
    with pytest.raises(ProxyError):
        reader.next_event()


@pytest.mark.parametrize(
    ("data", "started"),
    [(b"", False), (b"\r", False), (b"\r\n", False), (b"\r\nG", True), (b"G", True), (b"GET / HT", True)],
)
def test_an_empty_line_starts_nothing(data: bytes, started: bool) -> None:
    reader = RequestReader()
    reader.feed(data)
    assert reader.started is started
    assert reader.next_event() is None
    assert reader.started is started


def test_a_complete_request_is_not_the_start_of_the_next() -> None:
    reader = RequestReader()
    reader.feed(GET + b"G")
    reader.next_event()
    assert not reader.started
    reader.start_next()
    assert reader.started


def test_what_follows_http_is_given_away() -> None:
    reader = RequestReader()
    reader.feed(get(b"/t", b"Connection: Upgrade", b"Upgrade: x") + b"\x00\x01")
    reader.next_event()
    reader.feed(b"\x02")
    assert reader.buffered == 3
    assert reader.take_rest() == b"\x00\x01\x02"
    assert (reader.buffered, reader.complete, reader.keep_alive) == (0, True, False)
    reader.feed(GET)
    assert reader.next_event() is None


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03", b" ", b"GET / HTTP/1.1\n", b"GET\r\n", b"GET /t\r\n", b"\r\n\r\n", b"\r\nX(", b"{"]
)
def test_nobody_waits_for_what_can_only_be_wrong(garbage: bytes) -> None:
    assert hear_requests([garbage]).reason == REQUEST_INVALID


def test_nobody_waits_for_a_second_request_that_can_only_be_wrong() -> None:
    assert hear_requests([*bytewise(GET), b"GET /t\r\n"]).reason == REQUEST_INVALID


def test_nobody_waits_for_a_head_that_is_too_large_already() -> None:
    small = RequestLimits(head_bytes=60, line_bytes=20)
    line = b"GET /" + b"a" * 16
    assert hear_requests([line], small).reason is None
    assert hear_requests([line + b"a"], small).reason == LINE_TOO_LONG
    head = b"GET / HTTP/1.1\r\nX: "
    assert hear_requests([head.ljust(59, b"a")], small).reason is None
    assert hear_requests([head.ljust(60, b"a")], small).reason == HEAD_TOO_LARGE


def test_an_empty_line_may_come_before_each_request() -> None:
    heard = hear_requests([b"\r\n" + GET + b"\r\n" + GET])
    assert (len(heard.heads), heard.complete) == (2, True)


def test_repeated_field_lines_mean_the_same_again() -> None:
    reader = RequestReader()
    block = (b"Content-Length: 5", b"Connection: keep-alive", b"X: 1 ")
    heads = []
    for target in (b"/1", b"/2"):
        reader.feed(get(target, *block) + b"hello")
        heads.append(reader.next_event())
        assert reader.body_length == 5
        assert reader.next_event() == b"hello"
        reader.next_event()
        reader.start_next()
    first, second = heads
    assert isinstance(first, RequestHead)
    assert isinstance(second, RequestHead)
    assert second == first._replace(target=b"/2")
    assert second.fields is first.fields


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_request_that_is_the_same_to_the_last_byte_is_the_same_object(pieces: int) -> None:
    reader = RequestReader()
    heads = []
    for raw in (get(b"/1"), get(b"/1"), get(b"/2"), get(b"/1"), get(b"/1") + get(b"/1"), get(b"/1")):
        for at in range(pieces):
            size = -(-len(raw) // pieces)
            reader.feed(raw[at * size : (at + 1) * size])
        while (head := reader.next_event()) is not None:
            heads.append(head)
            assert (reader.body_length, reader.keep_alive, reader.complete) == (0, True, True)
            reader.start_next()
    assert [of(head)[1] for head in heads if isinstance(head, RequestHead)] == [b"/1", b"/1", b"/2", *[b"/1"] * 4]
    assert heads[1] is heads[0]
    assert heads[3] == heads[0]
    assert heads[3] is not heads[0]


def test_what_is_large_or_has_a_body_is_not_remembered_whole() -> None:
    for raw in (get(b"/" + b"x" * REMEMBERED_BYTES), get(b"/", b"Content-Length: 1") + b"x", get(b"http://b/")):
        reader = RequestReader()
        reader.feed(raw)
        assert isinstance(reader.next_event(), RequestHead)
        assert reader._raw is None


def test_repeated_field_lines_are_judged_by_the_version() -> None:
    fields = b"Host: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    heard = hear_requests([b"GET /t HTTP/1.1\r\n" + fields + b"GET /t HTTP/1.0\r\n" + fields])
    assert heard.reason == REQUEST_FRAMING
    assert len(heard.heads) == 1


def test_the_host_of_an_absolute_target_is_not_remembered() -> None:
    heard = hear_requests([get(b"http://b/t") + get(b"/t") + get(b"http://c/t")])
    assert [of(head)[2] for head in heard.heads if isinstance(head, RequestHead)] == [b"b", b"a", b"c"]
    assert [head.fields.all(b"host") for head in heard.heads] == [[b"b"], [b"a"], [b"c"]]


def test_limits_can_be_chosen() -> None:
    small = RequestLimits(head_bytes=100, line_bytes=20, fields=2, empty_lines=0)

    def reason(raw: bytes) -> Transcript:
        whole, piecewise = hear_requests([raw], small), hear_requests(bytewise(raw), small)
        assert whole == piecewise
        return whole

    assert reason(get(b"/12345")).complete
    assert reason(get(b"/123456")).complete
    assert reason(get(b"/1234567")).reason == LINE_TOO_LONG
    assert reason(get(b"/t", b"X: 1", b"Y: 2")).reason == TOO_MANY_FIELDS
    assert reason(get(b"/t", b"X: " + b"1" * 67)).complete
    assert len(get(b"/t", b"X: " + b"1" * 67)) == 100
    assert reason(get(b"/t", b"X: " + b"1" * 68)).reason == HEAD_TOO_LARGE
    assert reason(b"\r\n" + GET).reason == REQUEST_INVALID


def test_its_state_can_be_seen() -> None:
    reader = RequestReader()
    reader.feed(b"GET")
    assert repr(reader) == "<RequestReader head, 3 bytes buffered>"


# --- going on to another connection -----------------------------------------------------------------------------


def over(data: bytes) -> RequestReader:
    """A reader whose connection is over after `data`."""
    reader = RequestReader()
    reader.feed(data)
    while reader.next_event() is not None:
        pass
    return reader


def test_what_was_understood_goes_on_to_another_connection() -> None:
    reader = over(b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert reader.start_anew()
    assert (reader.started, reader.complete, reader.buffered) == (False, False, 0)
    reader.feed(b"\r\nPUT /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    first = reader.next_event()
    assert isinstance(first, RequestHead)
    assert (first.method, first.target, first.host, reader.keep_alive) == (b"PUT", b"/b", b"a", False)
    assert reader.start_anew()
    reader.feed(b"GET / HTTP/1.1\r\nHost: b\r\n\r\n")
    second = reader.next_event()
    assert isinstance(second, RequestHead)
    assert (second.host, reader.keep_alive) == (b"b", True)


def test_nothing_that_one_client_has_sent_reaches_another() -> None:
    reader = over(b"GET /mine HTTP/1.1\r\nHost: a\r\n\r\nGET /also-mine HTTP/1.1\r\nHo")
    assert reader.start_anew()
    assert reader.next_event() is None
    reader.feed(b"GET /yours HTTP/1.1\r\nHost: a\r\n\r\n")
    head = reader.next_event()
    assert isinstance(head, RequestHead)
    assert head.target == b"/yours"
    assert reader.next_event() is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET / HTT",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
        b"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 600 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nCookie: secret\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic c2VjcmV0\r\n\r\n",
    ],
)
def test_a_reader_stays_behind_that_is_not_through_or_knows_what_is_nobodys_business(data: bytes) -> None:
    assert not over(data).start_anew()


def test_a_reader_that_failed_or_left_http_stays_behind() -> None:
    failed = RequestReader()
    failed.feed(b"\0")
    with pytest.raises(ProxyError):
        failed.next_event()
    assert not failed.start_anew()
    left = over(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    left.take_rest()
    assert not left.start_anew()
