"""Twenty servers under load: one is killed, one stops answering, one restarts every second. No request may fail.

A minute of it with REVERSEPROXY_FULL=1, else twelve seconds.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ProcessPark, RunningProcess
from tests.support.proxy import RunningProxy

SECONDS = 60.0 if os.environ.get("REVERSEPROXY_FULL") else 12.0
SERVERS = 20
CLIENTS = 24
#: What a server takes to answer.
PAUSE_SECONDS = 0.02

INTERVAL, TIMEOUT, FALL, TICK = 0.5, 0.4, 2, 0.1
#: From the moment when a server stops answering to the moment when probes have found out: intervals vary by 15 %.
NOTICED_SECONDS = FALL * INTERVAL * 1.15 + FALL * TIMEOUT + 2 * TICK

CONFIG = """\
upstreams:
  many:
    servers: [{servers}]
    health: {{path: /health, interval: {interval}ms, timeout: {timeout}ms, fall: {fall}, rise: 1}}
    retries: {{count: 2, min: {clients}}}
routes:
  - {{path: /, upstream: many, timeouts: {{response_head: 1500ms}}}}
"""


class Asked(NamedTuple):
    """One request: when it began and ended, in seconds, what came back, and from whom (0 for the proxy itself)."""

    began: float
    ended: float
    status: int
    server: int
    right: bool


class Load:
    """Clients that each ask again as soon as they have an answer."""

    def __init__(self, port: int) -> None:
        self.asked: list[Asked] = []
        self.over = False
        self._port = port
        self._count = 0

    async def client(self) -> None:
        """One connection after the other; more than one only where the proxy closes them."""
        while not self.over:
            reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
            try:
                while not self.over and await self._ask(reader, writer):
                    pass
            finally:
                writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self._count += 1
        target = b"/%d" % self._count
        began = time.monotonic()
        writer.write(b"GET %b HTTP/1.1\r\nHost: a.test\r\n\r\n" % target)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
            body = await reader.readexactly(int(fields[b"content-length"]))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.asked.append(Asked(began, time.monotonic(), 0, 0, False))
            return False
        server = int(fields.get(b"x-server", b"0"))
        self.asked.append(Asked(began, time.monotonic(), int(head.split(b" ")[1]), server, body == target))
        return b"connection" not in fields


class Servers:
    """The servers' processes, by their ports."""

    def __init__(self, park: ProcessPark) -> None:
        self._park = park
        self.ports = [free_port() for _ in range(SERVERS)]
        self._running = {port: self._start(port) for port in self.ports}
        for port, process in self._running.items():
            process.wait_for_port(port)

    def _start(self, port: int) -> RunningProcess:
        program = Path(__file__).with_name("outage_server.py")
        return self._park.start(sys.executable, "-ES", program, str(port), str(PAUSE_SECONDS))

    def send(self, port: int, number: signal.Signals) -> None:
        self._running[port].send_signal(number)

    async def restart_for_ever(self, port: int) -> None:
        """Once a second."""
        while True:
            await asyncio.sleep(1.0)
            self._running[port].send_signal(signal.SIGKILL)
            self._running[port].wait_for_exit()
            self._running[port] = self._start(port)


class Outage(NamedTuple):
    """When what happened, in seconds."""

    killed: float
    stopped: float
    continued: float
    asked: list[Asked]


async def unfold(servers: Servers, port: int) -> Outage:
    """Have everything happen, in order."""
    load = Load(port)
    clients = [asyncio.create_task(load.client()) for _ in range(CLIENTS)]
    restarts = asyncio.create_task(servers.restart_for_ever(servers.ports[2]))
    moments = []
    for number, of, part in ((signal.SIGKILL, 0, 0.2), (signal.SIGSTOP, 1, 0.2), (signal.SIGCONT, 1, 0.4)):
        await asyncio.sleep(SECONDS * part)
        moments.append(time.monotonic())
        servers.send(servers.ports[of], number)
    await asyncio.sleep(SECONDS * 0.2)
    load.over = True
    restarts.cancel()
    await asyncio.gather(*clients)
    return Outage(moments[0], moments[1], moments[2], load.asked)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_no_request_fails_while_servers_do(park: ProcessPark, run_proxy: Callable[..., RunningProxy]) -> None:
    servers = Servers(park)
    names = ", ".join(f'"http://{LOOPBACK}:{port}"' for port in servers.ports)
    times = {"interval": int(INTERVAL * 1000), "timeout": int(TIMEOUT * 1000), "fall": FALL, "clients": CLIENTS}
    proxy = run_proxy(CONFIG.format(servers=names, **times))
    outage = asyncio.run(unfold(servers, proxy.port))
    killed, stopped = servers.ports[:2]
    print(figures(outage, proxy))

    assert [asked for asked in outage.asked if asked.status != 200 or not asked.right] == []
    # Load moves: nobody waits for the stopped server once probes have found out, or sees it before it goes on.
    noticed = outage.stopped + NOTICED_SECONDS
    later = [asked for asked in outage.asked if noticed < asked.began < outage.continued]
    assert max(asked.ended - asked.began for asked in later) < 1.0
    assert {asked.server for asked in later}.isdisjoint({killed, stopped})
    # The others share it alike, and the stopped one has its part again when it goes on.
    shares = Counter(asked.server for asked in later)
    steady = [shares[port] for port in servers.ports[3:]]
    assert max(steady) < 1.5 * min(steady)
    last = [asked for asked in outage.asked if asked.began > outage.continued + NOTICED_SECONDS]
    assert stopped in {asked.server for asked in last}


def figures(outage: Outage, proxy: RunningProxy) -> str:
    """What is worth knowing, in words."""
    seconds = sorted(asked.ended - asked.began for asked in outage.asked)
    repeated = Counter(line["attempts"] for line in proxy.access_log())
    count = len(seconds)
    failed = sum(asked.status != 200 for asked in outage.asked)
    slow = [asked for asked in outage.asked if asked.ended - asked.began > 1.0]
    last = max((asked.began for asked in slow), default=outage.stopped) - outage.stopped
    return (
        f"{count} requests, {failed} failed; attempts: {dict(sorted(repeated.items()))}; "
        f"median {seconds[count // 2] * 1000:.0f} ms, 99 % {seconds[count * 99 // 100] * 1000:.0f} ms, "
        f"worst {seconds[-1]:.2f} s; {len(slow)} waited for the stopped server, "
        f"the last began {last:.2f} s after it stopped"
    )
