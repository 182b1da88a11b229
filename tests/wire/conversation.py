"""Talk to the readers as a peer would, and write down what they understood."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from proxy.errors import ProxyError, Reason
from proxy.message import RequestHead, ResponseHead
from proxy.wire import End, RequestLimits, RequestReader, ResponseLimits, ResponseReader

Event = RequestHead | ResponseHead | bytes | End


class Transcript(NamedTuple):
    """What a reader said: its events, pieces of a body joined; why it gave up; whether the message is complete."""

    events: tuple[Event, ...]
    reason: Reason | None
    complete: bool

    @property
    def heads(self) -> list[RequestHead | ResponseHead]:
        return [event for event in self.events if isinstance(event, RequestHead | ResponseHead)]

    @property
    def body(self) -> bytes:
        return b"".join(event for event in self.events if isinstance(event, bytes))


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """`data` in pieces, cut at `places`."""
    edges = [0, *sorted(place for place in places if 0 < place < len(data)), len(data)]
    return [data[i:j] for i, j in pairwise(edges)]


def hear_requests(pieces: Iterable[bytes], limits: RequestLimits | None = None) -> Transcript:
    """Everything a server hears from a client that sends `pieces`, exchange after exchange."""
    reader = RequestReader(limits) if limits else RequestReader()

    def events() -> Iterator[Event]:
        for piece in pieces:
            reader.feed(piece)
            while True:
                event = reader.next_event()
                if event is not None:
                    yield event
                elif reader.complete and reader.keep_alive and reader.buffered:
                    reader.start_next()
                else:
                    break

    return _write_down(events(), reader)


def hear_response(
    pieces: Iterable[bytes], method: bytes = b"GET", *, eof: bool = False, limits: ResponseLimits | None = None
) -> Transcript:
    """Everything a client hears of the response to one request, up to the close of the connection if `eof`."""
    reader = ResponseReader(limits) if limits else ResponseReader()
    reader.expect(method)

    def events() -> Iterator[Event]:
        for piece in pieces:
            reader.feed(piece)
            while (event := reader.next_event()) is not None:
                yield event
        if eof and (end := reader.feed_eof()) is not None:
            yield end

    return _write_down(events(), reader)


def _write_down(events: Iterator[Event], reader: RequestReader | ResponseReader) -> Transcript:
    heard: list[Event] = []
    try:
        for event in events:
            assert event != b"", "an empty piece of a body says nothing"
            if isinstance(event, bytes) and heard and isinstance(heard[-1], bytes):
                heard[-1] += event
            else:
                heard.append(event)
    except ProxyError as error:
        return Transcript(tuple(heard), error.reason, False)
    return Transcript(tuple(heard), None, reader.complete)
