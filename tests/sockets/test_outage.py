"""Twenty servers under load: one is killed, one stops answering, one restarts every second. No request may fail.

A minute of it with REVERSEPROXY_FULL=1, else twelve seconds. wrk makes the load and counts what fails; who answered,
when, and at which try is in the access log.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ProcessPark, RunningProcess
from tests.support.proxy import RunningProxy
from tests.support.wrk import Load, Report, start_wrk

SECONDS = 60 if os.environ.get("REVERSEPROXY_FULL") else 12
SERVERS = 20
CLIENTS = 32
#: What a server takes to answer.
PAUSE_SECONDS = 0.05

INTERVAL, TIMEOUT, FALL, TICK = 0.5, 0.4, 2, 0.1
#: From the moment when a server stops answering to the moment when probes have found out: intervals vary by 15 %.
NOTICED_SECONDS = FALL * INTERVAL * 1.15 + FALL * TIMEOUT + 2 * TICK

# Up to three servers are out at a time: a request that one of them has failed may meet another of them next, so that
# one retry, the default, is not always enough. And the stopped server soon holds most of the clients: those that it has
# held too long at one moment, when the machine was busy elsewhere, are now and then more than the budget has room for
# by default (2 of 35,000 requests failed, in one run of five).
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
    """One request, as the access log has it: when it began and ended, in seconds, who answered, and how."""

    began: float
    ended: float
    status: int
    server: int
    attempts: int
    reason: str

    @classmethod
    def read(cls, line: dict[str, Any]) -> Asked:
        began = datetime.fromisoformat(line["time"]).timestamp()
        port = int(line["server"].rpartition(":")[2])
        return cls(began, began + line["ms"] / 1000, line["status"], port, line["attempts"], line.get("reason", ""))

    @property
    def left(self) -> bool:
        """Whether the client did not wait for the answer."""
        return self.reason == "client.closed"


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

    def restart(self, port: int) -> None:
        self._running[port].send_signal(signal.SIGKILL)
        self._running[port].wait_for_exit()
        self._running[port] = self._start(port)


class Outage(NamedTuple):
    """When what happened, in seconds, and what came of it."""

    killed: float
    stopped: float
    continued: float
    report: Report
    asked: list[Asked]


def unfold(servers: Servers, load: Load, proxy: RunningProxy) -> Outage:
    """Have everything happen, in order; and every second one server begins anew."""
    killed, stopped, restarted = servers.ports[:3]
    began = time.time()
    plan = [(0.2, signal.SIGKILL, killed), (0.4, signal.SIGSTOP, stopped), (0.8, signal.SIGCONT, stopped)]
    moments = []
    for part, number, port in plan:
        while time.time() < began + part * SECONDS:
            time.sleep(min(1.0, max(began + part * SECONDS - time.time(), 0.0)))
            servers.restart(restarted)
        moments.append(time.time())
        servers.send(port, number)
    report = load.report()
    proxy.process.stop()  # which writes the rest of its log
    return Outage(*moments, report, [Asked.read(line) for line in proxy.access_log()])


@pytest.mark.slow
@pytest.mark.peers
@pytest.mark.timeout(180)
def test_no_request_fails_while_servers_do(park: ProcessPark, run_proxy: Callable[..., RunningProxy]) -> None:
    servers = Servers(park)
    names = ", ".join(f'"http://{LOOPBACK}:{port}"' for port in servers.ports)
    times = {"interval": int(INTERVAL * 1000), "timeout": int(TIMEOUT * 1000), "fall": FALL}
    proxy = run_proxy(CONFIG.format(servers=names, clients=CLIENTS, **times))
    load = start_wrk(park, proxy.url, SECONDS, CLIENTS, Path(__file__).with_name("outage.lua"))
    outage = unfold(servers, load, proxy)
    killed, stopped = servers.ports[:2]
    print(figures(outage))

    assert outage.report.failed == {}
    assert "wrong answers: 0\n" in load.process.log
    assert [asked for asked in outage.asked if asked.status != 200 and not asked.left] == []
    assert 0 <= len(outage.asked) - outage.report.requests <= CLIENTS  # wrk leaves in the middle of what it asked last
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


def figures(outage: Outage) -> str:
    """What is worth knowing, in words."""
    seconds = sorted(asked.ended - asked.began for asked in outage.asked)
    attempts = Counter(asked.attempts for asked in outage.asked)
    slow = [asked for asked in outage.asked if asked.ended - asked.began > 1.0]
    last = max((asked.began for asked in slow), default=outage.stopped) - outage.stopped
    return (
        f"{outage.report.requests} requests, failed: {outage.report.failed}; "
        f"attempts: {dict(sorted(attempts.items()))}; "
        f"median {seconds[len(seconds) // 2] * 1000:.0f} ms, 99 % {outage.report.p99:.0f} ms, "
        f"worst {seconds[-1]:.2f} s; {len(slow)} waited for the stopped server, "
        f"the last began {last:.2f} s after it stopped"
    )
