"""What goes out is what our own readers would take in."""

from __future__ import annotations

import pytest

from proxy.message import Fields
from proxy.wire import LAST_CHUNK, encode_chunk, encode_last_chunk, encode_request, encode_response

HOST = (b"Host", b"a")


def test_a_request() -> None:
    assert encode_request(b"GET", b"/t?q", [HOST, (b"X", b"")]) == b"GET /t?q HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n"
    assert encode_request(b"OPTIONS", b"*", iter([HOST])) == b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"


def test_a_response() -> None:
    assert encode_response(200, b"OK", [(b"X", b"\xe9")]) == b"HTTP/1.1 200 OK\r\nX: \xe9\r\n\r\n"
    assert encode_response(299, b"", []) == b"HTTP/1.1 299 \r\n\r\n"


def test_chunks() -> None:
    assert encode_chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert encode_chunk(b"") == b""
    assert encode_last_chunk(Fields()) == LAST_CHUNK == b"0\r\n\r\n"
    assert encode_last_chunk(Fields([(b"X", b"1")])) == b"0\r\nX: 1\r\n\r\n"


@pytest.mark.parametrize(
    "bad", [b"\r", b"\n", b"\r\n", b"\0", b"\r\nEvil: 1", b"\r\n\r\nGET / HTTP/1.1", b"\x7f", b"\x08"]
)
def test_nothing_becomes_a_line_of_its_own(bad: bytes) -> None:
    for method, target, pair in (
        (b"G" + bad, b"/", HOST),
        (b"GET", b"/" + bad, HOST),
        (b"GET", b"/" + bad + b"x", HOST),
        (b"GET", b"/", (b"X" + bad, b"1")),
        (b"GET", b"/", (b"X", b"1" + bad)),
        (b"GET", b"/", (b"X", bad + b"1")),
    ):
        with pytest.raises(ValueError, match="not a message head"):
            encode_request(method, target, [HOST, pair, HOST])
    for reason, pair in ((b"OK" + bad, HOST), (b"OK", (b"X" + bad, b"1")), (b"OK", (b"X", bad))):
        with pytest.raises(ValueError, match="not a message head"):
            encode_response(200, reason, [pair])
    with pytest.raises(ValueError, match="not a message head"):
        encode_last_chunk(Fields([(b"X", b"1" + bad)]))


@pytest.mark.parametrize(
    ("method", "target"),
    [
        (b"", b"/"),
        (b"G T", b"/"),
        (b"GET", b""),
        (b"GET", b"/ "),
        (b"GET", b"/a b"),
        (b"GET", b"/\xe9"),
        (b"GET", b"/#"),
        (b"GET", b"http://a/"),
        (b"GET", b"a"),
        (b"GET", b"/%"),
        (b"GET", b"/ HTTP/1.1\r\nX: /"),
    ],
)
def test_no_request_line_that_is_none(method: bytes, target: bytes) -> None:
    with pytest.raises(ValueError, match="not a message head"):
        encode_request(method, target, [HOST])


@pytest.mark.parametrize("name", [b"", b" X", b"X ", b"X:", b"X Y", b"(", b"\xe9"])
def test_no_name_that_is_none(name: bytes) -> None:
    with pytest.raises(ValueError, match="not a message head"):
        encode_response(200, b"OK", [(name, b"1")])


@pytest.mark.parametrize("status", [0, 99, 1000, -200])
def test_no_status_that_is_none(status: int) -> None:
    with pytest.raises(ValueError, match="not a message head"):
        encode_response(status, b"OK", [])
