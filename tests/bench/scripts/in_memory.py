"""This proxy in memory, with everything on, under the load of one row: what `tests.bench.instructions` counts.

    in_memory.py ROW REQUESTS ACCESS_LOG

The house is the one that `proxy.assemble` builds, the streams are those of `proxy.reactor`; only uvloop and the sockets
are missing. Sixteen connections ask in each turn of the loop, as they do when the proxy is busy.
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from proxy.alarm import Alarm
from proxy.assemble import assemble
from proxy.config import load_text
from proxy.reactor.dialing import ClientStream
from proxy.reactor.outbox import Outbox
from proxy.reactor.ports import ServerStream

CONNECTIONS = 16
PORT = 8080
HOST = b"127.0.0.1:8080"

_AGENTS = (
    b"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    b"Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1",
    b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
)
_BROWSER = (
    b"GET /shop/items/%d/1k?page=%d HTTP/1.1\r\nHost: %b\r\nUser-Agent: %b\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n"
    b"Referer: http://%b/shop/items/%d\r\nCookie: session=%016x; theme=dark; cart=%d\r\n\r\n"
)
_POST = b"POST /post HTTP/1.1\r\nHost: %b\r\nContent-Length: 16384\r\n\r\n" % HOST + b"x" * 16384


def routes_of(row: str) -> int:
    """How many routes with a path of their own there are."""
    return int(row.removeprefix("routes-")) if row.startswith("routes-") else 10


def requests_of(row: str) -> Iterator[bytes]:
    """What clients send, one after the other: as the wrk scripts of the rows do."""
    number = 0
    while True:
        number += 1
        if row == "varied":
            agent = _AGENTS[number % 3]
            yield _BROWSER % (number, number % 97, HOST, agent, HOST, number - 1, number * 2654435761, number)
        elif row == "post":
            yield _POST
        elif row.startswith("routes-"):
            yield b"GET /s%05d/1k?%d HTTP/1.1\r\nHost: %b\r\n\r\n" % (number * 7919 % routes_of(row), number, HOST)
        else:
            yield b"GET /%b HTTP/1.1\r\nHost: %b\r\n\r\n" % (row.encode(), HOST)


def response_of(row: str) -> bytes:
    """What the origin answers, nginx's words."""
    size = {"0b": 0, "64k": 64 * 1024, "post": 5}.get(row, 1024)
    return (
        b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 23:59:59 GMT\r\n"
        b"Content-Type: application/octet-stream\r\nContent-Length: %d\r\nConnection: keep-alive\r\n\r\n%b"
    ) % (size, b"x" * size)


class Far:
    """A uvloop transport that goes nowhere: it keeps what was written, and says that all of it is sent."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def writelines(self, pieces: list[bytes]) -> None:
        self.written += pieces

    def set_write_buffer_limits(self, high: int) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def abort(self) -> None: ...


class _Made:
    """The future that `attach` leaves behind."""

    def __await__(self) -> Iterator[Any]:
        yield self

    def add_done_callback(self, call: Callable[..., Any]) -> None: ...


class Loop:
    """As much of uvloop's loop as streams ask for."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], Any]] = []
        self.call_soon = self.soon.append

    async def connect_accepted_socket(self, factory: Callable[[], Any], sock: Any) -> None:
        stream = factory()
        stream.connection_made(Far(stream))
        await _Made()

    def turn(self) -> None:
        """The end of a turn: what was put off until then."""
        while self.soon:
            calls, self.soon[:] = self.soon[:], []
            for call in calls:
                call()


class _Socket:
    def setsockopt(self, *_: Any) -> None: ...


class Dialer:
    """What a connected dialer hands over."""

    addr = ("127.0.0.1", 9001)
    connector: Any = None
    socket = _Socket()

    def __init__(self, reactor: "Reactor") -> None:
        self.reactor = reactor

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", *self.addr)

    getHost = getPeer


class Reactor(Clock):
    """A clock that gives connections to servers at once, and as much of `UvloopReactor` as streams ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop()
        self.outbox = Outbox(self.loop.call_soon)
        self.streams: set[Any] = set()
        self.serving: Any = None
        self.received = memoryview(bytearray(68 * 1024))
        self.get_buffer = {65536: self.received}.__getitem__
        self.servers: list[Any] = []

    def connectTCP(self, host: str, port: int, factory: Any, **_: Any) -> Any:
        protocol = factory.buildProtocol(IPv4Address("TCP", host, port))
        stream = ClientStream(Dialer(self), protocol)
        self.servers.append(stream)
        self.loop.soon.append(lambda: protocol.makeConnection(stream))

    def client(self, site: Any, number: int) -> Any:
        """Somebody connects."""
        protocol = site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 40000 + number))
        stream = ServerStream(_Socket(), protocol, ("127.0.0.1", 40000 + number), None, number, self)  # type: ignore[arg-type]
        protocol.makeConnection(stream)
        return stream

    def arrive(self, stream: Any, data: bytes) -> None:
        """`stream` has read `data`, as much at a time as fits into the buffer."""
        buffer = self.received
        for at in range(0, len(data), len(buffer)):
            piece = data[at : at + len(buffer)]
            buffer[: len(piece)] = piece
            stream.buffer_updated(len(piece))


def house_for(row: str, reactor: Reactor, access_log: str) -> Any:
    """A proxy with routes, pool, deadlines and access log."""
    routes = [f"  - {{path: /s{number:05d}, upstream: o}}\n" for number in range(routes_of(row))]
    text = (
        f"listen: ['tcp:{PORT}:interface=127.0.0.1']\naccess_log: {access_log}\n"
        "limits: {requests_per_connection: 1000000}\n"
        "upstreams: {o: {servers: ['http://127.0.0.1:9001'], connections: 65536}}\nroutes:\n"
        + "".join(routes)
        + "  - {upstream: o}\n"
    )
    loaded = load_text(text, "routes.yaml", {})
    assert not loaded.problems, loaded.problems
    house = assemble(loaded, reactor)
    assert isinstance(house.alarm, Alarm)
    return house


def run(row: str, count: int, access_log: str) -> float:
    """Let `count` requests pass. Returns the CPU seconds of one in the best turn, as company only adds to it."""
    reactor = Reactor()
    house = house_for(row, reactor, access_log)
    site = house.listeners[0].site
    clients = [reactor.client(site, number) for number in range(CONNECTIONS)]
    requests, response = requests_of(row), response_of(row)
    body = response[response.find(b"\r\n\r\n") :]
    best = 1.0
    for _ in range(max(count // CONNECTIONS, 1)):
        asked = [next(requests) for _ in clients]
        begun = time.process_time()
        for stream, request in zip(clients, asked, strict=True):
            reactor.arrive(stream, request)
        reactor.loop.turn()
        reactor.loop.turn()
        for stream in reactor.servers:
            if stream._uv.written:
                stream._uv.written.clear()
                reactor.arrive(stream, response)
        reactor.loop.turn()
        best = min(best, (time.process_time() - begun) / CONNECTIONS)
        for stream in clients:
            heard = b"".join(stream._uv.written)
            assert heard.startswith(b"HTTP/1.1 200 OK\r\n") and heard.endswith(body), heard[:200]
            stream._uv.written.clear()
    house.access_log.flush()
    return best


if __name__ == "__main__":
    name, number, log = sys.argv[1:]
    seconds = run(name, int(number), log)
    lines = Path(log).read_bytes().count(b"\n")
    print(f"{name}: {lines} requests, {seconds * 1e6:.2f} us each in the best turn")
