"""A body that can be sent once more, as long as it is small."""

from __future__ import annotations

from typing import Any

from proxy.errors import ProxyError
from proxy.message import BodySink, BodySource, Fields
from proxy.message.body import PipeOwner


class Replay:
    """Keeps what passes of a body, up to a limit, so that another server can have it from the beginning.

    Between two attempts the source is held back. Once more has passed than may be kept, the body cannot be replayed.

    @param source: the body; started at the first `start`.
    @param limit: how many bytes may be kept.
    """

    def __init__(self, source: BodySource, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._kept: list[bytes] = []
        self._size = 0
        self._started = False
        self._sink: BodySink | None = None
        self._trailers: Fields | None = None
        self._error: ProxyError | None = None

    @property
    def length(self) -> int | None:
        return self._source.length

    @property
    def replayable(self) -> bool:
        """Whether all that has passed is still here."""
        return self._size <= self._limit and self._error is None

    def start(self, sink: BodySink) -> None:
        assert self.replayable, "asked before every attempt"
        self._sink = sink
        for data in tuple(self._kept):
            sink.body_data(data)
        if self._trailers is not None:
            sink.body_end(self._trailers)
        elif not self._started:
            self._started = True
            self._source.start(self)
        else:
            self._source.resume()

    def pause(self) -> None:
        self._source.pause()

    def resume(self) -> None:
        self._source.resume()

    def stop(self) -> None:
        """This attempt wants no more; the next one may."""
        self._sink = None
        if self._started and self._trailers is None:
            self._source.pause()

    # --- BodySink -----------------------------------------------------------------------------------------

    def body_data(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._limit:
            self._kept.append(data)
        else:
            self._kept.clear()
        if self._sink is not None:
            self._sink.body_data(data)

    def pipe_from(self, transport: Any, count: int, owner: PipeOwner) -> bool:
        """What is more than may be kept need not be seen either."""
        pipe_from = getattr(self._sink, "pipe_from", None)
        return pipe_from is not None and self._size > self._limit and bool(pipe_from(transport, count, owner))

    def body_end(self, trailers: Fields) -> None:
        self._trailers = trailers
        if self._sink is not None:
            self._sink.body_end(trailers)

    def body_failed(self, error: ProxyError) -> None:
        self._error = error
        if self._sink is not None:
            self._sink.body_failed(error)

    def __repr__(self) -> str:
        return f"<Replay {self._size} of at most {self._limit} bytes>"
