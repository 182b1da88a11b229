"""Programs that run beside a test: started, waited for, read, measured and always ended."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pytest

from tests.support.ports import LOOPBACK

START_SECONDS = 40.0
STOP_SECONDS = 15.0
_POLL_SECONDS = 0.02
_TRACEBACK = "Traceback (most recent call last)"


def require_program(name: str, package: str | None = None) -> str:
    """The path of a program, or a skipped test that says which Debian package has it."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"no {name}: `make test` as root installs Debian's {package or name}")
    return found


class ProcessError(AssertionError):
    """A program ended, or never became ready; the text carries the end of what it printed."""


class RunningProcess:
    """
    One program in a process group of its own; stdout and stderr go to one file.

    A file and not a pipe: nobody has to read it for the program to go on. Where `setpriv` is at hand the
    kernel ends the program when the test run dies, so that not even `kill -9` leaves one behind.
    """

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        log_path: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.argv = [os.fspath(word) for word in argv]
        self.log_path = log_path
        setpriv = shutil.which("setpriv")
        prefix = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
        with log_path.open("wb") as output:
            self._popen = subprocess.Popen(
                prefix + self.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
            )

    def __repr__(self) -> str:
        state = "running" if self.running else f"exited {self._popen.returncode}"
        return f"<{Path(self.argv[0]).name} pid {self.pid}, {state}>"

    def __enter__(self) -> "RunningProcess":
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

    @property
    def log(self) -> str:
        """Everything printed so far."""
        return self.log_path.read_text("utf-8", "replace")

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.splitlines()[-lines:])

    def wait_for_port(self, port: int, host: str = LOOPBACK, seconds: float = START_SECONDS) -> None:
        """Return when `port` accepts; raise ProcessError when the program ends first or time is up."""

        def accepts() -> bool:
            with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
                return True
            return False

        self._wait_until(accepts, f"accept on port {port}", seconds)

    def wait_for_text(self, pattern: str, seconds: float = START_SECONDS) -> re.Match[str]:
        """The first match of a regular expression in the log."""
        self._wait_until(lambda: re.search(pattern, self.log, re.MULTILINE), f"print {pattern!r}", seconds)
        found = re.search(pattern, self.log, re.MULTILINE)
        assert found is not None
        return found

    def wait_for_exit(self, seconds: float = STOP_SECONDS) -> int:
        """The exit code; raise ProcessError when the program still runs after `seconds`."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ProcessError(f"{self!r} did not end in {seconds} s\n{self.tail()}") from None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the program alone, not to its children."""
        self._popen.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = STOP_SECONDS) -> int:
        """End the program, then whatever is left of its group. Returns the exit code; safe to repeat."""
        if self.running:
            self._popen.send_signal(number)
        try:
            return self.wait_for_exit(seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._popen.wait()

    def rss_kib(self) -> int:
        """Resident memory of the program in KiB (Linux: VmRSS)."""
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        return int(status.partition("VmRSS:")[2].split(maxsplit=1)[0])

    def cpu_seconds(self) -> tuple[float, float]:
        """User and system time of the program so far, in seconds (Linux)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        ticks = os.sysconf("SC_CLK_TCK")
        return int(fields[11]) / ticks, int(fields[12]) / ticks

    def thread_seconds(self) -> dict[int, float]:
        """CPU time of each thread so far, to the microsecond (Linux). The first one has the number of the process."""
        found = {}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                found[int(task.name)] = int((task / "schedstat").read_text("ascii").split()[0]) / 1e9
        return found

    def assert_no_traceback(self) -> None:
        """Fail when the program logged an exception that nobody expected."""
        if _TRACEBACK in self.log:
            raise AssertionError(f"{self!r} logged a traceback:\n{self.tail(80)}")

    def _wait_until(self, condition: Callable[[], object], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if not self.running:
                raise ProcessError(f"{self!r} ended before it could {what}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ProcessError(f"{self!r} did not {what} in {seconds} s\n{self.tail()}")
            time.sleep(_POLL_SECONDS)


class ProcessPark:
    """The programs of one test, ended in reverse order of their start."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._running: list[RunningProcess] = []

    def start(
        self,
        *argv: str | os.PathLike[str],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> RunningProcess:
        """Start a program; what it prints goes to `NUMBER-NAME.log` in the test's folder."""
        log = self.directory / f"{len(self._running)}-{Path(argv[0]).name}.log"
        process = RunningProcess(argv, log, env=env, cwd=cwd)
        self._running.append(process)
        return process

    def __iter__(self) -> Iterator[RunningProcess]:
        return iter(self._running)

    def close(self) -> None:
        """End them all, then raise the first failure to end, if any."""
        with contextlib.ExitStack() as stack:
            for process in self._running:
                stack.callback(process.stop)
