"""The client's side of HTTP/1.1: what a server sends."""

from __future__ import annotations

from typing import Final, NamedTuple

from proxy import limits
from proxy.errors import RESPONSE_CLOSED, RESPONSE_TRUNCATED, ProxyError, Retry
from proxy.message import ResponseHead
from proxy.wire.blame import SERVER
from proxy.wire.chunked import NO_FIELDS
from proxy.wire.framing import UNTIL_CLOSE, response_body_length
from proxy.wire.grammar import STATUS_LINE, STATUS_LINE_START
from proxy.wire.head import keeps_alive
from proxy.wire.reader import CHUNKED_BODY, DONE, END, HEAD, OPEN_BODY, SIZED_BODY, End, MessageReader
from proxy.wire.response import read_response


class ResponseLimits(NamedTuple):
    """Sizes of what a server may send: bytes, but for the last two, which count."""

    head_bytes: int = limits.RESPONSE_HEAD_BYTES
    fields: int = limits.RESPONSE_FIELDS
    interim: int = limits.INTERIM_RESPONSES


DEFAULT: Final = ResponseLimits()

_NONE_YET: Final = ResponseHead(0, b"", NO_FIELDS)


class ResponseReader(MessageReader[ResponseHead]):
    """Reads what a server sends: one response for each request that was announced with `expect`.

    Bytes that nobody asked for stay in `buffered`: such a connection must not be used again, and refuses to be.

    Servers repeat themselves, until the clock in their Date moves on: a head that is the last one, byte for byte, is
    not read again.

    @param limits: sizes.
    """

    __slots__ = ("_head", "_interim", "_limits", "_method", "_raw_head")

    def __init__(self, limits: ResponseLimits = DEFAULT) -> None:
        super().__init__(SERVER, DONE)
        self._limits = limits
        self._method = b""
        self._interim = 0  # interim responses so far
        self._raw_head: bytes | None = None  # of the last final response
        self._head = _NONE_YET  # that response

    def expect(self, method: bytes) -> None:
        """A request with this method was sent; its response comes next."""
        if self._state is not DONE:
            raise RuntimeError(f"{self!r}: the response has not been read to its end")
        if method != self._method:
            self._raw_head = None  # the same head means something else to another method
            self._method = method
        self._interim = 0
        self.complete = False
        self._state = HEAD
        if self.buffered:
            self._fail(ProxyError(self._blame.invalid, f"{self.buffered} bytes that answer no request"))

    def feed_eof(self) -> End | None:
        """The server has closed the connection. To be called once `next_event` has nothing more to give.

        @return: End if that ends the body, None if no response was under way.
        @raise ProxyError: RESPONSE_CLOSED if nothing of the response has come, RESPONSE_TRUNCATED if not all of it.
        """
        if self._state is OPEN_BODY or (self._state is SIZED_BODY and not self._left):
            if self.buffered:
                raise RuntimeError(f"{self!r}: the body has not been read to its end")
            self._end_message()
            return END
        if self._state is HEAD and not self.buffered:
            retry = Retry.NEVER if self._interim else Retry.SENT
            self._fail(ProxyError(RESPONSE_CLOSED, retry=retry))
        elif self._state in (HEAD, SIZED_BODY, CHUNKED_BODY):
            self._fail(ProxyError(RESPONSE_TRUNCATED, f"in the {self._state.value}"))
        self.next_event()
        return None

    def _read_head(self) -> ResponseHead | None:
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\r\n\r\n", at + self._seen)
        if end < 0 or end + 4 - at > self._limits.head_bytes:
            if buffer:
                self._judge_line()
                self._wait_for_head(self._limits.head_bytes)
            return None
        raw_head = buffer[at : end + 2]
        if raw_head == self._raw_head:
            head = self._head
        else:
            head = read_response(raw_head, self._limits.fields)
            length = response_body_length(head, self._method)
            if head.status < 200 and head.status != 101:
                self._skip_interim(end + 4)
                return head
            self.body_length = length
            self.keep_alive = length != UNTIL_CLOSE and head.status != 101 and keeps_alive(head.fields, head.minor)
            self._raw_head = raw_head
            self._head = head
        self._begin_body(end + 4)
        return head

    def _connection_options(self) -> list[bytes]:
        return self._head.fields.tokens(b"connection")

    def _skip_interim(self, at: int) -> None:
        """RFC 9110 section 15.2: any number of 1xx may come before the final response; we are less patient."""
        self._interim += 1
        if self._interim > self._limits.interim:
            raise ProxyError(self._blame.invalid, f"more than {self._limits.interim} interim responses")
        self._at = at
        self._seen = 0
        self._line_judged = False

    def _judge_line(self) -> None:
        """Refuse what is no status line as early as that can be seen: TLS alerts, HTTP/2, HTTP/0.9."""
        if self._line_judged:
            return
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\r\n", at, at + self._limits.head_bytes)
        if not (STATUS_LINE_START.match(buffer, at) if end < 0 else STATUS_LINE.match(buffer, at)):
            raise ProxyError(self._blame.invalid, f"status line {buffer[at : at + 60]!r}")
        self._line_judged = end >= 0
