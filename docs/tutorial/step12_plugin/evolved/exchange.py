"""One request and its response, as those who answer it see them."""

from __future__ import annotations

import typing
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from evolved.errors import ProxyError, Source, client_closed
from evolved.flow import Wire
from evolved.wire import (
    MessageError,
    RequestHead,
    RequestReader,
    ResponseHead,
    encode_end,
    encode_piece,
    keeps_alive,
    plain_response,
    to_client,
)


@contextmanager
def blaming(source: Source) -> Iterator[None]:
    """A `MessageError` in here is the fault of `source`."""
    try:
        yield
    except MessageError as error:
        if source is Source.CLIENT:
            raise ProxyError(source, "client.request.invalid", error.status) from error
        raise ProxyError(source, "upstream.response.invalid", 502) from error


class Sink(typing.Protocol):
    """Where a request's body goes."""

    def send(self, piece: bytes) -> None: ...

    def send_end(self) -> None: ...


class Exchange:
    """One request and its response: what the channel shows to those who answer it."""

    def __init__(self, client: Wire, reader: RequestReader, request: RequestHead, progress: Callable[[], None]) -> None:
        self.request = request
        self.client = client
        self.committed = False  # is any part of a final response out?
        self.body_unread = True
        self._reader, self._progress = reader, progress
        self._sink: Sink | None = None
        self._chunked = False
        self._close = not keeps_alive(request)
        self._failure: ProxyError | None = None

    # the request's body

    @property
    def chunked_request(self) -> bool:
        return not self._reader.length_known

    def upload_to(self, sink: Sink) -> None:
        """From now on the body goes to `sink`, as it arrives."""
        self._sink = sink
        self.client.resumeProducing()
        self.pump()

    def pump(self) -> None:
        if self._sink is None:
            return
        with blaming(Source.CLIENT):
            piece = self._reader.read_body()
        self.body_unread = self.body_unread and not piece
        self._progress()
        self._sink.send(piece)
        if self._reader.done:
            self._sink.send_end()
            self._sink = None

    # the response

    @property
    def may_continue(self) -> bool:
        """After the response: is the client's connection fit for another request?"""
        return self._reader.done and not self._close

    def interim(self, head: ResponseHead) -> None:
        if self.request.minor == 1:  # RFC 9110 section 15.2: not for an HTTP/1.0 client
            self.client.write(to_client(head, chunked=False, close=False).encode())

    def begin(self, head: ResponseHead, length_known: bool) -> None:
        self._chunked = not length_known and self.request.minor == 1
        self._close = self._close or not (length_known or self._chunked)
        self.committed = True
        self.client.write(to_client(head, chunked=self._chunked, close=self._close).encode())

    def write(self, piece: bytes) -> None:
        self._progress()
        self.client.write(encode_piece(piece, self._chunked))

    def end(self) -> None:
        self.client.write(encode_end(self._chunked))

    def answer(self, status: int, text: str) -> None:
        """Answer with a small response of our own."""
        self.committed = True
        self._close = not self.may_continue
        bodiless = self.request.method == b"HEAD"
        self.client.write(plain_response(status, text, close=self._close, bodiless=bodiless))

    # its story

    async def run(self, respond: Respond) -> None:
        """Tell the story to its end; `fail` may end it early."""
        self._story = Deferred.fromCoroutine(respond(self))
        try:
            await self._story
        except CancelledError:
            raise self._failure or client_closed() from None

    def fail(self, error: ProxyError) -> None:
        self._failure = error
        self._story.cancel()


Respond = Callable[[Exchange], Coroutine[Any, Any, None]]
