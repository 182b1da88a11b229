"""What one echoed message costs under each reactor: ``python -m tests.bench.reactor_echo``.

A server process runs a Twisted protocol that writes back what it reads, on one core; a client process keeps a number of
connections busy with one message each, on another. The figure is the server's CPU time, user and system, divided by
the messages it echoed. Runs of the reactors alternate, and the median is printed, because other work on the machine
disturbs all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

REACTORS = ("epoll", "asyncio+uvloop", "uvloop")


class Figures(NamedTuple):
    """CPU microseconds per message."""

    user: float
    system: float

    @property
    def total(self) -> float:
        return self.user + self.system


def serve(reactor_name: str, core: int) -> None:
    """Echo until standard input ends. Prints the port at the start and the CPU seconds and messages at the end."""
    os.sched_setaffinity(0, {core})
    _install(reactor_name)
    from twisted.internet import reactor, stdio  # noqa: TID251 - a program of its own
    from twisted.internet.protocol import Factory, Protocol

    echoed = 0
    began = resource.getrusage(resource.RUSAGE_SELF)

    class Echo(Protocol):
        def dataReceived(self, data: bytes) -> None:
            nonlocal echoed
            echoed += 1
            if echoed == 1:
                nonlocal began
                began = resource.getrusage(resource.RUSAGE_SELF)
            self.transport.write(data)

    class UntilEnd(Protocol):
        def connectionLost(self, reason: object = None) -> None:
            ended = resource.getrusage(resource.RUSAGE_SELF)
            user, system = ended.ru_utime - began.ru_utime, ended.ru_stime - began.ru_stime
            sys.stdout.write(json.dumps([user, system, echoed]) + "\n")
            sys.stdout.flush()
            os._exit(0)

    port = reactor.listenTCP(0, Factory.forProtocol(Echo), backlog=512, interface="127.0.0.1")
    sys.stdout.write(f"{port.getHost().port}\n")
    sys.stdout.flush()
    stdio.StandardIO(UntilEnd())
    reactor.run()


def _install(name: str) -> None:
    if name == "epoll":
        from twisted.internet import epollreactor

        epollreactor.install()
    elif name == "asyncio+uvloop":
        import uvloop
        from twisted.internet import asyncioreactor

        asyncioreactor.install(uvloop.new_event_loop())
    else:
        from proxy.reactor import install

        install()


def load(port: int, core: int, connections: int, size: int, seconds: float) -> None:
    """Keep `connections` busy with a message of `size` bytes each."""
    import uvloop

    os.sched_setaffinity(0, {core})
    message = b"x" * size

    class Client(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport
            self.missing = size
            transport.write(message)

        def data_received(self, data: bytes) -> None:
            self.missing -= len(data)
            if not self.missing:
                self.missing = size
                self.transport.write(message)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            await loop.create_connection(Client, "127.0.0.1", port, family=socket.AF_INET)
        await asyncio.sleep(seconds)

    uvloop.run(main())


@contextmanager
def _program(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.bench.reactor_echo", *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        try:
            yield program
        finally:
            program.kill()


def measure(reactor_name: str, connections: int, size: int, seconds: float) -> Figures:
    """One run."""
    cores = sorted(os.sched_getaffinity(0))
    with _program("serve", reactor_name, "--core", cores[0]) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = int(server.stdout.readline())
        options = ("--connections", connections, "--size", size, "--seconds", seconds)
        with _program("load", port, "--core", cores[-1], *options) as client:
            client.wait()
        server.stdin.close()
        user, system, echoed = json.loads(server.stdout.readline())
    return Figures(user / echoed * 1e6, system / echoed * 1e6)


def compare(connection_counts: list[int], size: int, seconds: float, runs: int) -> None:
    """Print the table of the README."""
    print("CPU µs per echoed message (user + system)")
    print("| reactor | " + " | ".join(f"{count} connections" for count in connection_counts) + " |")
    print("|---|" + "---|" * len(connection_counts))
    results: dict[tuple[str, int], list[Figures]] = {}
    for count in connection_counts:
        for _ in range(runs):
            for name in REACTORS:
                results.setdefault((name, count), []).append(measure(name, count, size, seconds))
    for name in REACTORS:
        cells = []
        for count in connection_counts:
            middle = sorted(results[name, count], key=lambda figures: figures.total)[runs // 2]
            total = statistics.median(figures.total for figures in results[name, count])
            cells.append(f"{total:.1f} ({middle.user:.1f} + {middle.system:.1f})")
        print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", nargs="?", default="compare", choices=["compare", "serve", "load"])
    parser.add_argument("what", nargs="?", help="serve: the reactor; load: the port")
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--size", type=int, default=100, help="bytes per message")
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if options.role == "serve":
        serve(options.what, options.core)
    elif options.role == "load":
        load(int(options.what), options.core, options.connections[0], options.size, options.seconds)
    else:
        compare(options.connections, options.size, options.seconds, options.runs)


if __name__ == "__main__":
    main()
