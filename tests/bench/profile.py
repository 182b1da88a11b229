"""
Where the time of this proxy goes under the load of one row: `python -m tests.bench.profile [ROW]`.

py-spy samples from outside and shows Python functions (with --native C functions too); perf shows the kernel and
uvloop's C; cProfile counts every call, and so makes small functions look more expensive than they are.
"""

import argparse
import contextlib
import pstats
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench import load, rows, table
from tests.bench.__main__ import FIRST_PORT, LAST_PORT
from tests.bench.install import find_program, find_tool, install
from tests.bench.machine import BenchError, Cores, Ports, raise_open_files
from tests.bench.peers import ThisProxy
from tests.bench.run import Bench, Running

_TOOLS = ("py-spy", "perf", "cprofile")
_TOP = 45
# py-spy's usual 100 samples a second say little about functions of a microsecond.
_RATE = "997"


def fold(stacks: str) -> tuple[Counter[str], Counter[str], int]:
    """
    Samples by function, of py-spy's raw format: a line is `outer;inner;innermost COUNT`.

    Returns samples in the function itself, samples in it or below it, and all samples.
    """
    own: Counter[str] = Counter()
    cumulative: Counter[str] = Counter()
    total = 0
    for line in stacks.splitlines():
        path, _, count = line.rpartition(" ")
        if path and count.isdigit():
            frames = path.split(";")
            own[frames[-1]] += int(count)
            # A function that calls itself is on the stack twice, but its sample counts once.
            for frame in set(frames):
                cumulative[frame] += int(count)
            total += int(count)
    return own, cumulative, total


def report_stacks(stacks: str, cpu_us: float, unit: str) -> str:
    """A table of the functions with the most samples, as shares and as microseconds for each request."""
    own, cumulative, total = fold(stacks)
    if not total:
        return "no samples"
    lines = [
        [
            frame.replace("|", "/"),
            f"{count / total:.1%}",
            table.number(cpu_us * count / total),
            f"{cumulative[frame] / total:.1%}",
        ]
        for frame, count in own.most_common(_TOP)
    ]
    return table.render(("function", "itself", f"µs/{unit}", "with what it calls"), lines)


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.bench.profile", description="Profile this proxy under a row.")
    parser.add_argument("row", nargs="?", default="1k", choices=[row.name for row in rows.ROWS if not row.kind.idle])
    parser.add_argument("--tool", choices=_TOOLS, default="py-spy")
    parser.add_argument("--native", action="store_true", help="py-spy: C functions too")
    parser.add_argument("--lines", action="store_true", help="py-spy: lines instead of functions")
    parser.add_argument("--seconds", type=int, default=5, metavar="N")
    parser.add_argument("--reactor", metavar="NAME", help="the reactor to run on (default: the proxy's choice)")
    out = Path(__file__).with_name("out")
    parser.add_argument("--out", type=Path, default=out, metavar="DIR", help="where the full profile goes")
    return parser.parse_args(words)


@contextlib.contextmanager
def _sampling(arguments: argparse.Namespace, running: Running, raw: Path, core: int) -> Iterator[None]:
    """Sample the proxy inside the block; cProfile needs nothing here, it runs inside of the proxy."""
    pid = str(running.program.pid)
    if arguments.tool == "py-spy":
        options = [*(["--native"] if arguments.native else []), *([] if arguments.lines else ["--function"])]
        where = ["--format", "raw", "--output", str(raw), "--pid", pid]
        argv = [_need("py-spy"), "record", "--rate", _RATE, "--duration", str(arguments.seconds), *options, *where]
    elif arguments.tool == "perf":
        argv = [_need("perf"), "record", "--quiet", "--output", str(raw), "--pid", pid]
        argv += ["--", "sleep", str(arguments.seconds)]
    else:
        yield
        return
    taskset = _need("taskset")
    sampler = subprocess.Popen([taskset, "-c", str(core), *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        said, _ = sampler.communicate(timeout=arguments.seconds + 60)
    if sampler.returncode != 0:
        raise BenchError(f"{arguments.tool} failed: {said.decode('utf-8', 'replace')[-800:]}")


def _need(name: str) -> str:
    if name == "py-spy":
        install(["py-spy"])
    found = find_tool(f"bin/{name}") or find_program(name)
    if found is None:
        raise BenchError(f"no {name} here; --tool takes {', '.join(_TOOLS)}")
    return str(found)


def _read(arguments: argparse.Namespace, raw: Path, cpu_us: float, unit: str) -> str:
    if arguments.tool == "py-spy":
        return report_stacks(raw.read_text(), cpu_us, unit)
    if arguments.tool == "perf":
        argv = [
            _need("perf"),
            "report",
            "--stdio",
            "--fields",
            "overhead,dso,symbol",
            "--percent-limit",
            "0.4",
            "--input",
            str(raw),
        ]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.stdout
    with raw.with_suffix(".txt").open("w+") as text:
        pstats.Stats(str(raw), stream=text).sort_stats("tottime").print_stats(_TOP)
        text.seek(0)
        return text.read()


def profile(arguments: argparse.Namespace, cores: Cores) -> str:
    """Run the row twice, first alone for its cost, then under the profiler; returns the report."""
    row = next(row for row in rows.ROWS if row.name == arguments.row)
    arguments.out.mkdir(parents=True, exist_ok=True)
    raw = (arguments.out / f"profile-{row.name}-{arguments.tool}").resolve()
    peer = ThisProxy()
    peer.arguments = (f"--reactor={arguments.reactor}",) if arguments.reactor else ()
    if arguments.tool == "cprofile":
        peer.arguments += (f"--profile={raw}", "--profiler=cprofile", "--savestats")
    with tempfile.TemporaryDirectory(prefix="profile-") as folder:
        bench = Bench(cores, Ports(FIRST_PORT, LAST_PORT), Path(folder), rounds=1, seconds=2)
        try:
            with bench.started(peer, row, Path(folder)) as running:
                load.run(row, running.scene.port, 1)
                alone = bench.one_round(row, running)
                with _sampling(arguments, running, raw, cores.load):
                    load.run(row, running.scene.port, arguments.seconds)
        finally:
            bench.close()
    head = (
        f"{row.name}: {table.number(alone.cpu_us)} CPU µs/{row.unit} without the profiler "
        f"(user {table.number(alone.user_us)}, system {table.number(alone.system_us)}), {arguments.tool}\n"
    )
    text = f"{head}\n{_read(arguments, raw, alone.cpu_us, row.unit)}\n"
    raw.with_suffix(".txt").write_text(text)
    return f"{text}\nraw data and this report: {raw}, {raw.with_suffix('.txt').name}"


def main(words: Sequence[str]) -> int:
    arguments = parse_arguments(words)
    raise_open_files()
    try:
        # Asked before this process is pinned: afterwards the machine seems to have one core.
        cores = Cores.of_this_machine()
        with cores.on_load():
            print(profile(arguments, cores))
    except BenchError as error:
        print(f"profile: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
