"""
How many machine instructions a request costs in this proxy: `python -m tests.bench.instructions [ROW...]`.

Counted by valgrind's callgrind over the proxy in memory (`scripts/in_memory.py`): all of Python that a request meets,
and nothing of the kernel, nor of uvloop's C. A count hardly depends on what else the machine does, so that two versions
can be compared by half a per cent, where microseconds swing by ten. It is a count, not a time: what misses the cache
weighs more.

With --functions, how many bytecode instructions each Python function runs for a request: where they come from.
"""

import argparse
import os
import re
import runpy
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.bench import table
from tests.bench.install import ROOT, find_program
from tests.bench.machine import BenchError

ROWS = ("0b", "1k", "64k", "post", "routes-1", "routes-1000", "routes-10000", "varied")
SCRIPT = Path(__file__).with_name("scripts") / "in_memory.py"
# The start is in both runs, and goes out in the difference; the first requests of a connection are in neither.
FEW, MANY = 160, 1760
_TOP = 45


def parse_collected(output: str) -> int:
    """The number of instructions in what callgrind prints at its end."""
    found = re.search(r"Collected : (\d+)", output)
    if found is None:
        raise BenchError(f"callgrind counted nothing: {output[-1000:]}")
    return int(found[1])


def count(row: str, requests: int, directory: Path) -> int:
    """The instructions of a whole run with so many requests."""
    valgrind = find_program("valgrind")
    if valgrind is None:
        raise BenchError("no valgrind (Debian: valgrind)")
    profile = directory / f"callgrind.{row}.{requests}"
    done = subprocess.run(
        [
            valgrind,
            "--tool=callgrind",
            f"--callgrind-out-file={profile}",
            sys.executable,
            SCRIPT,
            row,
            str(requests),
            directory / f"access.{row}.{requests}",
        ],
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(done.stderr[-2000:])
    return parse_collected(done.stderr)


def instructions(row: str, directory: Path) -> float:
    """Machine instructions of one request."""
    return (count(row, MANY, directory) - count(row, FEW, directory)) / (MANY - FEW)


def bytecodes(row: str, directory: Path) -> tuple[Counter[CodeType], Counter[CodeType]]:
    """Bytecode instructions and calls, by function, of all requests of a short run."""
    run = runpy.run_path(str(SCRIPT))["run"]
    ran: Counter[CodeType] = Counter()
    called: Counter[CodeType] = Counter()

    def step(frame: FrameType, event: str, _: Any) -> Any:
        if event == "opcode":
            ran[frame.f_code] += 1
        return step

    def enter(frame: FrameType, event: str, _: Any) -> Any:
        if "/proxy/" not in frame.f_code.co_filename:
            return None
        called[frame.f_code] += 1
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return step

    run(row, FEW, str(directory / "warm"))
    before = sys.gettrace()
    sys.settrace(enter)
    try:
        run(row, FEW, str(directory / "few"))
        few_ran, few_called = ran.copy(), called.copy()
        ran.clear()
        called.clear()
        run(row, 2 * FEW, str(directory / "many"))
    finally:
        sys.settrace(before)
    ran.subtract(few_ran)
    called.subtract(few_called)
    return +ran, +called


def report_functions(row: str, directory: Path) -> str:
    """A table of the functions that run the most bytecode instructions."""
    ran, called = bytecodes(row, directory)
    lines = [
        [
            f"{code.co_qualname} ({Path(code.co_filename).name}:{code.co_firstlineno})",
            f"{number / FEW:.1f}",
            f"{called[code] / FEW:.2f}",
        ]
        for code, number in ran.most_common(_TOP)
    ]
    total = f"{row}: {sum(ran.values()) / FEW:.0f} bytecode instructions in {sum(called.values()) / FEW:.1f} calls\n"
    return total + table.render(("function", "instructions", "calls"), lines)


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m tests.bench.instructions", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)} (1k varied)")
    parser.add_argument("--functions", action="store_true", help="bytecode instructions by function, without valgrind")
    arguments = parser.parse_args(words)
    try:
        with tempfile.TemporaryDirectory(prefix="instructions-") as folder:
            for row in arguments.rows or ("1k", "varied"):
                if row not in ROWS:
                    raise BenchError(f"no row {row!r}; there are {', '.join(ROWS)}")
                if arguments.functions:
                    print(report_functions(row, Path(folder)))
                else:
                    print(f"{row}: {instructions(row, Path(folder)):,.0f} instructions/request", flush=True)
    except BenchError as error:
        print(f"instructions: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
