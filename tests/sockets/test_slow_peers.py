"""Many slow clients at once: whoever is not slow hardly notices, memory stays bounded, and all of them are cut."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sockets.stage import eventually
from tests.support.nginx import Nginx, start_nginx
from tests.support.processes import ProcessPark, require_program
from tests.support.proxy import RunningProxy
from tests.support.raw import RawClient

pytestmark = [pytest.mark.peers, pytest.mark.slow]

#: 1,000 with REVERSEPROXY_FULL=1.
CONNECTIONS = 1000 if os.environ.get("REVERSEPROXY_FULL") else 200
#: A connection costs two objects and their buffers; a window is 64 KiB and only filled for readers that are slow.
KIB_PER_CONNECTION = 24
KIB_PER_SLOW_READER = 200


@pytest.fixture(scope="module")
def nginx(module_park: ProcessPark) -> Nginx:
    nginx = start_nginx(module_park)
    nginx.put("big.bin", b"x" * 20_000_000)
    return nginx


@pytest.fixture(scope="module")
def proxy(serve: Callable[..., RunningProxy], nginx: Nginx) -> RunningProxy:
    return serve(
        f"""
        demo: 1
        upstreams:
          nginx: {{servers: ["{nginx.url}"], connections: 2000}}
          site: {{servers: ["demo:1"], connections: 2000}}
        routes:
          - {{path: /, upstream: nginx}}
          - {{path: /taken-whole, upstream: site}}
        timeouts: {{request_head: 4s, body_idle: 4s, write_stall: 5s, keep_alive: 3s}}
        access_log: false
        """
    )


def median_ms(proxy: RunningProxy) -> float:
    """Of requests one after the other, on a new connection now and then: the best of five short whiles, because the
    machine may have other work in some of them."""
    return min(statistics.median(_times(proxy, 0.25)) for _ in range(5)) * 1000


def _times(proxy: RunningProxy, seconds: float) -> list[float]:
    took = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with RawClient(proxy.port) as client:
            for _ in range(20):
                began = time.monotonic()
                assert client.get(b"/").body == b"hello from nginx\n"
                took.append(time.monotonic() - began)
                time.sleep(0.003)
    return took


def idles(proxy: RunningProxy) -> bool:
    """Whether the proxy has hardly anything to do."""
    before = sum(proxy.process.cpu_seconds())
    time.sleep(0.2)
    return sum(proxy.process.cpu_seconds()) - before < 0.04


def connections(proxy: RunningProxy) -> int:
    shown = subprocess.run(
        [require_program("ss", "iproute2"), "-Htn", "state", "established", f"( sport = :{proxy.port} )"],
        capture_output=True,
        text=True,
        check=True,
    )
    return len(shown.stdout.splitlines())


@pytest.mark.parametrize(
    ("words", "kib"),
    [
        pytest.param(["-H", "-i", "1"], KIB_PER_CONNECTION, id="heads"),
        pytest.param(["-B", "-i", "6", "-s", "8192", "-x", "64", "-t", "POST"], KIB_PER_CONNECTION, id="bodies"),
        pytest.param(["-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32"], KIB_PER_SLOW_READER, id="readers"),
    ],
)
def test_slow_clients(
    proxy: RunningProxy, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], kib: int
) -> None:
    program = require_program("slowhttptest")
    target = "/big.bin" if words[0] == "-X" else "/taken-whole" if words[0] == "-B" else "/"
    calm = median_ms(proxy)
    before = proxy.process.rss_kib()
    command = [program, "-c", str(CONNECTIONS), "-r", str(CONNECTIONS), "-l", "16", "-p", "3", "-u", proxy.url + target]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen([*command, *words], stdout=log, stderr=log) as attack:
        try:
            eventually(lambda: connections(proxy) > CONNECTIONS * 0.8)
            # Until the kernel has for each slow reader all that it takes: filling its buffers is work as any other.
            with contextlib.suppress(AssertionError):  # others may use the machine; what is measured below counts
                eventually(lambda: idles(proxy), 4)
            busy = median_ms(proxy)
            growth = proxy.process.rss_kib() - before
            # slowhttptest opens no new connection for one that was cut: all are gone when each deadline has passed.
            eventually(lambda: connections(proxy) < CONNECTIONS // 20, 10)
        finally:
            with contextlib.suppress(ProcessLookupError):
                attack.kill()
    with capsys.disabled():
        print(f"\n{CONNECTIONS} slow clients, {words[0]}: {calm:.2f} ms, then {busy:.2f} ms, {growth} KiB more")
    # A loop that is held up by a thousand of them is late by tens of milliseconds; a neighbour takes one or two.
    assert busy < max(2 * calm, calm + 3.0)
    assert growth < CONNECTIONS * kib
