"""Readers: bytes in, messages out. One for each end of a connection, and what they share.

Nothing here reads from a socket. Whoever owns the connection feeds bytes and takes events until there is none:

    reader.feed(data)
    while (event := reader.next_event()) is not None:
        ...                                 # a head, then bytes of the body, then End

A message without a body is complete with its head: no End follows. What is read next depends on the state only:

    state        event                       next state
    HEAD         a head                      BODY, CHUNKS, UNTIL_CLOSE, or DONE where it has no body
    HEAD         an interim head (1xx)       HEAD
    BODY         bytes; End after the last   BODY; DONE
    CHUNKS       bytes; End after the last   CHUNKS; DONE
    UNTIL_CLOSE  bytes; End at the close     UNTIL_CLOSE; DONE
    DONE         none                        HEAD, by `start_next` or `expect`
    LEFT         none                        (the connection speaks something else now)
    any          a ProxyError                FAILED
    FAILED       the same ProxyError         FAILED

However the bytes are cut into pieces, the events are the same, down to the reason of the error; only the cuts between
the bytes of a body differ. So a head that is still arriving is judged by the same rules, in the same order, as one
that is here: first its start line, then what no line may hold, then its size, and at last what it means.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Generic, NamedTuple, TypeVar

from proxy import limits
from proxy.errors import LINE_TOO_LONG, REQUEST_METHOD, RESPONSE_CLOSED, RESPONSE_TRUNCATED, ProxyError, Retry
from proxy.message import Fields, RequestHead, ResponseHead
from proxy.wire.blame import CLIENT, SERVER, Blame
from proxy.wire.chunked import NO_FIELDS, ChunkedDecoder
from proxy.wire.framing import CHUNKED
from proxy.wire.grammar import REQUEST_LINE, REQUEST_LINE_START, STATUS_LINE, STATUS_LINE_START
from proxy.wire.head import refuse_stray
from proxy.wire.request import RequestBlock, RequestLine, read_request_block, read_request_line, with_authority
from proxy.wire.response import ReadResponse, read_response


class End(NamedTuple):
    """The end of a body. `trailers` is mostly empty."""

    trailers: Fields


_END: Final = End(NO_FIELDS)

Head = TypeVar("Head", RequestHead, ResponseHead)


class RequestLimits(NamedTuple):
    """Sizes of what a client may send: bytes, but for the last two, which count."""

    head_bytes: int = limits.REQUEST_HEAD_BYTES
    line_bytes: int = limits.REQUEST_LINE_BYTES
    fields: int = limits.REQUEST_FIELDS
    empty_lines: int = limits.LEADING_EMPTY_LINES


class ResponseLimits(NamedTuple):
    """Sizes of what a server may send: bytes, but for the last two, which count."""

    head_bytes: int = limits.RESPONSE_HEAD_BYTES
    fields: int = limits.RESPONSE_FIELDS
    interim: int = limits.INTERIM_RESPONSES


REQUEST_LIMITS: Final = RequestLimits()
RESPONSE_LIMITS: Final = ResponseLimits()


class State(Enum):
    """What the bytes that come next are; see the table above."""

    HEAD = "head"
    BODY = "body"
    CHUNKS = "chunks"
    UNTIL_CLOSE = "until close"
    DONE = "done"
    LEFT = "left"
    FAILED = "failed"


# An enum's member is looked up through its class each time; these are read several times for each message.
_HEAD, _BODY, _CHUNKS, _UNTIL_CLOSE, _DONE, _LEFT, _FAILED = State


class _MessageReader(Generic[Head]):
    """What both readers do: keep the bytes, read the bodies.

    @ivar body_length: of the message whose head was returned last: bytes, `CHUNKED` or `UNTIL_CLOSE`.
    @ivar keep_alive: whether the sender lets the connection be used for another message after this one.
    """

    __slots__ = (
        "_at",
        "_blame",
        "_buffer",
        "_chunks",
        "_error",
        "_fields",
        "_left",
        "_line_judged",
        "_seen",
        "_state",
        "body_length",
        "keep_alive",
    )

    def __init__(self, blame: Blame, state: State) -> None:
        self._blame = blame
        self._state = state
        self._buffer = b""
        self._at = 0  # where in the buffer the unread bytes begin
        self._seen = 0  # how many of them have been searched for the end of the head, in vain
        self._line_judged = False  # whether the start line of an unfinished head is known to be right
        self._left = 0  # bytes that the body still lacks
        self._chunks: ChunkedDecoder | None = None
        self._fields = NO_FIELDS  # of the current message
        self._error: ProxyError | None = None
        self.body_length = 0
        self.keep_alive = True

    @property
    def complete(self) -> bool:
        """Whether the current message has been read to its end."""
        return self._state is _DONE or self._state is _LEFT

    @property
    def buffered(self) -> int:
        """How many bytes have arrived and are not read."""
        return len(self._buffer) - self._at

    def feed(self, data: bytes) -> None:
        """Take bytes that have arrived. Never raises."""
        at = self._at
        if at == len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[at:] + data if at else self._buffer + data
        self._at = 0

    def next_event(self) -> Head | bytes | End | None:
        """What the bytes so far say next; None where more are needed, and at the end of a message.

        @raise ProxyError: this is no valid message. The reader is finished: every further call raises the same.
        """
        state = self._state
        try:
            if state is _HEAD:
                return self._read_head()
            if state is _BODY:
                return self._read_body()
            if state is _CHUNKS:
                return self._read_chunks()
            if state is _UNTIL_CLOSE:
                return self._take() or None
        except ProxyError as error:
            self._fail(error)
            raise
        if self._error is not None:
            raise ProxyError(self._error.reason, self._error.detail, self._error.retry)
        return None

    def take_rest(self) -> bytes:
        """All bytes that were not read, for whoever speaks with the peer from now on (after a 101)."""
        self._state = _LEFT
        self.keep_alive = False
        return self._take()

    def _read_head(self) -> Head | None:
        raise NotImplementedError

    def _begin_body(self, at: int, length: int) -> None:
        """The head has ended before `at`; a body of this length follows."""
        self._seen = 0
        self._line_judged = False
        self.body_length = length
        self._at = at
        if length > 0:
            self._left = length
            self._state = _BODY
        elif length == 0:
            self._end_message()
        elif length == CHUNKED:
            self._chunks = ChunkedDecoder(self._blame)
            self._state = _CHUNKS
        else:
            self._state = _UNTIL_CLOSE

    def _read_body(self) -> bytes | End | None:
        left = self._left
        if not left:
            self._end_message()
            return _END
        size = len(self._buffer) - self._at
        if size <= left:
            self._left = left - size
            return self._take() or None
        at = self._at
        self._at = at + left
        self._left = 0
        return self._buffer[at : self._at]

    def _read_chunks(self) -> bytes | End | None:
        chunks = self._chunks
        assert chunks is not None
        data, self._at = chunks.decode(self._buffer, self._at)
        if data:
            return data
        if chunks.trailers is None:
            return None
        self._chunks = None
        self._end_message()
        # RFC 9110 section 7.6.1: what Connection names is taken out of the trailers too.
        return End(chunks.trailers.without(self._fields.tokens(b"connection"))) if chunks.trailers else _END

    def _take(self) -> bytes:
        """All unread bytes, in the very object that was fed wherever that is possible."""
        data = self._buffer[self._at :] if self._at else self._buffer
        self._buffer = b""
        self._at = 0
        return data

    def _end_message(self) -> None:
        self._state = _DONE
        if self._at == len(self._buffer):  # an idle connection holds no bytes
            self._buffer = b""
            self._at = 0

    def _fail(self, error: ProxyError) -> None:
        self._state = _FAILED
        self._error = error
        self._take()

    def _wait_for_head(self, max_bytes: int) -> None:
        """Judge the head that has not ended yet, or not within `max_bytes`.

        @raise ProxyError: it is too long, or holds what no head may hold.
        """
        buffer, at = self._buffer, self._at
        refuse_stray(buffer, at + self._seen, at + max_bytes, self._blame.invalid)
        if len(buffer) - at >= max_bytes:
            raise ProxyError(self._blame.head, f"more than {max_bytes} bytes")
        # The last bytes may be the beginning of the end.
        self._seen = max(len(buffer) - at - 3, 0)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._state.value}, {self.buffered} bytes buffered>"


_NO_BLOCK: Final = RequestBlock(b"", -1, NO_FIELDS, b"", 0, False)


class RequestReader(_MessageReader[RequestHead]):
    """Reads what a client sends. Pipelined requests wait until `start_next`.

    @param limits: sizes.
    """

    __slots__ = ("_block", "_empty_lines", "_limits")

    def __init__(self, limits: RequestLimits = REQUEST_LIMITS) -> None:
        super().__init__(CLIENT, _HEAD)
        self._limits = limits
        self._empty_lines = 0  # before the current head
        self._block = _NO_BLOCK  # the last one

    @property
    def started(self) -> bool:
        """Whether a head has begun to arrive. An empty line, as some clients send it after a body, begins nothing."""
        if self._state is not _HEAD:
            return False
        return self.buffered > 2 or self._buffer[self._at :] not in (b"", b"\r", b"\r\n")

    def start_next(self) -> None:
        """The exchange is over: the next request may be read, if the client wants there to be one.

        After `Connection: close` nothing more is read, whatever has been sent (RFC 9112 section 9.6).
        """
        if self._state is not _DONE:
            raise RuntimeError(f"{self!r}: the request has not been read to its end")
        self._empty_lines = 0
        self._state = _HEAD if self.keep_alive else _LEFT

    def _read_head(self) -> RequestHead | None:
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\r\n\r\n", at + self._seen)
        if end < 0 or end + 4 - at > self._limits.head_bytes:
            return self._read_head_slowly(-1) if buffer else None
        line = REQUEST_LINE.match(buffer, at)
        if line is None or line.end() - at - 2 > self._limits.line_bytes:
            return self._read_head_slowly(end)
        method, target, digit = line.groups()
        minor = 0 if digit == b"0" else 1
        block = self._read_block(buffer[line.end() : end + 2], minor)
        self._begin_request(block, end + 4)
        return RequestHead(method, target, block.host, minor, block.fields)

    def _read_head_slowly(self, end: int) -> RequestHead | None:
        """A head that has not ended, or one that does not look like most: step by step.

        @param end: where its last field line ends, before the CRLF; negative where that is not known.
        """
        if self._buffer.startswith(b"\r\n", self._at) and self._empty_lines < self._limits.empty_lines:
            self._empty_lines += 1  # RFC 9112 section 2.2
            self._at += 2
            self._seen = 0
            return self._read_head()
        line = self._read_line() if end >= 0 or not self._line_judged else None
        if end < 0 or line is None:
            self._wait_for_head(self._limits.head_bytes)
            return None
        block = self._read_block(self._buffer[line.end : end + 2], line.minor)
        self._begin_request(block, end + 4)
        if line.authority is None:
            return RequestHead(line.method, line.target, block.host, line.minor, block.fields)
        self._fields = with_authority(block.fields, line.authority)
        return RequestHead(line.method, line.target, line.authority, line.minor, self._fields)

    def _read_line(self) -> RequestLine | None:
        """The request line, if all of it is here."""
        buffer, at = self._buffer, self._at
        limit = at + self._limits.line_bytes + 2
        end = buffer.find(b"\r\n", at, limit)
        refuse_stray(buffer, at, limit if end < 0 else end, self._blame.invalid)
        if not REQUEST_LINE_START.match(buffer, at):
            raise ProxyError(self._blame.invalid, f"request line {buffer[at : at + 60]!r}")
        if end < 0:
            if len(buffer) >= limit:
                # RFC 9112 section 3: 501 for a method without end, 414 for a target.
                reason = LINE_TOO_LONG if b" " in buffer[at:limit] else REQUEST_METHOD
                raise ProxyError(reason, f"more than {self._limits.line_bytes} bytes")
            return None
        line = read_request_line(buffer, at)
        self._line_judged = True
        return line

    def _read_block(self, raw: bytes, minor: int) -> RequestBlock:
        block = self._block
        if raw != block.block or minor != block.minor:
            block = self._block = read_request_block(raw, minor, self._limits.fields)
        return block

    def _begin_request(self, block: RequestBlock, at: int) -> None:
        self._fields = block.fields
        self.keep_alive = block.keep_alive
        self._begin_body(at, block.body_length)


_NO_RESPONSE: Final = ReadResponse(b"", b"", ResponseHead(0, b"", NO_FIELDS), 0, False)


class ResponseReader(_MessageReader[ResponseHead]):
    """Reads what a server sends: one response for each request that was announced with `expect`.

    Bytes that nobody asked for stay in `buffered`: such a connection must not be used again, and refuses to be.

    @param limits: sizes.
    """

    __slots__ = ("_interim", "_limits", "_method", "_response")

    def __init__(self, limits: ResponseLimits = RESPONSE_LIMITS) -> None:
        super().__init__(SERVER, _DONE)
        self._limits = limits
        self._method = b""
        self._interim = 0  # interim responses so far
        self._response = _NO_RESPONSE  # the last one

    def expect(self, method: bytes) -> None:
        """A request with this method was sent; its response comes next."""
        if self._state is not _DONE:
            raise RuntimeError(f"{self!r}: the response has not been read to its end")
        self._method = method
        self._interim = 0
        self._state = _HEAD
        if self.buffered:
            self._fail(ProxyError(self._blame.invalid, f"{self.buffered} bytes that answer no request"))

    def feed_eof(self) -> End | None:
        """The server has closed the connection. To be called once `next_event` has nothing more to give.

        @return: End if that ends the body, None if no response was under way.
        @raise ProxyError: RESPONSE_CLOSED if nothing of the response has come, RESPONSE_TRUNCATED if not all of it.
        """
        if self._state is _UNTIL_CLOSE or (self._state is _BODY and not self._left):
            if self.buffered:
                raise RuntimeError(f"{self!r}: the body has not been read to its end")
            self._end_message()
            return _END
        if self._state is _HEAD and not self.buffered:
            retry = Retry.NEVER if self._interim else Retry.SENT
            self._fail(ProxyError(RESPONSE_CLOSED, retry=retry))
        elif self._state in (_HEAD, _BODY, _CHUNKS):
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
        raw = buffer[at : end + 2]
        response = self._response
        if raw != response.raw or self._method != response.request_method:
            response = self._response = read_response(raw, self._method, self._limits.fields)
        head = response.head
        if head.status < 200 and head.status != 101:
            self._skip_interim(end + 4)
            return head
        self._fields = head.fields
        self.keep_alive = response.keep_alive
        self._begin_body(end + 4, response.body_length)
        return head

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
