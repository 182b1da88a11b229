"""HTTP/1 as values: bytes go in, heads and pieces of bodies come out.

No socket, no clock, no reactor: this file can be tried out in a Python prompt. Every step from the second
on imports it, and none of them changes it.

A reader reads exactly one message. Whatever two programs might read in two different ways is refused with
`MessageError`, never guessed: a proxy and a server that disagree on where a request ends are a security hole
(request smuggling, RFC 9112 section 11.2). Refused besides: absolute-form and CONNECT targets, a request
without exactly one Host field, upgrades, obsolete line folding, bare CR or LF, repeated Content-Length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from http.client import responses
from typing import Protocol

# Generous for real browsers with many cookies; what does not fit is refused, so a client cannot fill memory.
MAX_HEAD_BYTES = 16 * 1024
# A chunk size line with its extension, or one trailer field.
MAX_LINE_BYTES = 1024

Fields = tuple[tuple[bytes, bytes], ...]

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") (/[!\"$-~]*|\*) HTTP/1\.([01])")
STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2}) ?([\t -~\x80-\xff]*)")
FIELD_LINE = re.compile(rb"(" + TOKEN + rb"):([\t -~\x80-\xff]*)")
HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
LENGTH = re.compile(rb"[0-9]{1,15}")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t -~\x80-\xff]*)?")

# Fields that end at this hop (RFC 9110 section 7.6.1) ...
HOP_BY_HOP = frozenset(
    [b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"]
)
# ... fields that no `Connection: content-length` may talk us out of ...
NEVER_HOP_BY_HOP = frozenset([b"content-length", b"host"])
# ... and fields that a client may not write, because the server behind us believes them.
OURS_TO_WRITE = re.compile(rb"x-forwarded-.*|forwarded|proxy", re.IGNORECASE)


class MessageError(Exception):
    """The peer's bytes are not a message we accept; `status` is what a client would be told."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


# ---------------------------------------------------------------------------------------------- values


@dataclass(frozen=True)
class RequestHead:
    method: bytes
    target: bytes
    minor: int  # HTTP/1.minor
    fields: Fields

    def encode(self) -> bytes:
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (self.method, self.target, _encode_fields(self.fields))


@dataclass(frozen=True)
class ResponseHead:
    status: int
    reason: bytes
    minor: int
    fields: Fields

    def encode(self) -> bytes:
        return b"HTTP/1.1 %d %b\r\n%b\r\n" % (self.status, self.reason, _encode_fields(self.fields))


def _encode_fields(fields: Fields) -> bytes:
    return b"".join(b"%b: %b\r\n" % field for field in fields)


def values(fields: Fields, name: bytes) -> list[bytes]:
    """All values of the field `name` (given in lower case), in order."""
    return [value for key, value in fields if key.lower() == name]


def tokens(fields: Fields, name: bytes) -> set[bytes]:
    """The members of a comma-separated field, in lower case."""
    return {token.strip().lower() for value in values(fields, name) for token in value.split(b",")}


def keeps_alive(head: RequestHead | ResponseHead) -> bool:
    """May the connection be used again after this message? (HTTP/1.0 keep-alive is not spoken here.)"""
    return head.minor == 1 and b"close" not in tokens(head.fields, b"connection")


# --------------------------------------------------------------------- framing: where does a body end?


class Framing(Protocol):
    done: bool

    def take(self, buffer: bytearray) -> bytes:
        """Remove from `buffer` what belongs to the body and return its content."""


