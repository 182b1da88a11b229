"""The rows of the table: what is asked of every proxy."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How a row puts load on a proxy."""

    HTTP = "http"
    WEBSOCKET = "websocket"
    HANDSHAKE = "handshake"
    IDLE_HTTP = "idle-http"
    IDLE_WEBSOCKET = "idle-websocket"

    @property
    def websocket(self) -> bool:
        return self in (Kind.WEBSOCKET, Kind.IDLE_WEBSOCKET)

    @property
    def idle(self) -> bool:
        return self in (Kind.IDLE_HTTP, Kind.IDLE_WEBSOCKET)


@dataclass(frozen=True)
class Row:
    """
    One measurement.

    @ivar path: what is asked for; the origin answers by the last segment (`tests.bench.origin.BODIES`).
    @ivar script: the wrk script in `lua/`, without its suffix.
    @ivar routes: 0 is one route for everything; N is N routes `/s00000`, `/s00001`, ..., all of them asked in turn.
    @ivar per_byte: requests are counted by the bytes that arrived, because few of them end within a round.
    @ivar least_seconds: a round is never shorter.
    @ivar tls: the client speaks TLS 1.3 to the proxy (`tests.bench.load.tls_settings` says what of it).
    @ivar resume: every connection but the first resumes the session before it; else none does.
    """

    name: str
    title: str
    kind: Kind = Kind.HTTP
    path: str = "/1k"
    connections: int = 64
    script: str = "plain"
    routes: int = 0
    close: bool = False
    per_byte: bool = False
    least_seconds: int = 1
    tls: bool = False
    resume: bool = False

    @property
    def unit(self) -> str:
        """What is counted: one of these is what CPU time is divided by."""
        return "message" if self.kind is Kind.WEBSOCKET else "request"


_HANDSHAKE = "1 KiB, TLS 1.3, a handshake for each request"
_RESUMPTION = "1 KiB, TLS 1.3, a resumption for each request"

ROWS = (
    Row("0b", "no body", path="/0b"),
    Row("1k", "1 KiB"),
    Row("64k", "64 KiB", path="/64k"),
    Row("10m", "10 MiB", path="/10m", per_byte=True, least_seconds=3),
    Row("close-0b", "no body, a new connection for each request", path="/0b", close=True),
    Row("close-1k", "1 KiB, a new connection for each request", close=True),
    Row("close-64k", "64 KiB, a new connection for each request", path="/64k", close=True),
    Row(
        "close-10m",
        "10 MiB, a new connection for each request",
        path="/10m",
        close=True,
        per_byte=True,
        least_seconds=3,
    ),
    Row("c1", "1 KiB, 1 connection", connections=1),
    Row("c512", "1 KiB, 512 connections", connections=512),
    Row("routes-1", "1 KiB, 1 route", script="routes", path="/s00000/1k", routes=1),
    Row("routes-1000", "1 KiB, 1,000 routes", script="routes", path="/s00000/1k", routes=1000),
    Row("routes-10000", "1 KiB, 10,000 routes", script="routes", path="/s00000/1k", routes=10_000),
    Row("post", "POST of 16 KiB", script="post", path="/post"),
    Row("varied", "1 KiB, another browser's head each time", script="varied"),
    Row("tls-1k", "1 KiB over TLS 1.3", tls=True),
    Row("tls-handshake", _HANDSHAKE, kind=Kind.HANDSHAKE, connections=16, tls=True),
    Row("tls-resume", _RESUMPTION, kind=Kind.HANDSHAKE, connections=16, tls=True, resume=True),
    Row("websocket", "WebSocket echo of 64 bytes", kind=Kind.WEBSOCKET, path="/echo"),
    Row("idle", "idle keep-alive connections", kind=Kind.IDLE_HTTP, path="/0b", connections=10_000),
    Row("idle-websocket", "open WebSockets", kind=Kind.IDLE_WEBSOCKET, path="/echo", connections=2_000),
)

QUICK = ("1k",)


def choose(names: list[str]) -> list[Row]:
    """The rows of these names, in the order of the table; all of them for no name. Raises KeyError for a wrong one."""
    known = {row.name: row for row in ROWS}
    wanted = {known[name].name for name in names} or set(known)
    return [row for row in ROWS if row.name in wanted]
