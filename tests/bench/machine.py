"""The machine: which core does what, how many files may be open, and programs that are started and always ended."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

LOOPBACK = "127.0.0.1"
START_SECONDS = 15.0
STOP_SECONDS = 5.0
# 10,000 open WebSockets are 20,000 descriptors of the proxy; nginx and HAProxy want as many again in reserve.
OPEN_FILES = 65536
_POLL_SECONDS = 0.02


class BenchError(Exception):
    """Something the bench needs is missing or did not start; the text is for the person who runs it."""


@dataclass(frozen=True)
class Cores:
    """The core of the proxy under test, and the core of everything else (load, origin and the bench itself)."""

    proxy: int
    load: int

    @classmethod
    def of_this_machine(cls) -> "Cores":
        usable = sorted(os.sched_getaffinity(0))
        return cls(proxy=usable[-1], load=usable[0])

    @property
    def shared(self) -> bool:
        """Whether there is only one core: the figures then say little."""
        return self.proxy == self.load

    def on_load(self) -> contextlib.AbstractContextManager[None]:
        """Inside the block this process, and what it starts, stays away from the core of the proxy."""
        return pinned(self.load)


def raise_open_files(wanted: int = OPEN_FILES) -> int:
    """Allow this process and its children `wanted` descriptors, or as many as may be had; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = wanted
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
        return wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    return min(wanted, hard)


class Program:
    """A program in a process group of its own, pinned to one core; stdout and stderr go to `log`."""

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        core: int,
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.log = log
        self.name = Path(argv[0]).name
        with log.open("wb") as output, pinned(core):
            self._popen = subprocess.Popen(
                [os.fspath(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd or log.parent,
                start_new_session=True,
            )

    def __repr__(self) -> str:
        return f"<Program {self.name} pid {self.pid}>"

    def __enter__(self) -> "Program":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    def tail(self, lines: int = 5, width: int = 200) -> str:
        """The end of what it printed, for an error message."""
        return "\n".join(line[:width] for line in self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    def wait_for_port(self, port: int, seconds: float = START_SECONDS) -> None:
        """Return when `port` of loopback accepts; raise BenchError when it never does."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
                return
            self.check_alive(deadline, f"accept on port {port}")
            time.sleep(_POLL_SECONDS)

    def check_alive(self, deadline: float, what: str) -> None:
        """Raise BenchError when the program ended, or when the monotonic clock is past `deadline`."""
        if not self.running:
            raise BenchError(f"{self.name} ended before it could {what}\n{self.tail()}")
        if time.monotonic() > deadline:
            raise BenchError(f"{self.name} did not {what} in time\n{self.tail()}")

    def stop(self) -> None:
        """Ask it to end, then end what is left of its group. Safe to repeat."""
        if self.running:
            self._popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Inside the block this process runs on one core; a child inherits that from its parent."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Ports:
    """Hands out ports of loopback, one after the other, that nobody listens on."""

    def __init__(self, first: int, last: int) -> None:
        self._first = first
        self._last = last
        self._next = first

    def take(self) -> int:
        for _ in range(self._last - self._first + 1):
            port = self._next
            self._next = self._first if port == self._last else port + 1
            with contextlib.suppress(OSError), socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((LOOPBACK, port))
                return port
        raise BenchError(f"no free port between {self._first} and {self._last}")
