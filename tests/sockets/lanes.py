"""Conversations through the proxy, many at once and none in the way of another.

A lane is a client address (127.0.1.N) whose requests a route of its own sends to an origin of its own. The origin reads
with h11, which is strict and owes nothing to `proxy/`, and keeps every byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

import h11

from tests.support.ports import LOOPBACK

LANES = 12
SECONDS = 8.0

T = TypeVar("T")


class Heard(NamedTuple):
    """One complete request, as the origin understood it."""

    method: bytes
    target: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes


class Script(NamedTuple):
    """What the origin answers to the first request, instead of an ordinary response.

    @ivar pieces: the response; each is sent by itself.
    @ivar early: as soon as the head is there, not the whole request.
    """

    pieces: Sequence[bytes]
    close: bool = False
    early: bool = False


class StrictOrigin:
    """An origin that answers each request with its target, and stops at the first byte that is not HTTP/1.1.

    @ivar raw: all bytes that came since the last `reset`.
    @ivar broken: what was wrong with them.
    """

    def __init__(self) -> None:
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self.reset(None)

    def reset(self, script: Script | None) -> None:
        self.heard: list[Heard] = []
        self.raw = bytearray()
        self.broken: list[str] = []
        self._script = script

    def forget_script(self) -> None:
        """Answer as always from now on."""
        self._script = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError):
            await self._converse(reader, writer)
        self._writers.discard(writer)
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        head: h11.Request | None = None
        body: list[bytes] = []
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError as error:
                self.broken.append(str(error))
                return
            if event is h11.NEED_DATA:
                if parser.they_are_waiting_for_100_continue and self._script is None:
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                data = await reader.read(65536)
                self.raw += data
                parser.receive_data(data)
            elif isinstance(event, h11.Request):
                head = event
                if self._script is not None and self._script.early and not await self._answer(writer, b""):
                    return
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                fields = tuple((bytes(name), bytes(value)) for name, value in head.headers)
                heard = Heard(bytes(head.method), bytes(head.target), fields, b"".join(body))
                self.heard.append(heard)
                rest = parser.trailing_data[0]
                parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
                parser.receive_data(rest)
                body = []
                if not await self._answer(writer, b"" if heard.method == b"HEAD" else heard.target):
                    return
            else:
                return

    async def _answer(self, writer: asyncio.StreamWriter, body: bytes) -> bool:
        """Whether the connection lives on."""
        script, self._script = self._script, None
        if script is not None:
            for piece in script.pieces:
                writer.write(piece)
                if writer.is_closing():
                    return False
                if piece is not script.pieces[-1]:
                    await asyncio.sleep(0.001)
            return not script.close
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        return True


class Seen(NamedTuple):
    """What a client got: its bytes, the statuses of the complete responses in them, and how it ended.

    @ivar statuses: of final responses.
    @ivar interim: of 1xx responses.
    @ivar partial: the status of a response that had begun when the connection was closed, else 0.
    """

    raw: bytes
    statuses: tuple[int, ...]
    interim: tuple[int, ...]
    partial: int
    closed: bool


_STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [^\r\n\0]*\Z")
_LENGTH = re.compile(rb"\r\nContent-Length: ([0-9]+)\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\nTransfer-Encoding: chunked\r\n", re.IGNORECASE)


def read_responses(raw: bytes, methods: Sequence[bytes], closed: bool) -> Seen:
    """Take `raw` apart. A response that is not strictly one is an AssertionError."""
    statuses: list[int] = []
    interim: list[int] = []
    at, partial = 0, 0
    while at < len(raw):
        end = raw.find(b"\r\n\r\n", at)
        if end < 0:
            break
        head = raw[at : end + 4]
        match = _STATUS.match(head.partition(b"\r\n")[0])
        assert match, f"not a response: {head[:100]!r}"
        status = int(match[1])
        if 100 <= status < 200 and status != 101:
            interim.append(status)
            at = end + 4
            continue
        method = methods[min(len(statuses), len(methods) - 1)]
        after = _end_of_body(raw, end + 4, head, status, method, closed)
        if after is None:
            partial = status
            break
        statuses.append(status)
        at = len(raw) if status == 101 else after
    return Seen(raw, tuple(statuses), tuple(interim), partial, closed)


def _end_of_body(raw: bytes, at: int, head: bytes, status: int, method: bytes, closed: bool) -> int | None:
    if method == b"HEAD" or status in (101, 204, 304):
        return at
    lengths = _LENGTH.findall(head)
    if _CHUNKED.search(head):
        assert not lengths, head
        while (match := re.compile(rb"([0-9a-fA-F]+)\r\n").match(raw, at)) is not None:
            size = int(match[1], 16)
            at = match.end() + size + 2
            if not size:
                end = raw.find(b"\r\n\r\n", match.end() - 2)
                return end + 4 if end >= 0 else None
            if raw[at - 2 : at] != b"\r\n":
                break
        return None
    if lengths:
        assert len(lengths) == 1, head
        end = at + int(lengths[0])
        return end if end <= len(raw) else None
    return len(raw) if closed else None


def methods_in(data: bytes) -> list[bytes]:
    """The methods of the requests in `data`, as far as they begin lines."""
    return re.findall(rb"(?:\A|\n)([A-Z]+) [^\r\n]* HTTP/1", data) or [b"GET"]


class Lane:
    """One client address and its origin."""

    def __init__(self, number: int) -> None:
        self.address = f"127.0.1.{number}"
        self.name = f"lane{number}"
        self.origin = StrictOrigin()
        self.port = 0  # of the proxy
        self._barriers = 0

    async def talk(
        self,
        pieces: Sequence[bytes],
        *,
        responses: int | None = None,
        pause: float = 0.001,
        half_close: bool = False,
    ) -> Seen:
        """Send `pieces`, each in a segment of its own, and read.

        @param responses: stop reading after so many final responses; None reads until nothing has come for a while.
        """
        reader, writer = await asyncio.open_connection(LOOPBACK, self.port, local_addr=(self.address, 0))
        methods = methods_in(b"".join(pieces))
        sending = asyncio.create_task(_send(writer, pieces, pause, half_close))
        raw, closed = b"", False
        try:
            async with asyncio.timeout(SECONDS):
                while responses is None or len(read_responses(raw, methods, False).statuses) < responses:
                    data = await _read(reader, 0.25 if responses is None and sending.done() else SECONDS)
                    if data is None:
                        break
                    if not data:
                        closed = True
                        break
                    raw += data
                if not closed:
                    await sending
        finally:
            sending.cancel()
            writer.transport.abort()
        return read_responses(raw, methods, closed)

    async def barrier(self) -> list[str]:
        """One more request on a new connection: it must be answered with its own answer, and whatever the proxy sent
        to the origin before it is there when its answer is. Returns what was wrong."""
        self._barriers += 1
        target = b"/barrier-%d" % self._barriers
        before = len(self.origin.heard)
        seen = await self.talk([b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target], responses=1)
        wrong = []
        if seen.statuses != (200,) or not seen.raw.endswith(b"\r\n\r\n" + target):
            wrong.append(f"the next request got {seen.raw[-300:]!r}")
        heard = [request.target for request in self.origin.heard[before:]]
        if heard != [target]:
            wrong.append(f"the origin then heard {heard}")
        del self.origin.heard[before:]
        return wrong


async def _read(reader: asyncio.StreamReader, seconds: float) -> bytes | None:
    """What is there; b"" at the end, None when nothing came."""
    try:
        return await asyncio.wait_for(reader.read(1 << 16), seconds)
    except TimeoutError:
        return None
    except ConnectionError:
        return b""


async def _send(writer: asyncio.StreamWriter, pieces: Sequence[bytes], pause: float, half_close: bool) -> None:
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if pause and piece is not pieces[-1]:
                await asyncio.sleep(pause)
        if half_close:
            writer.write_eof()


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """`data` in pieces, cut at `places`."""
    edges = [0, *sorted({place for place in places if 0 < place < len(data)}), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def lanes_config(lanes: Sequence[Lane]) -> str:
    """A configuration with a route for each lane."""
    upstreams = "".join(f"  {lane.name}: {{servers: ['http://{LOOPBACK}:{lane.origin.port}']}}\n" for lane in lanes)
    routes = "".join(f"  - {{client: {lane.address}, upstream: {lane.name}}}\n" for lane in lanes)
    return (
        f"upstreams:\n{upstreams}routes:\n{routes}"
        "timeouts: {request_head: 3s, body_idle: 3s, response_head: 3s}\nlimits: {body: 1MiB}\n"
    )


async def in_lanes(
    lanes: Sequence[Lane], work: Sequence[T], job: Callable[[Lane, T], Awaitable[list[str]]]
) -> list[str]:
    """Do `job` for each piece of `work`, one at a time in each lane. Returns all that was wrong."""
    waiting = list(reversed(work))
    wrong: list[str] = []

    async def walk(lane: Lane) -> None:
        while waiting:
            piece = waiting.pop()
            try:
                wrong.extend(await job(lane, piece))
            except (AssertionError, OSError, TimeoutError) as error:
                wrong.append(f"{piece!r:.300}: {error!r}")

    await asyncio.gather(*map(walk, lanes))
    return wrong
