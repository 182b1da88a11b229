"""The body of a request, on its way from the client's connection to whoever wants it."""

from __future__ import annotations

from typing import Any, Protocol

from proxy.errors import BODY_TOO_LARGE, ProxyError
from proxy.flow.bypass import Bypass
from proxy.message import BodySink, Fields
from proxy.wire.reader import MessageReader


class BodyGate(Protocol):
    """What a request body asks of the connection it comes from."""

    def hold_body(self) -> None:
        """Read no more of the body for now."""

    def release_body(self) -> None:
        """Read on."""


class RequestBody:
    """A body that the channel pushes in, piece by piece.

    Until somebody starts it nothing is pushed: the channel asks `held` first, and leaves the bytes in its reader.

    @ivar length: from Content-Length; None where the body is chunked.
    @ivar taken: bytes of body that have been read.
    @ivar ended: nothing more will be pushed.
    """

    __slots__ = ("_connection", "_limit", "_paused", "_sink", "ended", "length", "taken")

    def __init__(self, connection: BodyGate, length: int | None) -> None:
        self.length = length
        self.taken = 0
        self.ended = False
        self._limit = 0
        self._connection = connection
        self._sink: BodySink | None = None
        self._paused = False

    @property
    def held(self) -> bool:
        """Whether the channel has to wait with the next piece."""
        return self._paused or (self._sink is None and not self.ended)

    def limit(self, size: int) -> None:
        """Refuse more than `size` bytes; 0 is no limit.

        @raise ProxyError: the length that was announced is over it already.
        """
        self._limit = size
        if size and self.length is not None and self.length > size:
            raise ProxyError(BODY_TOO_LARGE, f"{self.length} bytes announced, {size} allowed")

    # --- asked by the reader of the body ------------------------------------------------------------------

    def start(self, sink: BodySink) -> None:
        self._sink = sink
        self._connection.release_body()

    def pause(self) -> None:
        self._paused = True
        self._connection.hold_body()

    def resume(self) -> None:
        self._paused = False
        self._connection.release_body()

    def stop(self) -> None:
        """Throw the rest away, so that the connection can go on, or close without cutting off the response."""
        self.ended = True
        self._sink = None
        self._paused = False
        self._connection.release_body()

    # --- pushed by the channel ----------------------------------------------------------------------------

    def push(self, data: bytes) -> None:
        """The next bytes."""
        self.taken += len(data)
        sink = self._sink
        if sink is None:
            return
        if self._limit and self.taken > self._limit:
            self.fail(ProxyError(BODY_TOO_LARGE, f"more than {self._limit} bytes"))
        else:
            sink.body_data(data)

    def bypass(self, reader: MessageReader[Any], transport: Any) -> None:
        """Let the kernel move the rest, where it can and whoever takes it need not see it."""
        Bypass(reader, self).begin(self._sink, transport)

    def body_moved(self, size: int) -> None:
        """Told by the bypass."""
        self.taken += size
        self._connection.release_body()  # for the deadline

    def release_body(self) -> None:
        """Told by the bypass."""
        self._connection.release_body()

    def finish(self, trailers: Fields) -> None:
        """That was all."""
        sink = self._end()
        if sink is not None:
            sink.body_end(trailers)

    def fail(self, error: ProxyError) -> None:
        """The rest will not come."""
        sink = self._end()
        if sink is not None:
            sink.body_failed(error)

    def _end(self) -> BodySink | None:
        self.ended = True
        sink, self._sink = self._sink, None
        return sink

    def __repr__(self) -> str:
        state = "ended" if self.ended else "held" if self.held else "flowing"
        return f"<RequestBody {state} {self.taken} of {self.length} bytes>"
