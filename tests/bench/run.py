"""The run: for each row start all proxies, warm them up, then measure them in turns, several times around."""

import contextlib
import http.client
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import load
from tests.bench.idle import count_closed, idle_connections
from tests.bench.machine import LOOPBACK, START_SECONDS, BenchError, Cores, Ports, Program
from tests.bench.measure import Cpu, Meter
from tests.bench.origin import BODIES, POST_ANSWER, HttpOrigin, WebSocketOrigin
from tests.bench.peers import Launch, Peer, Scene
from tests.bench.results import Idle, Outcome, Round, RowResult
from tests.bench.rows import Row
from tests.bench.websocket import opening
from tests.support.authority import Authority

_POLL_SECONDS = 0.05
_SETTLE_SECONDS = 0.5
# The first connections of a proxy pay for pools and caches that the following share.
_WARM_CONNECTIONS = 100


@dataclass
class Running:
    """A proxy that has answered its first request."""

    peer: Peer
    scene: Scene
    launch: Launch
    program: Program
    meter: Meter

    def log_bytes(self) -> int:
        with contextlib.suppress(OSError):
            return self.launch.access_log.stat().st_size
        return 0


class Bench:
    """Holds what all rows share: cores, ports, a folder, the origins and how long to measure."""

    def __init__(self, cores: Cores, ports: Ports, directory: Path, *, rounds: int, seconds: int) -> None:
        self.cores = cores
        self.ports = ports
        self.directory = directory
        self.rounds = rounds
        self.seconds = seconds
        self.authority = Authority(directory)
        self.pair = self.authority.issue(load.TLS_NAME)
        self.http = HttpOrigin(directory / "http-origin", ports.take(), cores.load)
        self.websocket = WebSocketOrigin(directory / "websocket-origin", ports.take(), cores.load)

    def close(self) -> None:
        self.http.stop()
        self.websocket.stop()

    def measure(self, row: Row, peers: Sequence[Peer]) -> RowResult:
        """Measure one row; a proxy that fails has its reason in the result and does not disturb the others."""
        outcomes: dict[str, Outcome] = {}
        with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory(dir=self.directory) as folder:
            running: list[Running] = []
            for peer in peers:
                try:
                    running.append(stack.enter_context(self.started(peer, row, Path(folder))))
                    if not row.kind.idle:
                        load.run(row, running[-1].scene.port, 1)
                except BenchError as error:
                    print(f"{peer.name}: {error}", file=sys.stderr, flush=True)
                    outcomes[peer.name] = Outcome(failure=str(error))
            ready = [one for one in running if one.peer.name not in outcomes]
            if ready:
                outcomes.update((self._measure_idle if row.kind.idle else self._measure_rounds)(row, ready))
            # Before the folder goes: a proxy that ends writes the rest of its log.
            stack.close()
        return RowResult(row, {peer.name: outcomes[peer.name] for peer in peers})

    @contextlib.contextmanager
    def started(self, peer: Peer, row: Row, folder: Path) -> Iterator[Running]:
        """Start a proxy for a row and wait until it forwards what the row asks for."""
        program = peer.find()
        if program is None:
            raise BenchError("not installed")
        directory = folder / peer.name.replace(" ", "-")
        directory.mkdir()
        origin_port = self.websocket.port if row.kind.websocket else self.http.port
        scene = Scene(self.ports.take(), origin_port, row.routes, directory, self.pair if row.tls else None)
        launch = peer.prepare(program, scene)
        with Program(launch.argv, self.cores.proxy, scene.output, env=launch.env) as started:
            started.wait_for_port(scene.port)
            wait_until_forwarding(started, row, scene, self.authority.ca)
            yield Running(peer, scene, launch, started, Meter(started.pid))

    def _measure_rounds(self, row: Row, running: Sequence[Running]) -> dict[str, Outcome]:
        rounds: dict[str, list[Round]] = {one.peer.name: [] for one in running}
        failures: dict[str, str] = {}
        for number in range(self.rounds):
            # Turn about: nobody always follows the one that left the machine hot.
            for one in (*running[number % len(running) :], *running[: number % len(running)]):
                try:
                    rounds[one.peer.name].append(self.one_round(row, one))
                except (BenchError, OSError) as error:
                    failures[one.peer.name] = str(error)
        return {
            one.peer.name: Outcome(
                rounds=tuple(rounds[one.peer.name]),
                failure=failures.get(one.peer.name, ""),
                log_bytes=one.log_bytes(),
            )
            for one in running
        }

    def one_round(self, row: Row, one: Running) -> Round:
        """Put the load of a row on a proxy once."""
        forwarded = self.http.requests()
        one.meter.reset_peak()
        cpu, began = one.meter.cpu(), time.monotonic()
        seen = load.run(row, one.scene.port, max(self.seconds, row.least_seconds))
        cpu, seconds = one.meter.cpu() - cpu, time.monotonic() - began
        forwarded = self.http.requests() - forwarded
        return make_round(row, seen, forwarded, cpu, seconds, one.meter.peak_rss_kib())

    def _measure_idle(self, row: Row, running: Sequence[Running]) -> dict[str, Outcome]:
        outcomes = {}
        for one in running:
            try:
                outcomes[one.peer.name] = Outcome(idle=_idle(row, one), log_bytes=one.log_bytes())
            except (BenchError, OSError) as error:
                outcomes[one.peer.name] = Outcome(failure=str(error))
        return outcomes


