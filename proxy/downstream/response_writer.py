"""How a response goes to the client: its framing, and never more than one window of it waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import ITransport

from proxy.errors import INTERNAL, ProxyError
from proxy.flow.bypass import own_method
from proxy.message import BodySource, Fields, RequestHead, Response
from proxy.message.body import EMPTY, NO_FIELDS, BytesBody, PipeOwner
from proxy.wire import (
    CHUNKED,
    LAST_CHUNK,
    UNTIL_CLOSE,
    encode_chunk,
    encode_last_chunk,
    frame_response,
)

# Below this, joining a chunk's size to its data is cheaper than a second write.
JOIN_BYTES = 16 * 1024


class ResponseOwner(Protocol):
    """Who is told how the writing of a response ended; exactly one of the two is called, once."""

    def response_written(self) -> None:
        """The whole response is with the transport."""

    def response_failed(self, error: ProxyError, begun: bool) -> None:
        """The body broke off. `begun`: part of the response has been written, so that it cannot be replaced."""


class ResponseWriter:
    """Writes the responses of one client connection, one after the other.

    The head waits for the first bytes of the body, if those are there at once: one message, one write.

    @param date: the value of the Date field for responses that have none (RFC 9110 section 6.6.1).
    @ivar bytes_out: bytes of body written of the present response.
    @ivar begun: part of the present response has been written.
    @ivar last: the connection closes after the present response.
    """

    def __init__(self, transport: ITransport, owner: ResponseOwner, date: Callable[[], bytes]) -> None:
        self._transport = transport
        self._owner = owner
        self._date = date
        self._head: bytes = b""
        self._framing = 0
        self._body: BodySource = EMPTY
        self._pipe_owner: PipeOwner  # while a pipe is there
        self.begun = False
        self.last = False
        self.bytes_out = 0

    def write(self, request: RequestHead, response: Response, last: bool) -> None:
        """Write `response` to `request`; `last` says that the connection closes after it."""
        head, body, _ = response
        no_body = request.method == b"HEAD" or head.status in (204, 304)
        framing = b""
        self._framing = 0
        if body.length is not None:
            if head.status != 204:
                framing = b"Content-Length: %d\r\n" % body.length
        elif not no_body:
            framing = self._frame_unknown_length(request)
            last = last or self._framing == UNTIL_CLOSE
        if last:
            framing += b"Connection: close\r\n"
        elif request.minor == 0:
            framing += b"Connection: keep-alive\r\n"
        self.last = last
        self.begun = False
        self.bytes_out = 0
        try:
            if b"date" not in head.fields.shape.places:
                framing += b"Date: %b\r\n" % self._date()
            self._head = frame_response(head.status, head.reason, head.fields, framing)
        except ValueError as error:  # a gate or an application made it
            body.stop()
            self._owner.response_failed(ProxyError(INTERNAL, str(error)), False)
            return
        if no_body:
            body.stop()
            self.body_end(NO_FIELDS)
            return
        if type(body) is BytesBody:
            self._write_whole(body)
            return
        self._body = body
        body.start(self)
        if self._head:
            self._flush(b"")

    def _write_whole(self, body: BytesBody) -> None:
        """A body that is here, as most are: 1 µs less than as a stream of one piece, and no copy of a large one."""
        head, self._head = self._head, b""
        self.begun = True
        self.bytes_out = body.length
        if body.length > JOIN_BYTES:
            self._transport.write(head)
            # Streams of our reactor take a view; Twisted's own insist on bytes.
            view = getattr(self._transport, "takes_views", False)
            self._transport.write(body.data if view else bytes(body.data))  # type: ignore[arg-type]
        else:
            self._transport.write(head + body.data)
        self._owner.response_written()

    def _frame_unknown_length(self, request: RequestHead) -> bytes:
        """Frame a body whose length nobody knows yet: by chunks, or for HTTP/1.0 by the close of the connection."""
        if request.minor == 0:
            self._framing = UNTIL_CLOSE
            return b""
        self._framing = CHUNKED
        return b"Transfer-Encoding: chunked\r\n"

    def _flush(self, data: bytes) -> None:
        head, self._head = self._head, b""
        self.begun = True
        self._transport.write(head + data)

    # --- BodySink -----------------------------------------------------------------------------------------

    def body_data(self, data: bytes) -> None:
        self.bytes_out += len(data)
        if self._framing == CHUNKED:
            data = encode_chunk(data)
        if self._head:
            if len(data) > JOIN_BYTES:
                self._flush(b"")
                self._transport.write(data)
            else:
                self._flush(data)
        else:
            self._transport.write(data)

    def pipe_from(self, transport: Any, count: int, owner: PipeOwner) -> bool:
        """The kernel may move what comes next of a body of known length: in plain text, by streams of our reactor."""
        pipe_to = own_method(transport, "pipe_to")
        if pipe_to is None or self._framing:
            return False
        self._pipe_owner = owner
        return bool(pipe_to(self._transport, count, self))

    def piped(self, size: int) -> None:
        self.bytes_out += size
        self._pipe_owner.piped(size)

    def pipe_over(self) -> None:
        self._pipe_owner.pipe_over()

    def body_end(self, trailers: Fields) -> None:
        self._body = EMPTY
        tail = b""
        if self._framing == CHUNKED:
            tail = encode_last_chunk(trailers) if trailers.pairs else LAST_CHUNK
        if self._head:
            self._flush(tail)
        elif tail:
            self._transport.write(tail)
        self._owner.response_written()

    def body_failed(self, error: ProxyError) -> None:
        self._body = EMPTY
        self._head = b""
        self._owner.response_failed(error, self.begun)

    # --- the client's pace --------------------------------------------------------------------------------

    def pause(self) -> None:
        """The client does not keep up."""
        self._body.pause()

    def resume(self) -> None:
        """The client has caught up."""
        self._body.resume()

    def stop(self) -> None:
        """The client is gone."""
        body, self._body = self._body, EMPTY
        self._head = b""
        body.stop()
