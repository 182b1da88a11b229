"""How a request goes to a server: its head and first bytes of body in one write, the rest as it comes."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import ITransport

from proxy.errors import ProxyError
from proxy.flow.bypass import own_method
from proxy.message import EMPTY, BodySource, Fields
from proxy.message.body import PipeOwner
from proxy.wire import LAST_CHUNK, encode_chunk, encode_last_chunk

# Below this, joining the head to the data is cheaper than a second write.
JOIN_BYTES = 16 * 1024


class RequestOwner(Protocol):
    """Who is told how the writing of a request ended; one of the two is called, once, unless it is dropped."""

    def request_sent(self) -> None:
        """The whole request is with the transport."""

    def request_failed(self, error: ProxyError) -> None:
        """The rest of its body will not come."""


class RequestWriter:
    """Writes the requests with a body of one upstream connection, one after the other; it is the sink of the bodies.

    @ivar sent: nothing is left to write.
    """

    __slots__ = ("_body", "_head", "_owner", "_transport", "sent")

    _transport: ITransport

    def __init__(self, owner: RequestOwner) -> None:
        self.sent = True
        self._owner = owner
        self._head = b""
        self._body: BodySource = EMPTY

    def write(self, transport: ITransport, head: bytes, body: BodySource) -> None:
        """Write a request.

        @param head: ready for the wire, framing fields included: chunked where `body.length` is None.
        """
        self.sent = False
        self._transport = transport
        self._head = head
        self._body = body
        body.start(self)
        if self._head:
            self._flush(b"")

    def _flush(self, data: bytes) -> None:
        head, self._head = self._head, b""
        self._transport.write(head + data)

    # --- BodySink -----------------------------------------------------------------------------------------

    def body_data(self, data: bytes) -> None:
        if self._body.length is None:
            data = encode_chunk(data)
        if self._head and len(data) > JOIN_BYTES:
            self._flush(b"")
        if self._head:
            self._flush(data)
        else:
            self._transport.write(data)

    def pipe_from(self, transport: Any, count: int, owner: PipeOwner) -> bool:
        """The kernel may move what comes next of a body of known length: in plain text, by streams of our reactor."""
        pipe_to = own_method(transport, "pipe_to")
        if pipe_to is None or self._body.length is None:
            return False
        return bool(pipe_to(self._transport, count, owner))

    def body_end(self, trailers: Fields) -> None:
        tail = b""
        if self._body.length is None:
            tail = encode_last_chunk(trailers) if trailers.pairs else LAST_CHUNK
        if self._head:
            self._flush(tail)
        elif tail:
            self._transport.write(tail)
        self.sent = True
        self._body = EMPTY
        self._owner.request_sent()

    def body_failed(self, error: ProxyError) -> None:
        self._owner.request_failed(error)

    # --- the server's pace --------------------------------------------------------------------------------

    def pause(self) -> None:
        """The server does not take the body as fast as it comes."""
        self._body.pause()

    def resume(self) -> None:
        """The server has taken all of it."""
        self._body.resume()

    def drop(self) -> None:
        """The rest is not wanted."""
        body, self._body = self._body, EMPTY
        self._head = b""
        body.stop()