def make_round(row: Row, seen: load.Load, forwarded: int, cpu: Cpu, seconds: float, peak_rss_kib: int) -> Round:
    """
    The figures of one round.

    When time is up the load generator drops the requests in flight, but the proxy has worked for them. So CPU
    time is divided by what reached the origin (or by what was answered, should a proxy ever answer by itself),
    and where a round has few requests by the bytes that arrived.
    """
    if row.per_byte:
        counted = seen.received / BODIES[row.path.rpartition("/")[2]]
    elif row.kind.websocket:
        counted = float(seen.requests)
    else:
        counted = float(max(seen.requests, forwarded))
    if not counted:
        raise BenchError(f"no request was answered; errors: {seen.errors or 'none'}")
    answered = counted if row.per_byte else seen.requests
    return Round(
        counted=counted,
        user_us=cpu.user / counted * 1e6,
        system_us=cpu.system / counted * 1e6,
        per_second=answered / seen.seconds,
        p50_us=seen.p50_us,
        p99_us=seen.p99_us,
        busy=cpu.total / seconds,
        peak_rss_kib=peak_rss_kib,
        errors=seen.errors,
    )


def _idle(row: Row, one: Running) -> Idle:
    with idle_connections(row, one.scene.port, _WARM_CONNECTIONS):
        pass
    time.sleep(_SETTLE_SECONDS)
    before = one.meter.rss_kib()
    with idle_connections(row, one.scene.port, row.connections) as connections:
        time.sleep(_SETTLE_SECONDS)
        after = one.meter.rss_kib()
        closed = count_closed(connections)
    if closed:
        raise BenchError(f"closed {closed:,} of {row.connections:,} idle connections")
    return Idle(row.connections, before, after)


def wait_until_forwarding(program: Program, row: Row, scene: Scene, ca: str) -> None:
    """Return when the proxy gives the origin's answer; some listen before their routes are read.

    @param ca: the authority that signed the proxy's certificate, should it speak TLS.
    """
    deadline = time.monotonic() + START_SECONDS
    last = scene.prefixes[-1] + "/1k" if scene.routes else row.path
    answer = ""
    while answer != "ok":
        program.check_alive(deadline, f"forward {last}: the last answer was {answer}")
        try:
            if row.kind.websocket:
                answer = _ask_websocket(scene.port, last)
            else:
                answer = _ask_http(_connection(row, scene.port, ca), row, last)
        except (OSError, http.client.HTTPException) as error:
            answer = repr(error)
        if answer != "ok":
            time.sleep(_POLL_SECONDS)


def _connection(row: Row, port: int, ca: str) -> http.client.HTTPConnection:
    if not row.tls:
        return http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    return http.client.HTTPSConnection(load.TLS_NAME, port, timeout=5, context=ssl.create_default_context(cafile=ca))


def _ask_http(connection: http.client.HTTPConnection, row: Row, path: str) -> str:
    try:
        if row.script == "post":
            size = len(POST_ANSWER)
            connection.request("POST", path, body=b"x" * 16384)
        else:
            size = BODIES[path.rpartition("/")[2]]
            connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    return "ok" if (response.status, len(body)) == (200, size) else f"{response.status} with {len(body)} bytes"


def _ask_websocket(port: int, path: str) -> str:
    with socket.create_connection((LOOPBACK, port), timeout=5) as connection:
        connection.sendall(opening(port, path))
        answer = connection.recv(4096)
    return "ok" if answer.startswith(b"HTTP/1.1 101 ") else repr(answer[:60])


def measure_all(
    rows: Sequence[Row], peers: Sequence[Peer], ports: Ports, *, rounds: int, seconds: int
) -> Iterator[RowResult]:
    """Measure row after row; a proxy is left out of rows that it cannot do (its cell says so)."""
    cores = Cores.of_this_machine()
    with cores.on_load(), tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(cores, ports, Path(folder), rounds=rounds, seconds=seconds)
        try:
            for row in rows:
                able = [peer for peer in peers if _able(peer, row)]
                print(f"{row.name}: {', '.join(peer.name for peer in able)}", file=sys.stderr, flush=True)
                yield bench.measure(row, able)
        finally:
            bench.close()


def _able(peer: Peer, row: Row) -> bool:
    return row.routes <= peer.most_routes and (peer.websocket or not row.kind.websocket)
