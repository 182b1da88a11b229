"""Chunked bodies, as they arrive; the case tables hold the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import limits
from proxy.errors import REQUEST_FRAMING, REQUEST_INVALID, TRAILERS_TOO_LARGE, ProxyError
from proxy.message import Fields
from proxy.wire import encode_chunk, encode_last_chunk
from proxy.wire.blame import CLIENT
from proxy.wire.chunked import NEVER_TRAILERS, ChunkedDecoder
from tests.wire.conversation import bytewise, cut


def decode(pieces: list[bytes]) -> tuple[bytes, Fields | None, bytes]:
    """The data, the trailers, and what is left, of a body that arrives in `pieces`."""
    decoder = ChunkedDecoder(CLIENT)
    data = rest = b""
    for piece in pieces:
        rest += piece
        while True:
            part, at = decoder.decode(rest, 0)
            rest = rest[at:]
            data += part
            if not part:
                break
    return data, decoder.trailers, rest


@given(st.data(), st.lists(st.binary(min_size=1, max_size=40)), st.binary(max_size=10))
def test_what_was_encoded_is_decoded_however_it_is_cut(data: st.DataObject, chunks: list[bytes], rest: bytes) -> None:
    trailers = Fields([(b"X", b"1")] if data.draw(st.booleans()) else [])
    raw = b"".join(map(encode_chunk, chunks)) + encode_last_chunk(trailers)
    places = data.draw(st.lists(st.integers(0, len(raw)), max_size=8))
    assert decode([*cut(raw, places), rest]) == (b"".join(chunks), trailers, rest)


def test_chunks_in_one_buffer_come_as_one_piece() -> None:
    decoder = ChunkedDecoder(CLIENT)
    raw = b"xx2\r\nab\r\n1\r\nc\r\n9\r\nde"
    assert decoder.decode(raw, 2) == (b"abcde", len(raw))
    assert decoder.decode(b"f", 0) == (b"f", 1)
    assert decoder.trailers is None


def test_nothing_is_read_behind_the_end() -> None:
    decoder = ChunkedDecoder(CLIENT)
    assert decoder.decode(b"0\r\n\r\n5\r\n", 0) == (b"", 5)
    assert decoder.decode(b"5\r\n", 0) == (b"", 0)


@pytest.mark.parametrize(
    "start", [b"g", b"\r", b" ", b"5 x", b"5\n", b"5\rx", b"5;\x01", b"1\r\nxy", b"1\r\nx\n", b"1\r\nx\rx", b"0" * 17]
)
def test_nobody_waits_for_what_can_only_be_wrong(start: bytes) -> None:
    for pieces in ([start], bytewise(start)):
        with pytest.raises(ProxyError) as caught:
            decode(pieces)
        assert caught.value.reason == REQUEST_FRAMING


def test_a_chunk_line_has_a_longest_length() -> None:
    longest = b"5;" + b"a" * (limits.CHUNK_LINE_BYTES - 4) + b"\r\n"
    assert len(longest) == limits.CHUNK_LINE_BYTES
    for pieces in ([longest], bytewise(longest)):
        assert decode(pieces) == (b"", None, b"")
    too_long = longest.replace(b";", b";a")
    for pieces in ([too_long], bytewise(too_long)):
        with pytest.raises(ProxyError):
            decode(pieces)


def test_nobody_waits_for_a_chunk_line_that_is_too_long_already() -> None:
    with pytest.raises(ProxyError):
        decode([b"5;" + b"a" * limits.CHUNK_LINE_BYTES])


def test_extensions_must_not_outgrow_the_message() -> None:
    chunk = b"1;" + b"a" * 199 + b"\r\nx\r\n"
    fits = limits.CHUNK_EXTENSION_BYTES // 200
    assert decode([chunk * fits]) == (b"x" * fits, None, b"\r\n")
    with pytest.raises(ProxyError) as caught:
        decode([chunk * (fits + 1)])
    assert caught.value.reason == REQUEST_FRAMING


def test_trailers_have_a_largest_size() -> None:
    largest = b"X: " + b"a" * (limits.TRAILER_BYTES - 7) + b"\r\n\r\n"
    assert len(largest) == limits.TRAILER_BYTES
    for pieces in ([b"0\r\n", largest], [b"0\r\n", *bytewise(largest)]):
        assert decode(pieces)[1] == Fields([(b"X", largest[3:-4])])
    for pieces in ([b"0\r\n", b"X" + largest], [b"0\r\n", *bytewise(b"X" + largest)]):
        with pytest.raises(ProxyError) as caught:
            decode(pieces)
        assert caught.value.reason == TRAILERS_TOO_LARGE


@pytest.mark.parametrize("start", [b"X\n", b"X: \0", b"X\r\r", b"\n"])
def test_nobody_waits_for_trailers_that_can_only_be_wrong(start: bytes) -> None:
    with pytest.raises(ProxyError) as caught:
        decode([b"0\r\n", *bytewise(start)])
    assert caught.value.reason == REQUEST_INVALID


@pytest.mark.parametrize("name", sorted(NEVER_TRAILERS | {b"x-forwarded-proto", b"x_real_ip", b"content_length"}))
def test_what_is_no_trailer_is_dropped(name: bytes) -> None:
    raw = b"0\r\nA: 1\r\n%b: 2\r\n%b: 3\r\nB: 4\r\n\r\n" % (name, name.upper())
    assert decode([raw])[1] == Fields([(b"A", b"1"), (b"B", b"4")])
