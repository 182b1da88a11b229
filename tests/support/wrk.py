"""Load by wrk, and what it says afterwards of its own accord."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from tests.support.processes import ProcessPark, RunningProcess, require_program

# What wrk waits for an answer; then it counts a timeout.
ANSWER_SECONDS = 10
GRACE_SECONDS = 20
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class Report(NamedTuple):
    """What wrk has counted.

    @ivar requests: complete answers.
    @ivar failed: of each kind: `connect`, `read`, `write` and `timeout` of its sockets, and `status`, answers that are
        neither 2xx nor 3xx. Only kinds that happened.
    @ivar p99: 99 % of the latencies are below it, in milliseconds.
    """

    requests: int
    failed: dict[str, int]
    p99: float


def start_wrk(park: ProcessPark, url: str, seconds: int, connections: int, *script: str | os.PathLike[str]) -> Load:
    """Begin to ask for `url`, on so many connections, each of which asks again as soon as it has its answer.

    @param script: in Lua, where every request is to be another, or answers are looked at; and its arguments.
    """
    with_script = ["-s", *script] if script else []
    how = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{ANSWER_SECONDS}s", "--latency"]
    return Load(park.start(require_program("wrk"), *how, *with_script, url), seconds)


class Load:
    """A wrk that runs."""

    def __init__(self, process: RunningProcess, seconds: int) -> None:
        self.process = process
        self._seconds = seconds

    def report(self) -> Report:
        """Wait for its end; what it has counted."""
        code = self.process.wait_for_exit(self._seconds + GRACE_SECONDS)
        assert code == 0, self.process.tail()
        return read_report(self.process.log)


def read_report(said: str) -> Report:
    """What stands in the words of wrk."""
    requests = re.search(r"(\d+) requests in", said)
    tail = re.search(r"99%\s+([0-9.]+)(us|ms|s)\b", said)
    assert requests, said
    assert tail, said
    failed = dict(re.findall(r"\b(connect|read|write|timeout) (\d+)", said))
    if bad := re.search(r"Non-2xx or 3xx responses: (\d+)", said):
        failed["status"] = bad[1]
    counts = {kind: int(count) for kind, count in failed.items() if int(count)}
    return Report(int(requests[1]), counts, float(tail[1]) * _MILLISECONDS[tail[2]])
