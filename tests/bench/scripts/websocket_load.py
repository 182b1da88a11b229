"""
Ping-pong over many WebSockets; prints what `lua/report.lua` prints. Arguments: port, path, connections, seconds.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.bench.websocket import CLIENT_FRAME, SERVER_FRAME, opening


class Tally:
    """What all connections count together."""

    def __init__(self) -> None:
        self.running = True
        self.messages = 0
        self.bytes = 0
        self.failures = 0
        self.latencies: list[float] = []


class Pinger(asyncio.Protocol):
    """Sends one frame, waits for its echo, sends the next."""

    def __init__(self, tally: Tally, port: int, path: str) -> None:
        self.tally = tally
        self.hello = opening(port, path)
        self.opened = asyncio.get_running_loop().create_future()
        self.received = b""
        self.open = False
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio.Transport, but do not inherit from it.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.hello)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.open:
            self.shake_hands()
        elif len(self.received) >= len(SERVER_FRAME):
            now = time.monotonic()
            if self.received != SERVER_FRAME:
                self.tally.failures += 1
            self.tally.messages += 1
            self.tally.bytes += len(self.received)
            self.tally.latencies.append(now - self.sent_at)
            self.received = b""
            if self.tally.running:
                self.ping(now)

    def shake_hands(self) -> None:
        if b"\r\n\r\n" in self.received:
            self.open = self.received.startswith(b"HTTP/1.1 101 ")
            self.received = b""
            self.opened.set_result(self.open)

    def ping(self, now: float) -> None:
        self.sent_at = now
        self.transport.write(CLIENT_FRAME)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_result(False)
        if self.tally.running:
            self.tally.failures += 1


async def main(port: int, path: str, connections: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    tally = Tally()
    pingers = [
        (await loop.create_connection(lambda: Pinger(tally, port, path), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    opened = await asyncio.gather(*(pinger.opened for pinger in pingers))
    began = time.monotonic()
    for pinger in pingers:
        if pinger.open:
            pinger.ping(time.monotonic())
    await asyncio.sleep(seconds)
    tally.running = False
    duration = time.monotonic() - began
    latencies = sorted(tally.latencies) or [0.0]
    report = {
        "requests": tally.messages,
        "bytes": tally.bytes,
        "duration_us": int(duration * 1e6),
        "p50_us": int(latencies[len(latencies) // 2] * 1e6),
        "p99_us": int(latencies[len(latencies) * 99 // 100] * 1e6),
        "connect": opened.count(False),
        "read": tally.failures,
        "write": 0,
        "timeout": 0,
        "status": 0,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
