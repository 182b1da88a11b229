"""
The report as an SVG: one panel for each row, one bar for each proxy, the cheapest on top.

Text and lines take one of two sets of colors by `prefers-color-scheme`; the background is left to the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from tests.bench.peers import OURS
from tests.bench.results import Outcome, Report, RowResult
from tests.bench.table import number

WIDTH = 960
_MARGIN = 24
_GAP = 32
_COLUMNS = 2
_PANEL = (WIDTH - 2 * _MARGIN - _GAP) // _COLUMNS
_LABEL = 118
_VALUE = 86
_BAR = _PANEL - _LABEL - _VALUE
_LINE = 19
_TITLE = 30
_HEADER = 74
# A bar longer than so many times the median is cut, or the others could not be compared any more.
_CUT = 4.0

_STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #3d444d; }
.head { font-size: 17px; font-weight: 600; } .title { font-size: 13px; font-weight: 600; }
.ours-name { font-weight: 700; } .faint { fill: #6e7781; }
.user { fill: #8c959f; } .system { fill: #c4cad1; } .ours.user { fill: #bc4c00; } .ours.system { fill: #f0a070; }
.axis { stroke: #afb8c1; stroke-width: 1; } .cut { stroke: #ffffff; stroke-width: 3; }
@media (prefers-color-scheme: dark) {
text { fill: #d1d7e0; } .faint { fill: #9198a1; }
.user { fill: #8b949e; } .system { fill: #4d555e; } .ours.user { fill: #f0883e; } .ours.system { fill: #8f4a17; }
.axis { stroke: #565d66; } .cut { stroke: #0d1117; }
}
"""


@dataclass(frozen=True)
class Bar:
    """One proxy in one panel; `first` is user time (or memory), `second` system time."""

    name: str
    first: float
    second: float

    @property
    def length(self) -> float:
        return self.first + self.second


def bars(result: RowResult) -> list[Bar]:
    """The proxies that were measured in a row, the cheapest first."""
    found = [bar for name, outcome in result.outcomes.items() if (bar := _bar(name, outcome))]
    return sorted(found, key=lambda bar: bar.length)


def _bar(name: str, outcome: Outcome) -> Bar | None:
    if outcome.idle is not None:
        return Bar(name, max(outcome.idle.kib_each, 0.0), 0.0)
    middle = outcome.middle
    return Bar(name, middle.user_us, middle.system_us) if middle else None


def scale(found: Sequence[Bar]) -> float:
    """The value at the right end of a panel: the longest bar, or `_CUT` medians where one is far out."""
    lengths = sorted(bar.length for bar in found)
    return min(lengths[-1], lengths[len(lengths) // 2] * _CUT) or 1.0


def draw(report: Report) -> str:
    """The whole picture."""
    panels = [(result, found) for result in report.rows if (found := bars(result))]
    body: list[str] = []
    top = _HEADER
    for start in range(0, len(panels), _COLUMNS):
        beside = panels[start : start + _COLUMNS]
        for column, (result, found) in enumerate(beside):
            body += _panel(result, found, _MARGIN + column * (_PANEL + _GAP), top)
        top += _TITLE + _LINE * max(len(found) for _, found in beside) + 22
    return "\n".join([*_frame(report, top), *body, "</svg>"]) + "\n"


def _frame(report: Report, height: int) -> list[str]:
    note = (
        "CPU µs for each request or message (dark: user, light: system), KiB for each idle connection: less is better."
    )
    circumstances = f"{report.date}, {report.machine}, one core each, median of {report.rounds} rounds."
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-labelledby="t">',
        '<title id="t">What one request costs in each proxy</title>',
        f"<style>{_STYLE}</style>",
        _text(_MARGIN, 30, "What one request costs in each proxy", "head"),
        _text(_MARGIN, 50, note, "faint"),
        _text(_MARGIN, 66, circumstances, "faint"),
    ]


def _panel(result: RowResult, found: Sequence[Bar], left: int, top: int) -> list[str]:
    most = scale(found)
    drawn = [_text(left, top + 18, f"{result.row.title} ({'KiB' if result.row.kind.idle else 'µs'})", "title")]
    axis = left + _LABEL
    for position, bar in enumerate(found):
        drawn += _draw_bar(bar, left, top + _TITLE + position * _LINE, _BAR / most)
    bottom = top + _TITLE + len(found) * _LINE
    drawn.append(f'<line class="axis" x1="{axis}" y1="{top + _TITLE - 2}" x2="{axis}" y2="{bottom}"/>')
    return drawn


def _draw_bar(bar: Bar, left: int, top: int, pixels: float) -> list[str]:
    ours = "ours " if bar.name == OURS else ""
    axis = left + _LABEL
    first = min(bar.first * pixels, _BAR)
    second = min(bar.length * pixels, _BAR) - first
    drawn = [
        _text(axis - 8, top + 12, bar.name, "ours-name" if ours else "", anchor="end"),
        _box(axis, top, first, f"{ours}user"),
        _box(axis + first, top, second, f"{ours}system"),
    ]
    if bar.length * pixels > _BAR * 1.001:
        cut = axis + _BAR * 0.9
        drawn.append(f'<line class="cut" x1="{cut - 4:.1f}" y1="{top + 16}" x2="{cut + 4:.1f}" y2="{top}"/>')
    drawn.append(_text(axis + first + second + 6, top + 12, number(bar.length), "ours-name" if ours else ""))
    return drawn


def _box(x: float, y: float, width: float, style: str) -> str:
    return f'<rect class="{style}" x="{x:.1f}" y="{y + 1}" width="{width:.1f}" height="14"/>'


def _text(x: float, y: float, words: str, style: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'
