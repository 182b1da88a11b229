"""Bodies are streams: a source that can be held back, and a sink that takes what comes.

A body moves by plain calls, never by one object per chunk. Whoever starts a source is called back in this order:
any number of `body_data`, then exactly one of `body_end` and `body_failed`; after `stop` nothing comes any more.
The first calls may happen inside `start`.
"""

from __future__ import annotations

from typing import Any, Protocol

from proxy.errors import ProxyError
from proxy.message.fields import Fields

NO_FIELDS = Fields()


class BodySink(Protocol):
    """Takes a body."""

    def body_data(self, data: bytes) -> None:
        """Some bytes of the body; never empty."""

    def body_end(self, trailers: Fields) -> None:
        """The body is complete. `trailers` is mostly empty."""

    def body_failed(self, error: ProxyError) -> None:
        """The rest of the body will never come."""


class PipeOwner(Protocol):
    """Whose bytes go by a pipe; see `proxy.reactor.piping`."""

    def piped(self, size: int) -> None:
        """So many bytes of the body have left."""

    def pipe_over(self) -> None:
        """The rest of the body comes as usual."""


class PipedSink(BodySink, Protocol):
    """May take the bytes of a body from the transport that they come by, without anybody seeing them.

    A sink that wants to see them, as a gate's does that changes them, is a `BodySink` only.
    """

    def pipe_from(self, transport: Any, count: int, owner: PipeOwner) -> bool:
        """Take the next `count` bytes from `transport`. False: not this way."""


class BodySource(Protocol):
    """Gives a body, once.

    `length` is the number of bytes where it is known before the first of them, None where the body ends when it ends.
    """

    @property
    def length(self) -> int | None: ...

    def start(self, sink: BodySink) -> None:
        """Begin to deliver to `sink`."""

    def pause(self) -> None:
        """The sink cannot take more for now. At most what is already on its way still comes."""

    def resume(self) -> None:
        """The sink can take more."""

    def stop(self) -> None:
        """Nobody wants the rest. May be called at any time, also before `start` and after the end."""


class BytesBody:
    """A body that is already here, in one piece.

    @ivar data: the body; a `memoryview` where cutting it out of what was read would have copied much. Sinks get bytes.
    """

    __slots__ = ("data", "length")

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = data
        self.length = len(data)

    def start(self, sink: BodySink) -> None:
        if self.data:
            sink.body_data(bytes(self.data))
        sink.body_end(NO_FIELDS)

    def pause(self) -> None:
        """Nothing is left to hold back: all of it went out in `start`."""

    def resume(self) -> None:
        """See `pause`."""

    def stop(self) -> None:
        """See `pause`."""

    def __repr__(self) -> str:
        return f"BytesBody({self.length} bytes)"


#: The body of a message that has none.
EMPTY = BytesBody(b"")


class HeadOnly:
    """The body of a response that has none, but whose head may tell a length: to HEAD, and with 304.

    @ivar length: what Content-Length says; None where there is no such field.
    """

    __slots__ = ("length",)

    def __init__(self, length: int | None) -> None:
        self.length = length

    def start(self, sink: BodySink) -> None:
        sink.body_end(NO_FIELDS)

    def pause(self) -> None:
        """There is nothing to hold back."""

    def resume(self) -> None:
        """See `pause`."""

    def stop(self) -> None:
        """See `pause`."""
