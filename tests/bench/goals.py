"""The goals of the project that a run of the bench can decide."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.peers import OURS
from tests.bench.results import Report


@dataclass(frozen=True)
class Verdict:
    """One goal, what was measured (for people), and whether it is reached."""

    goal: str
    measured: str
    reached: bool

    def __str__(self) -> str:
        return f"{'reached' if self.reached else 'MISSED '}  {self.goal}: {self.measured}"


# "Level with" leaves room for what two runs of the same program differ by on a shared machine.
_LEVEL = 1.1
_CHEAPER_THAN = ("Envoy", "Traefik", "Caddy")
_TWISTED = "twisted.web.proxy"


def verdicts(report: Report) -> list[Verdict]:
    """Every goal for which the run has the figures; first of all, that this proxy made no error."""
    return [*_clean(report), *_beside_twisted(report), *_cheaper(report), *_beside_nginx(report), *_growth(report)]


def _clean(report: Report) -> Iterator[Verdict]:
    rows = [result for result in report.rows if OURS in result.outcomes]
    if rows:
        failed = [result.row.name for result in rows if not result.clean(OURS)]
        yield Verdict("no error in any row", f"errors in {', '.join(failed)}" if failed else "none", not failed)


def _beside_twisted(report: Report) -> Iterator[Verdict]:
    result = report.find("1k")
    ratio = result.ratio(OURS, _TWISTED) if result else None
    if ratio is not None:
        yield Verdict(f"at least 5 times cheaper than {_TWISTED} at 1 KiB", f"{1 / ratio:.1f} times", 1 / ratio >= 5)


def _cheaper(report: Report) -> Iterator[Verdict]:
    for peer in _CHEAPER_THAN:
        ratios = {
            result.row.name: ratio
            for result in report.rows
            if not result.row.kind.idle and (ratio := result.ratio(OURS, peer)) is not None
        }
        if ratios:
            lost = [f"{name} {ratio:.2f}" for name, ratio in ratios.items() if ratio >= 1]
            best = f"{min(ratios.values()):.2f} to {max(ratios.values()):.2f} of its cost"
            words = f"more in {', '.join(lost)}" if lost else best
            yield Verdict(f"less CPU than {peer} in every row", words, not lost)


def _beside_nginx(report: Report) -> Iterator[Verdict]:
    for name, most in (("1k", 2.5), ("tls-1k", 2.5), ("64k", _LEVEL), ("10m", _LEVEL)):
        result = report.find(name)
        ratio = result.ratio(OURS, "nginx") if result else None
        if result and ratio is not None:
            goal = f"at most {most} times nginx at {result.row.title}"
            yield Verdict(goal, f"{ratio:.2f} times", ratio <= most)


def _growth(report: Report) -> Iterator[Verdict]:
    few, many = _our_cost(report, "routes-1"), _our_cost(report, "routes-10000")
    if few and many:
        growth = many / few - 1
        yield Verdict("10,000 routes cost less than 10 % more than one", f"{growth:+.1%}", growth < 0.1)
    small, large = _our_cost(report, "64k"), _our_cost(report, "10m")
    if small and large:
        times = large / (small * 160)
        yield Verdict("a byte of 10 MiB costs no more than a byte of 64 KiB", f"{times:.2f} times", times <= 1.0)


def _our_cost(report: Report, name: str) -> float | None:
    result = report.find(name)
    return result.cost(OURS) if result else None
