"""Chunked bodies, as they arrive (RFC 9112 section 7.1).

CRLF and nothing else ends a line, and both bytes after the data of a chunk are looked at: programs that skip two
bytes, or end a line at LF, are how a chunk hides a request ("funky chunks": TERM.EXT, SPILL.TERM and their kin).
Extensions are parsed, counted and dropped; sizes and trailers are bounded.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from proxy import limits
from proxy.errors import ProxyError
from proxy.message import Fields
from proxy.wire.blame import Blame
from proxy.wire.framing import MAX_LENGTH
from proxy.wire.grammar import (
    FIRST_CHUNK_LINE,
    FIRST_CHUNK_LINE_START,
    NEXT_CHUNK_LINE,
    NEXT_CHUNK_LINE_START,
)
from proxy.wire.head import read_fields, refuse_stray

NO_FIELDS: Final = Fields()

#: Fields that mean nothing, or something dangerous, behind a body (RFC 9110 section 6.5.1): framing, routing,
#: authentication, request modifiers, what describes the content, and what belongs to one connection.
NEVER_TRAILERS: Final = frozenset(
    b"transfer-encoding content-length host connection keep-alive proxy-connection te trailer upgrade http2-settings"
    b" authorization proxy-authorization www-authenticate proxy-authenticate authentication-info"
    b" proxy-authentication-info cookie set-cookie content-encoding content-type content-range content-location"
    b" cache-control expect max-forwards pragma range if-match if-none-match if-modified-since if-unmodified-since"
    b" if-range age date expires location retry-after vary warning via forwarded x-real-ip x-request-id proxy"
    b" proxy-status".split()
)


class _State(Enum):
    """What must come next."""

    FIRST_SIZE = "first size"
    SIZE = "end of chunk and size"
    DATA = "data"
    TRAILERS = "trailers"
    ENDED = "ended"


class ChunkedDecoder:
    """Reads one chunked body out of a buffer that its owner keeps.

    @ivar trailers: None until the body has ended; then the trailer fields that may be passed on.
    """

    __slots__ = ("_blame", "_extension_bytes", "_left", "_seen", "_state", "trailers")

    def __init__(self, blame: Blame) -> None:
        self._blame = blame
        self._state = _State.FIRST_SIZE
        self._left = 0  # bytes of data that the current chunk still lacks
        self._seen = 0  # bytes of an unfinished trailer section that were looked at
        self._extension_bytes = 0
        self.trailers: Fields | None = None

    def decode(self, buffer: bytes, at: int) -> tuple[bytes, int]:
        """All data that `buffer` holds from `at` on, and where reading stopped.

        Several chunks in one buffer come out as one piece. Without data, either the body has ended (see `trailers`) or
        more bytes are needed: the next call must give the bytes from the returned place on, and more.

        @raise ProxyError: the bytes at `at` are not a chunked body. Good data before them is returned first.
        """
        parts: list[bytes] = []
        while True:
            if self._state is _State.DATA:
                data = buffer[at : at + self._left]
                if not data:
                    break
                parts.append(data)
                at += len(data)
                self._left -= len(data)
                if self._left:
                    break
                self._state = _State.SIZE
            try:
                after = self._read_frame(buffer, at)
            except ProxyError:
                if parts:
                    break
                raise
            if after == at:
                break
            at = after
        return parts[0] if len(parts) == 1 else b"".join(parts), at

    def _read_frame(self, buffer: bytes, at: int) -> int:
        """Read what stands between data and data. Returns where it ended, or `at` where more bytes are needed."""
        if self._state is _State.TRAILERS:
            return self._read_trailers(buffer, at)
        if self._state is _State.ENDED:
            return at
        first = self._state is _State.FIRST_SIZE
        line = (FIRST_CHUNK_LINE if first else NEXT_CHUNK_LINE).match(buffer, at)
        if line is None:
            start = (FIRST_CHUNK_LINE_START if first else NEXT_CHUNK_LINE_START).fullmatch(buffer, at)
            if start is None or len(buffer) - at > limits.CHUNK_LINE_BYTES:
                raise ProxyError(self._blame.framing, f"chunk line {buffer[at : at + 40]!r}")
            return at
        size = int(line[1], 16)
        self._extension_bytes += len(line[2])
        if (
            size > MAX_LENGTH
            or line.end() - at > limits.CHUNK_LINE_BYTES
            or self._extension_bytes > limits.CHUNK_EXTENSION_BYTES
        ):
            raise ProxyError(self._blame.framing, f"too much in chunk line {buffer[at : at + 40]!r}")
        self._left = size
        self._state = _State.DATA if size else _State.TRAILERS
        return line.end()

    def _read_trailers(self, buffer: bytes, at: int) -> int:
        """Read the whole trailer section and the empty line that ends the body."""
        if buffer.startswith(b"\r\n", at):
            self._state = _State.ENDED
            self.trailers = NO_FIELDS
            return at + 2
        end = buffer.find(b"\r\n\r\n", at + max(self._seen - 3, 0))
        if end < 0 or end + 4 - at > limits.TRAILER_BYTES:
            refuse_stray(buffer, at + self._seen, at + limits.TRAILER_BYTES, self._blame.invalid)
            self._seen = max(len(buffer) - at - 1, 0)
            if len(buffer) - at >= limits.TRAILER_BYTES:
                raise ProxyError(self._blame.trailers, f"more than {limits.TRAILER_BYTES} bytes")
            return at
        fields = read_fields(buffer[at : end + 2], limits.TRAILER_FIELDS, self._blame.invalid, self._blame.trailers)
        self._state = _State.ENDED
        self.trailers = Fields(pair for pair in fields if _may_trail(pair[0].lower()))
        return end + 4


def _may_trail(name: bytes) -> bool:
    """Whether a trailer field of this lower-case name may be passed on.

    Underscores are refused with the rest: CGI and WSGI read them as hyphens.
    """
    return name not in NEVER_TRAILERS and not name.startswith(b"x-forwarded-") and b"_" not in name
