"""Messages as bytes: what goes out is what our own readers would take in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from proxy.message import Fields
from proxy.message.fields import Pair
from proxy.wire.grammar import CHUNKED_END, FIELD_LINES, REQUEST_HEAD, RESPONSE_HEAD, STATUS_LINE_WRITTEN

#: The end of a chunked body without trailers (RFC 9112 section 7.1).
LAST_CHUNK: Final = b"0\r\n\r\n"


def encode_request(method: bytes, target: bytes, pairs: Iterable[Pair]) -> bytes:
    """The head of a request, with the empty line that ends it.

    @param target: origin-form or `*`.
    @raise ValueError: this is no request head, or would be read as another one.
    """
    return _encode(b"%b %b HTTP/1.1" % (method, target), pairs, REQUEST_HEAD)


def encode_response(status: int, reason: bytes, pairs: Iterable[Pair]) -> bytes:
    """The head of a response, with the empty line that ends it.

    @raise ValueError: this is no response head, or would be read as another one.
    """
    return _encode(b"HTTP/1.1 %d %b" % (status, reason), pairs, RESPONSE_HEAD)


def frame_response(status: int, reason: bytes, fields: Fields, framing: bytes) -> bytes:
    """The head of a response whose fields mostly came from a server: what was written once is not written again.

    @param framing: further field lines, ready for the wire; the caller's own words.
    @raise ValueError: this is no response head.
    """
    return b"%b%b%b\r\n" % (_status_line(status, reason), fields.lines or field_lines(fields), framing)


@lru_cache(maxsize=256)
def _status_line(status: int, reason: bytes) -> bytes:
    line = b"HTTP/1.1 %d %b\r\n" % (status, reason)
    if not STATUS_LINE_WRITTEN.fullmatch(line):
        raise ValueError(f"not a status line: {line[:300]!r}")
    return line


def field_lines(fields: Fields) -> bytes:
    """Fields as lines, each with its CRLF; written and checked once for each `Fields`.

    @raise ValueError: one of them is no field line.
    """
    lines = fields.lines
    if lines is None:
        lines = b"\r\n".join([*[b": ".join(pair) for pair in fields.pairs], b""])
        if lines.count(b"\n") != len(fields.pairs) or not FIELD_LINES.fullmatch(lines):
            raise ValueError(f"not field lines: {lines[:300]!r}")
        fields.lines = lines
    return lines


def encode_chunk(data: bytes) -> bytes:
    """One chunk. No data makes no chunk, for an empty one would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def encode_last_chunk(trailers: Fields) -> bytes:
    """The end of a chunked body.

    @raise ValueError: a trailer is no field line.
    """
    return _encode(b"0", trailers.pairs, CHUNKED_END) if trailers else LAST_CHUNK


def _encode(start: bytes, pairs: Iterable[Pair], grammar: re.Pattern[bytes]) -> bytes:
    """A start line, field lines and an empty line, checked as one.

    A gate or an application may have put anything into them. Whatever the grammar takes has one LF a line, so the
    right number of LFs means that nothing in a name or a value has become a line of its own.
    """
    lines = [b": ".join(pair) for pair in pairs]
    head = b"\r\n".join((start, *lines, b"", b""))
    if head.count(b"\n") != len(lines) + 2 or not grammar.fullmatch(head):
        raise ValueError(f"not a message head: {head[:300]!r}")
    return head
