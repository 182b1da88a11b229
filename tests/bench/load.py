"""
Puts load on a proxy for some seconds and reads the report: wrk for HTTP, scripts of ours for WebSockets and handshakes.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.bench.install import find_program
from tests.bench.machine import LOOPBACK, BenchError
from tests.bench.rows import Kind, Row

_HERE = Path(__file__).parent
_ERRORS = ("connect", "read", "write", "timeout", "status")
_GRACE_SECONDS = 20
# What the certificate is for, and what clients ask for.
TLS_NAME = "localhost"


@dataclass(frozen=True)
class Load:
    """
    What one run of the load generator saw.

    @ivar requests: complete answers.
    @ivar received: bytes, heads included.
    @ivar errors: how many of each kind, only the kinds that happened; "status" counts answers of 400 and above.
    """

    requests: int
    received: int
    seconds: float
    p50_us: int
    p99_us: int
    errors: dict[str, int]


def parse_report(output: str) -> Load:
    """Read the line of JSON that `lua/report.lua` (or the WebSocket script) printed among wrk's own lines."""
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            report: dict[str, int] = json.loads(line)
            return Load(
                requests=report["requests"],
                received=report["bytes"],
                seconds=report["duration_us"] / 1e6,
                p50_us=report["p50_us"],
                p99_us=report["p99_us"],
                errors={kind: report[kind] for kind in _ERRORS if report[kind]},
            )
    raise BenchError(f"the load generator reported nothing:\n{output[-2000:]}")


def command(row: Row, port: int, seconds: int) -> list[str | Path]:
    """The command line that puts the load of `row` on a port of loopback."""
    if row.kind is Kind.HANDSHAKE:
        script = _HERE / "scripts" / "tls_load.py"
        how = "resume" if row.resume else "new"
        return [sys.executable, script, str(port), row.path, str(row.connections), str(seconds), how]
    if row.kind is Kind.WEBSOCKET:
        script = _HERE / "scripts" / "websocket_load.py"
        return [sys.executable, script, str(port), row.path, str(row.connections), str(seconds)]
    wrk = find_program("wrk")
    if wrk is None:
        raise BenchError("no wrk: it makes the load (Debian: wrk)")
    argv: list[str | Path] = [wrk, "-t1", f"-c{row.connections}", f"-d{seconds}s", "--timeout", "10s"]
    if row.close:
        argv += ["-H", "Connection: close"]
    return [*argv, "-s", f"{row.script}.lua", f"{origin_of(row, port)}{row.path}", "--", str(row.routes)]


def origin_of(row: Row, port: int) -> str:
    """Scheme, host and port of a proxy. With TLS the host has a name, for clients do not ask for addresses by SNI."""
    return f"https://{TLS_NAME}:{port}" if row.tls else f"http://{LOOPBACK}:{port}"


def run(row: Row, port: int, seconds: int) -> Load:
    """Put load on a proxy; the caller has pinned itself, and the load generator inherits that."""
    try:
        done = subprocess.run(
            command(row, port, seconds),
            cwd=_HERE / "lua",
            env={**os.environ, "OPENSSL_CONF": str(_HERE / "scripts" / "openssl.cnf")},
            capture_output=True,
            text=True,
            timeout=seconds + _GRACE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"the load generator did not end {_GRACE_SECONDS} s after its time") from None
    if done.returncode != 0:
        raise BenchError(f"the load generator failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return parse_report(done.stdout)
