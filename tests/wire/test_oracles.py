"""The codec against two others: what httptools (llhttp) or h11 refuses we refuse, what we forward they understand.

Neither is right about everything, nor as strict as a proxy has to be; where one of them refuses what the RFC allows,
the exception is named below, and only then may we differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import h11
import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import ProxyError
from proxy.message import Fields, RequestHead, ResponseHead
from proxy.wire import (
    CHUNKED,
    End,
    RequestReader,
    ResponseReader,
    encode_chunk,
    encode_last_chunk,
    encode_request,
    encode_response,
)
from tests.wire.cases import requests, responses
from tests.wire.conversation import hear_requests, hear_response

# llhttp knows these methods and no other.
LLHTTP_METHODS = re.compile(
    rb"(?:ACL|BIND|CHECKOUT|COPY|DELETE|GET|HEAD|LINK|LOCK|M-SEARCH|MERGE|MKACTIVITY|MKCALENDAR|MKCOL|MOVE"
    rb"|NOTIFY|OPTIONS|PATCH|POST|PROPFIND|PROPPATCH|PURGE|PUT|QUERY|REBIND|REPORT"
    rb"|SEARCH|SOURCE|SUBSCRIBE|TRACE|UNBIND|UNLINK|UNLOCK|UNSUBSCRIBE) "
)

SPACED_EXTENSION = re.compile(rb"\r\n[0-9a-fA-F]+(?:[ \t]|[^\r\n]*;[^\r\n]*[ \t])")
FRAMING_TRAILER = re.compile(
    rb"(?i)\r\n0+(?:;[^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*?"
    rb"(?:transfer-encoding|content-length|connection|upgrade|proxy-connection):"
)

#: What we understand and llhttp does not, each with the section that is on our side (of RFC 9112, if not said).
LLHTTP_IS_WRONG = {
    "RFC 9110 9.1: unknown methods": lambda raw: not LLHTTP_METHODS.match(raw.removeprefix(b"\r\n")),
    "RFC 9110 2.5: HTTP/1.2 and above": re.compile(rb"(?m)^[^\r\n]* HTTP/1\.[2-9]\r\n").search,
    "RFC 9110 5.5: white space around `chunked`": re.compile(
        rb"(?i)\r\ntransfer-encoding:(?: ?[ \t]+chunked|[^\r\n]*[ \t]\r)"
    ).search,
    "7.1.1: bad white space in chunk extensions": SPACED_EXTENSION.search,
    "RFC 9110 6.5.1: framing fields in trailers, which we drop": FRAMING_TRAILER.search,
    "RFC 9110 7.8: an Upgrade that was not yet accepted": re.compile(rb"(?i)\r\nupgrade:").search,
}

#: The same for h11.
H11_IS_WRONG = {
    "2.2: an empty line before the request": lambda raw: raw.startswith(b"\r\n"),
    "RFC 9110 2.5: HTTP/1.2 and above": re.compile(rb"HTTP/1\.[2-9]").search,
    "RFC 9110 8.6: a length of more than 20 digits": re.compile(rb"(?i)content-length:[ \t]*[0-9]{20,}").search,
    "7.1.1: bad white space in chunk extensions": re.compile(
        rb"\r\n[0-9a-fA-F]+(?:[ \t]|[^\r\n]*;[^\r\n]*[ \t])"
    ).search,
    "RFC 9110 6.5.1: framing fields in trailers, which we drop": LLHTTP_IS_WRONG[
        "RFC 9110 6.5.1: framing fields in trailers, which we drop"
    ],
    "RFC 9110 10.1.1: an expectation of any kind": re.compile(rb"(?i)\r\nexpect:").search,
}

Heard = tuple[bytes, bytes, bytes, int]


class Llhttp:
    """One request, as httptools reads it."""

    def __init__(self) -> None:
        self.target = b""
        self.body = b""
        self.messages = 0

    def on_message_begin(self) -> None:
        self.messages += 1

    def on_url(self, piece: bytes) -> None:
        self.target += piece

    def on_body(self, piece: bytes) -> None:
        self.body += piece


def llhttp(raw: bytes) -> Heard:
    """Method, target, body and the number of requests.

    @raise httptools.HttpParserError: refused.
    """
    said = Llhttp()
    parser = httptools.HttpRequestParser(said)
    parser.feed_data(raw)
    return parser.get_method(), said.target, said.body, said.messages


def h11_reads(raw: bytes) -> Heard:
    """Method, target, body and the number of requests.

    @raise h11.RemoteProtocolError: refused.
    """
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(raw)
    head = connection.next_event()
    body = b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data), event
        body += event.data
    assert isinstance(head, h11.Request)
    return head.method, head.target, body, 2 if connection.trailing_data[0] else 1


def mutated(data: st.DataObject, raws: list[bytes]) -> bytes:
    raw = bytearray(data.draw(st.sampled_from(raws))[:1000])
    noise = st.tuples(
        st.integers(0, len(raw) - 1), st.sampled_from(b'\r\n\0 \t:;,="/?#%@019aAxX_-\x7f\xff'), st.integers(0, 2)
    )
    for place, byte, what in data.draw(st.lists(noise, max_size=4)):
        if place < len(raw):
            raw[place : place + (what > 0)] = [byte] * (what < 2)
    return bytes(raw)


def first_request(raw: bytes) -> bytes:
    """The bytes of the first request in `raw`, if we understand it; what follows may be anything."""
    reader = RequestReader()
    reader.feed(raw)
    try:
        while reader.next_event() is not None:
            pass
    except ProxyError:
        return b""
    return raw[: len(raw) - reader.buffered] if reader.complete else b""


def excuse(raw: bytes, excuses: dict[str, Callable[[bytes], object]]) -> bool:
    return any(applies(raw) for applies in excuses.values())


REQUESTS = [case.raw for case in [*requests.ACCEPTED, *requests.REFUSED]]


@settings(max_examples=600)
@given(st.data())
def test_what_others_refuse_we_refuse(data: st.DataObject) -> None:
    raw = first_request(mutated(data, REQUESTS))
    if not raw:
        return  # refused, or unfinished
    heard = hear_requests([raw])
    try:
        assert llhttp(raw)[2:] == (heard.body, 1) or excuse(raw, LLHTTP_IS_WRONG)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        assert excuse(raw, LLHTTP_IS_WRONG), raw
    try:
        assert h11_reads(raw)[2:] == (heard.body, 1) or excuse(raw, H11_IS_WRONG)
    except h11.RemoteProtocolError:
        assert excuse(raw, H11_IS_WRONG), raw


def forwarded(raw: bytes) -> bytes:
    """What an upstream gets of the one request in `raw`: our framing, no field of this hop."""
    reader = RequestReader()
    reader.feed(raw)
    head = reader.next_event()
    assert isinstance(head, RequestHead)
    events = list(iter(reader.next_event, None))
    pairs = list(
        head.fields.without((b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"host", b"expect"))
    )
    pairs.insert(0, (b"Host", head.host))
    if reader.body_length == CHUNKED:
        pairs.append((b"Transfer-Encoding", b"chunked"))
    elif reader.body_length:
        pairs.append((b"Content-Length", b"%d" % reader.body_length))
    written = [encode_request(head.method, head.target, pairs)]
    for event in events:
        if isinstance(event, End):
            written.append(encode_last_chunk(event.trailers) if reader.body_length == CHUNKED else b"")
        elif isinstance(event, bytes):
            written.append(encode_chunk(event) if reader.body_length == CHUNKED else event)
    return b"".join(written)


def check_forwarded(raw: bytes) -> None:
    """What we forward of `raw` is the same single request to everybody."""
    heard = hear_requests([raw])
    head = heard.heads[0]
    assert isinstance(head, RequestHead)
    sent = forwarded(raw)
    expected = (head.method, head.target, heard.body, 1)
    assert h11_reads(sent) == expected
    if LLHTTP_METHODS.match(sent):
        assert llhttp(sent) == expected
    again = hear_requests([sent])
    assert (again.body, again.complete, len(again.heads)) == (heard.body, True, 1)


@pytest.mark.parametrize("case", requests.ACCEPTED, ids=lambda case: case.name)
def test_what_we_forward_is_one_request_to_everybody(case: requests.Accepted) -> None:
    if case.host:
        check_forwarded(case.raw)


@settings(max_examples=400)
@given(st.data())
def test_what_we_forward_of_noise_is_one_request_to_everybody(data: st.DataObject) -> None:
    raw = first_request(mutated(data, REQUESTS))
    if raw and b"host" in hear_requests([raw]).heads[0].fields:
        check_forwarded(raw)


# --- there and back ---------------------------------------------------------------------------------------------

TOKENS = st.from_regex(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,20}", fullmatch=True)
VALUES = st.from_regex(rb"([!-~\x80-\xff]([\t -~\x80-\xff]{0,30}[!-~\x80-\xff])?)?", fullmatch=True)
TARGETS = st.from_regex(
    rb"/([A-Za-z0-9\-._~!$&'()*+,;=:@/|\[\]^]|%[0-9A-F]{2}){0,40}(\?[A-Za-z0-9&=%{}/?]{0,20})?", fullmatch=True
)
OURS = (b"host", b"content-length", b"transfer-encoding", b"connection")
PAIRS = st.lists(st.tuples(TOKENS, VALUES).filter(lambda pair: pair[0].lower() not in OURS), max_size=20)
METHODS = TOKENS.filter(lambda method: method != b"CONNECT")


@given(METHODS, TARGETS, PAIRS, st.binary(max_size=50))
def test_a_request_that_is_written_and_read_is_the_same(
    method: bytes, target: bytes, pairs: list[tuple[bytes, bytes]], body: bytes
) -> None:
    fields = Fields([(b"Host", b"a:80"), *pairs, (b"Content-Length", b"%d" % len(body))])
    heard = hear_requests([encode_request(method, target, fields) + body])
    assert heard.heads == [RequestHead(method, target, b"a:80", 1, fields)]
    assert (heard.body, heard.complete) == (body, True)


@given(st.integers(200, 999), VALUES, PAIRS, st.lists(st.binary(min_size=1, max_size=50)), PAIRS)
def test_a_response_that_is_written_and_read_is_the_same(
    status: int, reason: bytes, pairs: list[tuple[bytes, bytes]], body: list[bytes], trailers: list[tuple[bytes, bytes]]
) -> None:
    fields = Fields([*pairs, (b"Transfer-Encoding", b"chunked")])
    sent = [encode_response(status, reason, fields)]
    if status not in (204, 304):
        sent += [*map(encode_chunk, body), encode_last_chunk(Fields(trailers))]
    heard = hear_response(sent)
    assert heard.heads == [ResponseHead(status, reason, fields)]
    assert heard.complete
    if status not in (204, 304):
        assert heard.body == b"".join(body)


@pytest.mark.parametrize("case", responses.ACCEPTED, ids=lambda case: case.name)
def test_what_we_send_of_a_response_is_the_same_to_h11(case: responses.Accepted) -> None:
    reader = ResponseReader()
    reader.expect(case.method)
    reader.feed(case.raw)
    heads = [event for event in iter(reader.next_event, None) if isinstance(event, ResponseHead)]
    if case.statuses[-1] == 101:
        return  # h11 allows it only to a client that asked
    pairs = heads[-1].fields.without((b"content-length", b"transfer-encoding", b"connection"))
    sent = encode_response(heads[-1].status, heads[-1].reason, pairs.added((b"Content-Length", b"%d" % len(case.body))))
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    client.send(h11.Request(method=case.method, target=b"/", headers=[(b"Host", b"a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(sent + case.body)
    head = client.next_event()
    assert isinstance(head, h11.Response)
    assert (head.status_code, bytes(head.reason)) == (case.statuses[-1], case.reason)
    if case.body:
        data = client.next_event()
        assert isinstance(data, h11.Data)
        assert bytes(data.data) == case.body
    assert isinstance(client.next_event(), h11.EndOfMessage)