class Counted:
    """A body of known length; no body is a body of length 0."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0

    def take(self, buffer: bytearray) -> bytes:
        piece = bytes(buffer[: self._left])
        del buffer[: len(piece)]
        self._left -= len(piece)
        self.done = self._left == 0
        return piece


class UntilClose:
    """A response body that ends with its connection."""

    done = False

    def take(self, buffer: bytearray) -> bytes:
        piece = bytes(buffer)
        buffer.clear()
        return piece


class Chunked:
    """RFC 9112 section 7.1. Extensions and trailer fields are read, checked and dropped."""

    def __init__(self) -> None:
        self.done = False
        self._left = 0
        self._trailer_bytes = 0
        self._next: Callable[[bytearray], bytes | None] = self._take_size

    def take(self, buffer: bytearray) -> bytes:
        pieces = []
        while not self.done and (piece := self._next(buffer)) is not None:
            pieces.append(piece)
        return b"".join(pieces)

    # Each state is a method: it returns content, or None when it needs more bytes.

    def _take_size(self, buffer: bytearray) -> bytes | None:
        if (line := _take_line(buffer)) is None:
            return None
        if (match := CHUNK_SIZE.fullmatch(line)) is None:
            raise MessageError(400, "malformed chunk size")
        self._left = int(match[1], 16)
        self._next = self._take_content if self._left else self._take_trailer
        return b""

    def _take_content(self, buffer: bytearray) -> bytes | None:
        piece = bytes(buffer[: self._left])
        del buffer[: len(piece)]
        self._left -= len(piece)
        if self._left == 0:
            self._next = self._take_end_of_chunk
        return piece or None

    def _take_end_of_chunk(self, buffer: bytearray) -> bytes | None:
        if len(buffer) < 2:
            return None
        if buffer[:2] != b"\r\n":
            raise MessageError(400, "chunk longer than its size")
        del buffer[:2]
        self._next = self._take_size
        return b""

    def _take_trailer(self, buffer: bytearray) -> bytes | None:
        if (line := _take_line(buffer)) is None:
            return None
        self._trailer_bytes += len(line)
        if self._trailer_bytes > MAX_HEAD_BYTES or (line and not FIELD_LINE.fullmatch(line)):
            raise MessageError(400, "malformed trailer")
        self.done = not line
        return b""


def _take_line(buffer: bytearray) -> bytes | None:
    end = buffer.find(b"\r\n")
    if (len(buffer) if end < 0 else end) > MAX_LINE_BYTES:
        raise MessageError(400, "line too long")
    if end < 0:
        return None
    line = bytes(buffer[:end])
    del buffer[: end + 2]
    return line


def request_framing(head: RequestHead) -> Framing:
    """RFC 9112 section 6.3, from the side that must not be fooled."""
    return _declared_framing(head) or Counted(0)


def response_framing(head: ResponseHead, method: bytes) -> Framing:
    if method == b"HEAD" or head.status < 200 or head.status in (204, 304):
        return Counted(0)
    return _declared_framing(head) or UntilClose()


def _declared_framing(head: RequestHead | ResponseHead) -> Framing | None:
    lengths = values(head.fields, b"content-length")
    codings = values(head.fields, b"transfer-encoding")
    if codings:
        if lengths or head.minor == 0:
            raise MessageError(400, "Transfer-Encoding beside Content-Length or in HTTP/1.0")
        if [coding.lower() for coding in codings] != [b"chunked"]:
            raise MessageError(501, "a transfer coding other than chunked")
        return Chunked()
    if not lengths:
        return None
    if len(lengths) > 1 or not LENGTH.fullmatch(lengths[0]):
        raise MessageError(400, "Content-Length is not one number")
    return Counted(int(lengths[0]))


# ---------------------------------------------------------------------------------------------- readers


class MessageReader:
    """Reads one message: first `read_head` until it returns one, then `read_body` until `done`."""

    def __init__(self, received: bytes = b"") -> None:
        self._buffer = bytearray(received)
        self._framing: Framing | None = None

    def receive(self, data: bytes) -> None:
        self._buffer += data

    @property
    def buffered(self) -> int:
        return len(self._buffer)

    @property
    def rest(self) -> bytes:
        """After `done`: the bytes that follow the message."""
        return bytes(self._buffer)

    @property
    def done(self) -> bool:
        return self._framing is not None and self._framing.done

    @property
    def length_known(self) -> bool:
        return isinstance(self._framing, Counted)

    def read_body(self) -> bytes:
        """The part of the body that has arrived since the last call."""
        return b"" if self._framing is None else self._framing.take(self._buffer)

    def _take_head(self) -> list[bytes] | None:
        end = self._buffer.find(b"\r\n\r\n")
        if (len(self._buffer) if end < 0 else end) > MAX_HEAD_BYTES:
            raise MessageError(431, "head too large")
        if end < 0:
            return None
        lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        return lines


class RequestReader(MessageReader):
    def read_head(self) -> RequestHead | None:
        if (lines := self._take_head()) is None:
            return None
        if (match := REQUEST_LINE.fullmatch(lines[0])) is None:
            raise MessageError(400, "malformed request line")
        head = RequestHead(match[1], match[2], int(match[3]), _parse_fields(lines[1:]))
        hosts = values(head.fields, b"host")
        if len(hosts) != 1 or not HOST.fullmatch(hosts[0]):
            raise MessageError(400, "not exactly one valid Host")
        if head.method == b"CONNECT" or (head.target == b"*" and head.method != b"OPTIONS"):
            raise MessageError(501, "not a method for a reverse proxy")
        self._framing = request_framing(head)
        return head


class ResponseReader(MessageReader):
    """Interim responses (1xx) come out of `read_head` too; the final head follows."""

    def __init__(self, method: bytes) -> None:
        super().__init__()
        self._method = method

    def read_head(self) -> ResponseHead | None:
        if (lines := self._take_head()) is None:
            return None
        if (match := STATUS_LINE.fullmatch(lines[0])) is None:
            raise MessageError(502, "malformed status line")
        head = ResponseHead(int(match[2]), match[3], int(match[1]), _parse_fields(lines[1:]))
        if head.status == 101:
            raise MessageError(502, "an upgrade that nobody asked for")
        if head.status >= 200:
            self._framing = response_framing(head, self._method)
        return head

    def end_of_input(self) -> None:
        """The connection is closed: that completes a body of unknown length, and truncates any other."""
        if isinstance(self._framing, UntilClose):
            self._framing.done = True
        elif not self.done:
            raise MessageError(502, "the response was cut off")


def _parse_fields(lines: list[bytes]) -> Fields:
    fields = []
    for line in lines:
        if (match := FIELD_LINE.fullmatch(line)) is None:
            raise MessageError(400, "malformed header field")
        fields.append((match[1], match[2].strip(b" \t")))
    return tuple(fields)


# ------------------------------------------------------------------------------------- passing a head on


def to_upstream(head: RequestHead, client: str, *, chunked: bool, close: bool) -> RequestHead:
    """The head as the server shall see it; `chunked` and `close` belong to the connection towards it."""
    fields = [field for field in _end_to_end(head.fields) if not OURS_TO_WRITE.fullmatch(field[0])]
    fields += [(b"Via", b"1.%d tutorial" % head.minor), (b"X-Forwarded-For", client.encode("ascii"))]
    return RequestHead(head.method, head.target, 1, (*fields, *_hop_fields(chunked, close)))


def to_client(head: ResponseHead, *, chunked: bool, close: bool) -> ResponseHead:
    fields = _end_to_end(head.fields)
    if head.status < 200 or head.status == 204:
        # RFC 9110 section 8.6: no Content-Length here, whatever the server wrote.
        fields = [field for field in fields if field[0].lower() != b"content-length"]
    return ResponseHead(head.status, head.reason, 1, (*fields, *_hop_fields(chunked, close)))


def _end_to_end(fields: Fields) -> list[tuple[bytes, bytes]]:
    ends_here = (HOP_BY_HOP | tokens(fields, b"connection")) - NEVER_HOP_BY_HOP
    return [field for field in fields if field[0].lower() not in ends_here]


def _hop_fields(chunked: bool, close: bool) -> Fields:
    framing = ((b"Transfer-Encoding", b"chunked"),) if chunked else ()
    return (*framing, (b"Connection", b"close")) if close else framing


def encode_piece(piece: bytes, chunked: bool) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece) if chunked and piece else piece


def encode_end(chunked: bool) -> bytes:
    return b"0\r\n\r\n" if chunked else b""


def plain_response(status: int, text: str, *, close: bool, bodiless: bool = False) -> bytes:
    """A whole small response of our own; `bodiless` as the answer to HEAD."""
    body = text.encode() + b"\n"
    fields = ((b"Content-Type", b"text/plain; charset=utf-8"), (b"Content-Length", b"%d" % len(body)))
    head = ResponseHead(status, responses.get(status, "").encode(), 1, (*fields, *_hop_fields(False, close)))
    return head.encode() if bodiless else head.encode() + body
