"""`python -m tests.bench [ROW...]`: measure, print, and write JSON and a chart."""

import argparse
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench import goals, peers, publish, rows, table
from tests.bench.install import install
from tests.bench.machine import BenchError, Cores, Ports, raise_open_files
from tests.bench.results import Report, RowResult
from tests.bench.run import measure_all
from tests.bench.versions import all_versions

FIRST_PORT, LAST_PORT = 23000, 23899


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser("python -m tests.bench", description="Measure this proxy beside others.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to measure (default: all of them; see --list)")
    parser.add_argument("--list", action="store_true", help="list rows and peers, then end")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="1 KiB beside nginx and twisted.web.proxy; exit status 1 when a goal is missed",
    )
    parser.add_argument("--peers", metavar="NAME,...", help="only these proxies")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds for each row and peer (3)")
    parser.add_argument("--seconds", type=int, default=1, metavar="N", help="seconds of each round (1)")
    out = Path(__file__).with_name("out")
    parser.add_argument("--out", type=Path, default=out, metavar="DIR", help="where the JSON and the chart go")
    parser.add_argument("--publish", action="store_true", help="put the result into docs/ as well")
    arguments = parser.parse_args(words)
    known = {row.name for row in rows.ROWS}
    for name in arguments.rows:
        if name not in known:
            parser.error(f"no row {name!r}; there are {', '.join(row.name for row in rows.ROWS)}")
    if arguments.rounds < 1 or arguments.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    return arguments


def choose_peers(names: Sequence[str]) -> list[peers.Peer]:
    """The proxies of these names (any case), all for none. Raises BenchError for an unknown one."""
    known = {peer.name.lower(): peer for peer in peers.PEERS}
    wanted = {name.strip().lower() for name in names}
    if wanted - set(known):
        raise BenchError(f"no peer {', '.join(sorted(wanted - set(known)))}; there are {', '.join(known)}")
    return [peer for name, peer in known.items() if not wanted or name in wanted]


def provide(chosen: Sequence[peers.Peer]) -> tuple[list[peers.Peer], dict[str, str]]:
    """Install what can be; the peers that are there, and for each that is not, why."""
    failures = install([package for peer in chosen for package in peer.packages])
    present = [peer for peer in chosen if peer.find() is not None]
    missing = {}
    for peer in chosen:
        if peer not in present:
            reasons = [failures[package] for package in peer.packages if package in failures]
            missing[peer.name] = "; ".join(reasons) or "not installed, and not on PyPI"
    return present, missing


def describe_machine() -> str:
    """The processor and the kernel."""
    processor = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return f"{processor}, Linux {platform.release().partition('-')[0]}"


def measure(arguments: argparse.Namespace) -> Report:
    """Do what the command line asks for and print each row when it is done."""
    names = list(peers.QUICK) if arguments.quick else []
    if arguments.peers:
        names = arguments.peers.split(",")
    chosen = rows.choose(arguments.rows or (list(rows.QUICK) if arguments.quick else []))
    present, missing = provide(choose_peers(names))
    raise_open_files()
    ports = Ports(FIRST_PORT, LAST_PORT)
    results: list[RowResult] = []
    for result in measure_all(chosen, present, ports, rounds=arguments.rounds, seconds=arguments.seconds):
        results.append(result)
        print(table.row_table(result), end="\n\n", flush=True)
    return Report(
        date=time.strftime("%Y-%m-%d"),
        machine=describe_machine(),
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        versions=all_versions(present),
        missing=missing,
        rows=results,
    )


def main(words: Sequence[str]) -> int:
    arguments = parse_arguments(words)
    if arguments.list:
        for row in rows.ROWS:
            print(f"{row.name:16}{row.title}")
        print("\nproxies:", ", ".join(peer.name for peer in peers.PEERS))
        return 0
    if Cores.of_this_machine().shared:
        print("only one core: proxy and load share it, the figures say little", file=sys.stderr)
    began = time.monotonic()
    try:
        report = measure(arguments)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    print(table.summary(report), end="\n\n")
    for name, why in report.missing.items():
        print(f"missing  {name}: {why}")
    verdicts = goals.verdicts(report)
    for verdict in verdicts:
        print(verdict)
    publish.write(report, arguments.out)
    if arguments.publish:
        publish.publish(report)
    print(f"\n{time.monotonic() - began:.0f} s; JSON and chart in {arguments.out}")
    return int(arguments.quick and not (verdicts and all(verdict.reached for verdict in verdicts)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
