"""The report as Markdown tables that also read well in a terminal."""

from collections.abc import Iterator, Sequence

from tests.bench.peers import OURS
from tests.bench.results import Outcome, Report, Round, RowResult

FLAG = "(!)"
_HTTP_HEAD = ("p50 ms", "p99 ms", "peak MiB", "busy", "ours ÷ it", "errors")


def render(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the first column to the left, the others to the right, padded to equal widths."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join([first, *others]) + " |"

    rule = "|" + "|".join("-" * (width + 2) if not at else "-" * (width + 1) + ":" for at, width in enumerate(widths))
    return "\n".join([line(head), rule + "|", *(line(row) for row in rows)])


def number(value: float) -> str:
    """Three significant digits, thousands separated."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def row_table(result: RowResult) -> str:
    """All figures of one row."""
    if result.row.kind.idle:
        return _idle_table(result)
    unit = result.row.unit
    head = ("proxy", f"CPU µs/{unit}", "user", "system", f"{unit}s/s", *_HTTP_HEAD)
    rows = [_row_cells(result, name, outcome) for name, outcome in result.outcomes.items()]
    return "\n".join([f"### {result.row.name}: {_title(result)}", "", render(head, rows), *_failures(result)])


def _title(result: RowResult) -> str:
    row = result.row
    return row.title if "connection" in row.title else f"{row.title}, {row.connections} connections"


def _row_cells(result: RowResult, name: str, outcome: Outcome) -> list[str]:
    middle = outcome.middle
    if outcome.failure or middle is None:
        return [f"{name} {FLAG}", *([""] * 9), "failed"]
    flag = f" {FLAG}" if outcome.errors else ""
    return [name + flag, *_figures(middle, outcome.peak_rss_kib), _ratio(result, name), _errors(outcome)]


def _figures(one: Round, peak_rss_kib: int) -> list[str]:
    return [
        number(one.cpu_us),
        number(one.user_us),
        number(one.system_us),
        f"{one.per_second:,.0f}",
        number(one.p50_us / 1000),
        number(one.p99_us / 1000),
        number(peak_rss_kib / 1024),
        f"{one.busy:.0%}",
    ]


def _ratio(result: RowResult, name: str) -> str:
    ratio = result.ratio(OURS, name)
    return "" if ratio is None or name == OURS else f"{ratio:.2f}"


def _errors(outcome: Outcome) -> str:
    words = [f"{count} {kind}" for kind, count in sorted(outcome.errors.items())]
    if not outcome.log_bytes:
        words.append("no access log")
    return ", ".join(words) or "0"


def _failures(result: RowResult) -> list[str]:
    failed = [(name, outcome.failure) for name, outcome in result.outcomes.items() if outcome.failure]
    return ["", *(f"- {name} {FLAG}: {_first_line(why)}" for name, why in failed)] if failed else []


def _first_line(text: str, most: int = 140) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= most else line[: most - 3] + "..."


def _idle_table(result: RowResult) -> str:
    rows = []
    for name, outcome in result.outcomes.items():
        idle = outcome.idle
        if idle is None:
            rows.append([f"{name} {FLAG}", "", "", "", "", "failed"])
        else:
            before, after = number(idle.before_kib / 1024), number(idle.after_kib / 1024)
            rows.append([name, number(idle.kib_each), before, after, _ratio(result, name), "0"])
    head = ("proxy", "KiB each", "MiB before", "MiB with all", "ours ÷ it", "errors")
    title = f"### {result.row.name}: {result.row.connections:,} {result.row.title}"
    return "\n".join([title, "", render(head, rows), *_failures(result)])


def summary(report: Report) -> str:
    """One line for each row, one column for each proxy: CPU µs, or KiB for each idle connection."""
    peers = list(dict.fromkeys(name for result in report.rows for name in result.outcomes))
    rows = []
    for result in report.rows:
        cells = [f"{result.row.title} ({'KiB each' if result.row.kind.idle else 'CPU µs'})"]
        for peer in peers:
            cost = result.cost(peer)
            outcome = result.outcomes.get(peer)
            flag = f" {FLAG}" if outcome and (outcome.errors or outcome.failure) else ""
            cells.append(("–" if cost is None else number(cost)) + flag)  # noqa: RUF001  a dash for "not measured"
        rows.append(cells)
    return render(["row", *peers], rows)


def full(report: Report) -> str:
    """Everything: the circumstances, the summary, then each row."""
    return "\n\n".join([*_circumstances(report), summary(report), *(row_table(result) for result in report.rows)])


def _circumstances(report: Report) -> Iterator[str]:
    versions = ", ".join(f"{name} {version}".strip() for name, version in report.versions.items())
    yield f"{report.date}, {report.machine}; median of {report.rounds} rounds of {report.seconds} s. {versions}."
    if report.missing:
        yield "Missing: " + "; ".join(f"{name} ({_first_line(why)})" for name, why in report.missing.items()) + "."
