"""The server's side of HTTP/1.1: what a client sends."""

from __future__ import annotations

from typing import Final, NamedTuple

from proxy import limits
from proxy.errors import LINE_TOO_LONG, REQUEST_METHOD, ProxyError
from proxy.message import RequestHead
from proxy.wire.blame import CLIENT
from proxy.wire.chunked import NO_FIELDS
from proxy.wire.framing import request_body_length
from proxy.wire.grammar import REQUEST_LINE, REQUEST_LINE_START
from proxy.wire.head import keeps_alive, refuse_stray
from proxy.wire.reader import DONE, HEAD, LEFT, MessageReader
from proxy.wire.request import RequestLine, read_request, read_request_line


class RequestLimits(NamedTuple):
    """Sizes of what a client may send: bytes, but for the last two, which count."""

    head_bytes: int = limits.REQUEST_HEAD_BYTES
    line_bytes: int = limits.REQUEST_LINE_BYTES
    fields: int = limits.REQUEST_FIELDS
    empty_lines: int = limits.LEADING_EMPTY_LINES


DEFAULT: Final = RequestLimits()

#: A whole request of this size is remembered, one for each connection: that much, and no more, an idle one may hold.
REMEMBERED_BYTES: Final = 2048
# What goes on to another connection: heads of clients that ask once, not what a browser collects in a session.
_CARRIED_BYTES: Final = 512
_CREDENTIALS: Final = frozenset({b"authorization", b"cookie", b"proxy-authorization"})

_NONE_YET: Final = RequestHead(b"", b"", b"", 1, NO_FIELDS)


class RequestReader(MessageReader[RequestHead]):
    """Reads what a client sends. Pipelined requests wait until `start_next`.

    Clients that keep a connection alive send the same field lines again and again, byte for byte. What was understood
    and found valid once is then used once more, and only the request line is read; not even that if the whole request
    is the same, and without a body.

    Clients that make a connection for each request do so, too: so a reader may go on to another connection.

    @param limits: sizes.
    """

    __slots__ = ("_empty_lines", "_head", "_raw", "_raw_fields", "limits")

    def __init__(self, limits: RequestLimits = DEFAULT) -> None:
        super().__init__(CLIENT, HEAD)
        self.limits = limits
        self._empty_lines = 0  # before the current head
        self._raw: bytes | None = None  # all of the last request, where it came alone and without a body
        self._raw_fields: bytes | None = None  # its field lines
        self._head = _NONE_YET  # that request

    @property
    def started(self) -> bool:
        """Whether a head has begun to arrive. An empty line, as some clients send it after a body, begins nothing."""
        if self._state is not HEAD:
            return False
        return self.buffered > 2 or self._buffer[self._at :] not in (b"", b"\r", b"\r\n")

    def start_next(self) -> None:
        """The exchange is over: the next request may be read, if the client wants there to be one.

        After `Connection: close` nothing more is read, whatever has been sent (RFC 9112 section 9.6).
        """
        if self._state is not DONE:
            raise RuntimeError(f"{self!r}: the request has not been read to its end")
        self._empty_lines = 0
        self.complete = not self.keep_alive
        self._state = HEAD if self.keep_alive else LEFT

    def start_anew(self) -> bool:
        """Its connection is over: be ready for another one, knowing nothing of this one but its last request.

        @return: whether it can be: the last request was read to its end, its lines are few and nobody's secret.
        """
        lines = self._raw_fields
        if self._state is not DONE or lines is None or len(lines) > _CARRIED_BYTES:
            return False
        if not _CREDENTIALS.isdisjoint(self._head.fields.shape.places):
            return False
        self._take()
        self._empty_lines = 0
        self.complete = False
        self._state = HEAD
        return True

    def _read_head(self) -> RequestHead | None:
        buffer, at = self._buffer, self._at
        if buffer == self._raw and not at:
            self._begin_body(len(buffer))
            return self._head
        end = buffer.find(b"\r\n\r\n", at + self._seen)
        if end < 0 or end + 4 - at > self.limits.head_bytes:
            return self._read_head_slowly(-1) if buffer else None
        line = REQUEST_LINE.match(buffer, at)
        if line is None or line.end() - at - 2 > self.limits.line_bytes:
            return self._read_head_slowly(end)
        method, target, digit = line.groups()
        minor = 0 if digit == b"0" else 1
        raw_fields = buffer[line.end() : end + 2]
        last = self._head
        if raw_fields == self._raw_fields and minor == last.minor:
            head = RequestHead(method, target, last.host, minor, last.fields)
        else:
            head = read_request(method, target, None, minor, raw_fields, self.limits.fields)
            self._understand(head)
            self._raw_fields = raw_fields
        self._head = head
        alone = not at and not self.body_length and end + 4 == len(buffer) <= REMEMBERED_BYTES
        self._raw = buffer if alone else None
        self._begin_body(end + 4)
        return head

    def _read_head_slowly(self, end: int) -> RequestHead | None:
        """A head that has not ended, or one that does not look like most: step by step.

        @param end: where its last field line ends, before the CRLF; negative where that is not known.
        """
        if self._buffer.startswith(b"\r\n", self._at) and self._empty_lines < self.limits.empty_lines:
            self._empty_lines += 1  # RFC 9112 section 2.2
            self._at += 2
            return self._read_head()
        line = self._read_line() if end >= 0 or not self._line_judged else None
        if end < 0 or line is None:
            self._wait_for_head(self.limits.head_bytes)
            return None
        raw_fields = self._buffer[line.end : end + 2]
        head = read_request(line.method, line.target, line.authority, line.minor, raw_fields, self.limits.fields)
        self._understand(head)
        self._head = head
        self._raw = self._raw_fields = None  # its host may not be what its field lines say
        self._begin_body(end + 4)
        return head

    def _read_line(self) -> RequestLine | None:
        """The request line, if all of it is here."""
        buffer, at = self._buffer, self._at
        limit = at + self.limits.line_bytes + 2
        end = buffer.find(b"\r\n", at, limit)
        refuse_stray(buffer, at, limit if end < 0 else end, self._blame.invalid)
        if not REQUEST_LINE_START.match(buffer, at):
            raise ProxyError(self._blame.invalid, f"request line {buffer[at : at + 60]!r}")
        if end < 0:
            if len(buffer) >= limit:
                # RFC 9112 section 3: 501 for a method without end, 414 for a target.
                reason = LINE_TOO_LONG if b" " in buffer[at:limit] else REQUEST_METHOD
                raise ProxyError(reason, f"more than {self.limits.line_bytes} bytes")
            return None
        line = read_request_line(buffer, at)
        self._line_judged = True
        return line

    def _understand(self, head: RequestHead) -> None:
        if head.fields.shape.plain:
            self.body_length = 0  # RFC 9112 section 6.3, rule 7
            self.keep_alive = head.minor > 0
            return
        self.body_length = request_body_length(head)
        self.keep_alive = keeps_alive(head.fields, head.minor)

    def _connection_options(self) -> list[bytes]:
        return self._head.fields.tokens(b"connection")
