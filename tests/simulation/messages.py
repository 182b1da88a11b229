"""HTTP/1.1 as the scripted peers read it: the plain way, owing nothing to `proxy.wire`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

#: Lengths of a body that are no number of bytes.
CHUNKED, UNTIL_CLOSE = -1, -2


class Head(NamedTuple):
    """A start line, and the fields by their name in lower case."""

    start: bytes
    fields: dict[bytes, bytes]

    @property
    def status(self) -> int:
        return int(self.start.split(b" ")[1])


#: A head, bytes of a body, or None at the end of a message.
Event = Head | bytes | None


class Reader:
    """Turns what arrives into events. What is wrong raises ValueError.

    @param length_of: says how long the body after a head is: bytes, CHUNKED or UNTIL_CLOSE.
    """

    def __init__(self, length_of: Callable[[Head], int]) -> None:
        self.buffer = b""
        self._length_of = length_of
        self._read: Callable[[], Iterator[Event]] | None = self._head
        self._left = 0

    @property
    def idle(self) -> bool:
        """Between two messages, with nothing of the next."""
        return self._read == self._head and not self.buffer

    def feed(self, data: bytes) -> Iterator[Event]:
        """Events, one after the other; stop iterating and feed b"" later to take the next message later."""
        self.buffer += data
        while self._read is not None:
            read, size = self._read, len(self.buffer)
            yield from read()
            if self._read == read and len(self.buffer) == size:
                return

    def eof(self) -> bool:
        """The peer has closed: whether that ended a message."""
        return self._read == self._open

    def _take(self, size: int) -> bytes:
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def _line(self) -> bytes | None:
        end = self.buffer.find(b"\r\n")
        return None if end < 0 else self._take(end + 2)[:-2]

    def _head(self) -> Iterator[Event]:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        start, *lines = self._take(end + 4)[:-4].split(b"\r\n")
        fields: dict[bytes, bytes] = {}
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon:
                raise ValueError(f"no field: {line!r}")
            fields[name.lower()] = value.strip()
        head = Head(start, fields)
        length = self._length_of(head)
        self._left = length
        self._read = {CHUNKED: self._chunk_size, UNTIL_CLOSE: self._open}.get(length, self._sized)
        yield head
        if length == 0:
            yield from self._sized()

    def _sized(self) -> Iterator[Event]:
        data = self._take(self._left)
        self._left -= len(data)
        if not self._left:
            self._read = self._head
        if data:
            yield data
        if not self._left:
            yield None

    def _chunk_size(self) -> Iterator[Event]:
        line = self._line()
        if line is not None:
            self._left = int(line.partition(b";")[0], 16) + 2
            self._read = self._chunk if self._left > 2 else self._trailers
        return iter(())

    def _chunk(self) -> Iterator[Event]:
        data = self._take(self._left)
        self._left -= len(data)
        if not self._left:
            self._read = self._chunk_size
        data = data[: len(data) - max(0, 2 - self._left)]
        if data:
            yield data

    def _trailers(self) -> Iterator[Event]:
        line = self._line()
        if line == b"":
            self._read = self._head
            yield None

    def _open(self) -> Iterator[Event]:
        if self.buffer:
            yield self._take(len(self.buffer))


def request_length(head: Head) -> int:
    """How long the body of a request is."""
    if b"transfer-encoding" in head.fields:
        return CHUNKED
    return int(head.fields.get(b"content-length", b"0"))


def response_length(head: Head, method: bytes) -> int:
    """How long the body of a response to `method` is."""
    if head.status < 200 or head.status in (204, 304) or method == b"HEAD":
        return 0
    if b"transfer-encoding" in head.fields:
        return CHUNKED
    return int(head.fields.get(b"content-length", b"%d" % UNTIL_CLOSE))


def pattern(number: int, size: int) -> bytes:
    """`size` bytes that belong to exchange `number` and to no other."""
    unit = b"<%d>" % number
    return (unit * (size // len(unit) + 1))[:size]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
