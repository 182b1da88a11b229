"""Writes the result of a run, and puts it into `docs/` when asked to."""

from pathlib import Path

from tests.bench import chart, goals, table
from tests.bench.install import ROOT
from tests.bench.results import Report

DOCS = ROOT / "docs"
_BEGIN = "<!-- the bench writes from here -->"
_END = "<!-- to here -->"
_CHART = "![CPU µs for each request, by proxy and row](performance.svg)"


def write(report: Report, directory: Path) -> None:
    """The result as `performance.json` and `performance.svg` in a folder."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "performance.json").write_text(report.to_json())
    (directory / "performance.svg").write_text(chart.draw(report))


def publish(report: Report) -> None:
    """Make this run the one that `docs/performance.md` shows."""
    write(report, DOCS)
    page = DOCS / "performance.md"
    page.write_text(insert(page.read_text(), report))


def insert(page: str, report: Report) -> str:
    """The page with its part between the two marks replaced. Raises ValueError where a mark is missing."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"docs/performance.md has no {_BEGIN} ... {_END}")
    # A list under each other, so that a goal that is missed stands out in a diff.
    lines = "\n".join(
        f"- {'reached' if one.reached else '**missed**'}: {one.goal}: {one.measured}" for one in goals.verdicts(report)
    )
    return f"{before}{_BEGIN}\n\n{_CHART}\n\n{lines}\n\n{table.full(report)}\n\n{_END}{after}"
