"""Messages as bytes: what goes out is what our own readers would take in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from proxy.message import Fields
from proxy.message.fields import Pair

#: The end of a chunked body without trailers (RFC 9112 section 7.1).
LAST_CHUNK: Final = b"0\r\n\r\n"


def encode_request(method: bytes, target: bytes, pairs: Iterable[Pair]) -> bytes:
    """The head of a request, with the empty line that ends it.

    @raise ValueError: something in it would make it another request.
    """
    return _head(b"%b %b HTTP/1.1" % (method, target), pairs)


def encode_response(status: int, reason: bytes, pairs: Iterable[Pair]) -> bytes:
    """The head of a response, with the empty line that ends it.

    @raise ValueError: something in it would make it another response.
    """
    return _head(b"HTTP/1.1 %d %b" % (status, reason), pairs)


def encode_chunk(data: bytes) -> bytes:
    """One chunk. No data makes no chunk, for an empty one would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def encode_last_chunk(trailers: Fields) -> bytes:
    """The end of a chunked body.

    @raise ValueError: a trailer field is not one line.
    """
    return _head(b"0", trailers) if trailers else LAST_CHUNK


def _head(start: bytes, pairs: Iterable[Pair]) -> bytes:
    """A start line, field lines and an empty line."""
    lines = [start]
    lines += [b"%b: %b" % pair for pair in pairs]
    ends = len(lines) + 1
    lines += (b"", b"")
    head = b"\r\n".join(lines)
    if head.count(b"\r") != ends or head.count(b"\n") != ends or b"\0" in head:
        raise ValueError(f"CR, LF or NUL in a head: {head[:200]!r}")
    return head
