"""
A new TLS connection for each request, from several processes; prints what `lua/report.lua` prints.

Arguments: port, path, processes, seconds, "new" or "resume". A handshake that should have
resumed a session and did not, or the reverse, is an error ("connect"): else a row could show the other one's figures.

Why not wrk: it resumes the session of the connection before whenever it can, and does not say so.
"""

import json
import socket
import ssl
import sys
import time
from dataclasses import dataclass, field
from multiprocessing import get_context

_TIMEOUT_SECONDS = 5.0


@dataclass
class Tally:
    """What one process has seen."""

    latencies: list[float] = field(default_factory=list)
    bytes: int = 0
    connect: int = 0
    read: int = 0
    status: int = 0


class Client:
    """Asks again and again, one request after the other."""

    def __init__(self, port: int, path: str, resume: bool) -> None:
        self.address = ("127.0.0.1", port)
        self.request = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode("ascii")
        # Not verified: `run.py` has done that, and what is saved here leaves more of the core to the origin.
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.resume = resume
        self.session: ssl.SSLSession | None = None
        self.tally = Tally()

    def drive(self, seconds: float) -> Tally:
        """Ask for so long. The first connection has no session to resume and does not count."""
        self.ask()
        self.tally = Tally()
        end = time.monotonic() + seconds
        while (began := time.monotonic()) < end:
            try:
                answer = self.ask()
            except OSError:
                self.tally.read += 1
                continue
            self.tally.latencies.append(time.monotonic() - began)
            self.tally.bytes += len(answer)
            self.tally.status += not answer.startswith(b"HTTP/1.1 200 ")
        return self.tally

    def ask(self) -> bytes:
        plain = socket.create_connection(self.address, timeout=_TIMEOUT_SECONDS)
        # Else the request would wait until the server has acknowledged the end of the handshake.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = self.session if self.resume else None
        with self.context.wrap_socket(plain, server_hostname="localhost", session=session) as connection:
            self.tally.connect += bool(connection.session_reused) != self.resume
            connection.sendall(self.request)
            answer = b""
            while data := connection.recv(65536):
                answer += data
            self.session = connection.session
        return answer


def drive(port: int, path: str, resume: bool, seconds: float) -> Tally:
    """In a process of its own."""
    return Client(port, path, resume).drive(seconds)


def main(port: int, path: str, processes: int, seconds: float, how: str) -> None:
    began = time.monotonic()
    with get_context("fork").Pool(processes) as pool:
        tallies = pool.starmap(drive, [(port, path, how == "resume", seconds)] * processes, chunksize=1)
    latencies = sorted(latency for tally in tallies for latency in tally.latencies)
    middle, late = (latencies[len(latencies) * share // 100] if latencies else 0.0 for share in (50, 99))
    report = {
        "requests": len(latencies),
        "bytes": sum(tally.bytes for tally in tallies),
        "duration_us": int((time.monotonic() - began) * 1e6),
        "p50_us": int(middle * 1e6),
        "p99_us": int(late * 1e6),
        "connect": sum(tally.connect for tally in tallies),
        "read": sum(tally.read for tally in tallies),
        "write": 0,
        "timeout": 0,
        "status": sum(tally.status for tally in tallies),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
