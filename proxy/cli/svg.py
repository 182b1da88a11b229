"""The graph of a configuration as SVG: five columns, one row for each route, light or dark as the reader likes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape

from proxy.cli.graph import Graph, Pool, Way

# Pixels. A character of the monospaced font is 0.6 em wide: so the boxes fit without asking any font.
_LARGE, _SMALL = 13.0, 11.0
_EM = 0.602
_ROW, _GAP, _BOX, _CHIP = 52.0, 12.0, 40.0, 24.0
_PADDING, _MARGIN, _BETWEEN, _CROSSING, _HEAD = 12.0, 28.0, 64.0, 140.0, 64.0
_MOST_CHARACTERS = 44
_COLUMNS = ("listeners", "routes", "gates", "targets", "servers")

# Fill and stroke of each kind of box, on light paper and on dark. No CSS variables: not every viewer knows them.
_COLORS = {
    "listener": (("#e3f2ea", "#3f9a6b"), ("#173527", "#4fb380")),
    "route": (("#e6effb", "#3b76c4"), ("#172b45", "#5f9be6")),
    "gate": (("#fdf1dc", "#c98a1b"), ("#3a2c11", "#d9a03c")),
    "upstream": (("#efe8fa", "#7a55b8"), ("#2a2142", "#9d7ade")),
    "answer": (("#e1f3f6", "#2f8fa3"), ("#12343b", "#48b4c9")),
    "server": (("#eef1f4", "#8895a3"), ("#232a31", "#75828f")),
}
_PAPER, _INK = ("#ffffff", "#14181d"), ("#1f2933", "#e6ebf0")
_QUIET, _LINE = ("#66727f", "#93a0ad"), ("#b8c2cc", "#46515d")


def _style() -> str:
    def colors(shade: int) -> str:
        boxes = " ".join(
            f".{kind} {{ fill: {shades[shade][0]}; stroke: {shades[shade][1]}; }}" for kind, shades in _COLORS.items()
        )
        return (
            f".paper {{ fill: {_PAPER[shade]}; }} text {{ fill: {_INK[shade]}; }} "
            f".words, .column, .share {{ fill: {_QUIET[shade]}; }} .edge {{ stroke: {_LINE[shade]}; }} "
            f".share {{ stroke: {_PAPER[shade]}; }} {boxes}"
        )

    return f"""
  text {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }}
  .name {{ font-size: 13px; font-weight: 600; }} .words, .share {{ font-size: 11px; }}
  .share {{ paint-order: stroke; stroke-width: 5; }}
  .column {{ font-size: 11px; letter-spacing: 1.3px; }}
  .edge {{ fill: none; stroke-width: 1.5; }} rect {{ stroke-width: 1.25; }} .unused {{ stroke-dasharray: 4 3; }}
  {colors(0)}
  @media (prefers-color-scheme: dark) {{ {colors(1)} }}
"""


class _Box(NamedTuple):
    """Something with a place: its left edge, its middle, and its size."""

    x: float
    middle: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width


def as_svg(drawn: Graph) -> str:
    """The graph as one SVG file that needs nothing else."""
    return _Drawing(drawn).text()


class _Drawing:
    """Places first, then paints: edges below boxes."""

    def __init__(self, drawn: Graph) -> None:
        self._drawn = drawn
        self._edges: list[str] = []
        self._boxes: list[str] = []
        used = dict.fromkeys(pool for way in drawn.ways for pool, _ in way.targets)
        self._pools = [*used, *drawn.unused]
        widths = (
            max((max(_width(one.endpoint), _width(one.words, _SMALL)) for one in drawn.entries), default=0.0),
            max((max(_width(way.name), _width(way.takes, _SMALL)) for way in drawn.ways), default=0.0),
            max((_chips(way) for way in drawn.ways), default=0.0),
            max((max(_width(pool.name), _width(_words(pool), _SMALL)) for pool in self._pools), default=0.0),
            max((_width(server, _SMALL) for pool in self._pools for server in pool.servers), default=0.0),
        )
        self._columns: list[tuple[float, float]] = []
        x = _MARGIN
        for name, width in zip(_COLUMNS, widths, strict=True):
            self._columns.append((x, width))
            x += width + (_CROSSING if name == "gates" else _BETWEEN) if width else 0.0
        self._right = x - _BETWEEN + _MARGIN

    def text(self) -> str:
        rows = [_HEAD + _ROW * at + _BOX / 2 for at in range(len(self._drawn.ways))]
        ends = [self._way(way, middle) for way, middle in zip(self._drawn.ways, rows, strict=True)]
        bottom = max(self._targets(rows, ends), rows[-1] + _BOX / 2 if rows else _HEAD)
        self._listeners(rows)
        height, width = bottom + _MARGIN, self._right
        heads = [
            f'<text class="column" x="{x:.0f}" y="{_MARGIN + 8:.0f}">{name.upper()}</text>'
            for name, (x, column) in zip(_COLUMNS, self._columns, strict=True)
            if column
        ]
        return "\n".join(
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
                f'width="{width:.0f}" height="{height:.0f}" role="img">',
                "<title>Listeners, routes, gates, targets and servers</title>",
                f"<style>{_style()}</style>",
                '<rect class="paper" width="100%" height="100%"/>',
                *heads, *self._edges, *self._boxes,
                "</svg>",
            )
        )  # fmt: skip

    def _way(self, way: Way, middle: float) -> _Box:
        """Draw a route and its gates; what its edges to targets begin at."""
        x, width = self._columns[1]
        last = self._box("route", _Box(x, middle, width, _BOX), way.name, way.takes, way.position)
        at = self._columns[2][0]
        for gate in way.gates:
            width = _width(gate, _SMALL)
            chip = self._box("gate", _Box(at, middle, width, _CHIP), "", gate, gate)
            self._edge(last, chip)
            last, at = chip, at + width + _GAP
        # Straight on to the end of the column: no line passes behind the gates of another route.
        x, width = self._columns[2]
        end = _Box(x + width, middle, 0, 0)
        if width and end.x > last.right:
            self._edge(last, end)
            return end
        return last

    def _targets(self, rows: list[float], ends: list[_Box]) -> float:
        """Draw pools and servers, each as near to the middle of its routes as there is room, those that no route leads
        to below all others; the lowest edge."""
        users: dict[Pool, list[tuple[int, str]]] = {}
        for at, way in enumerate(self._drawn.ways):
            for pool, share in way.targets:
                users.setdefault(pool, []).append((at, share))
        middles = {pool: sum(rows[at] for at, _ in ways) / len(ways) for pool, ways in users.items()}
        wanted = sorted(self._pools, key=lambda pool: middles.get(pool, math.inf))
        top = _HEAD
        x, width = self._columns[3]
        for pool in wanted:
            height = max(_BOX, len(pool.servers) * (_CHIP + _GAP / 2) - _GAP / 2)
            middle = max(top + height / 2, middles.get(pool, 0.0))
            kind = pool.kind if pool.kind == "upstream" else "answer"
            kind += "" if pool in users else " unused"
            box = self._box(kind, _Box(x, middle, width, _BOX), pool.name, _words(pool), f"{pool.kind} {pool.name}")
            for at, share in users.get(pool, ()):
                self._edge(ends[at], box, share)
            self._servers(pool, box, middle - height / 2)
            top = middle + height / 2 + _GAP
        return top - _GAP

    def _servers(self, pool: Pool, box: _Box, top: float) -> None:
        x, width = self._columns[4]
        # A single server stands beside its pool, not above its middle.
        top = box.middle - _CHIP / 2 if len(pool.servers) == 1 else top
        for at, server in enumerate(pool.servers):
            middle = top + at * (_CHIP + _GAP / 2) + _CHIP / 2
            self._edge(box, self._box("server", _Box(x, middle, width, _CHIP), "", server, server))

    def _listeners(self, rows: list[float]) -> None:
        x, width = self._columns[0]
        middle = (rows[0] + rows[-1]) / 2 if rows else _HEAD
        top = max(_HEAD + _BOX / 2, middle - _ROW * (len(self._drawn.entries) - 1) / 2)
        boxes = []
        for at, entry in enumerate(self._drawn.entries):
            place = _Box(x, top + at * _ROW, width, _BOX if entry.words else _CHIP + 4)
            box = self._box("listener", place, entry.endpoint, entry.words, entry.endpoint)
            boxes += [box] if entry.serves else []
        if not boxes:
            return
        # Every listener that serves leads to every route: where there are several, they meet in one point first.
        meeting = _Box(x + width + _BETWEEN / 2, (boxes[0].middle + boxes[-1].middle) / 2, 0, 0)
        for box in boxes[1:] and boxes:
            self._edge(box, meeting)
        for row in rows:
            self._edge(boxes[0] if len(boxes) == 1 else meeting, _Box(self._columns[1][0], row, 0, 0))

    def _edge(self, start: _Box, end: _Box, share: str = "") -> None:
        bend = (end.x - start.right) / 2
        self._edges.append(
            f'<path class="edge" d="M{start.right:.1f} {start.middle:.1f} C{start.right + bend:.1f} {start.middle:.1f} '
            f'{end.x - bend:.1f} {end.middle:.1f} {end.x:.1f} {end.middle:.1f}"/>'
        )
        if share:
            x, y = end.x - 10, end.middle + (-6 if start.middle <= end.middle else 14)
            self._boxes.append(f'<text class="share" text-anchor="end" x="{x:.1f}" y="{y:.1f}">{escape(share)}</text>')

    def _box(self, kind: str, box: _Box, name: str, words: str, hint: str) -> _Box:
        top = box.middle - box.height / 2
        lines = [*_lines(box, name, words)]
        self._boxes.append(
            f'<g><title>{escape(hint)}</title><rect class="{kind}" x="{box.x:.1f}" y="{top:.1f}" '
            f'width="{box.width:.1f}" height="{box.height:.1f}" rx="6"/>{"".join(lines)}</g>'
        )
        return box


def _lines(box: _Box, name: str, words: str) -> Iterator[str]:
    """The text in a box: a name, words below it, or one of them alone."""
    x = box.x + _PADDING
    if name:
        y = box.middle - 3.5 if words else box.middle + 4.5
        yield f'<text class="name" x="{x:.1f}" y="{y:.1f}">{escape(_cut(name))}</text>'
    if words:
        y = box.middle + 12.5 if name else box.middle + 4.0
        yield f'<text class="words" x="{x:.1f}" y="{y:.1f}" xml:space="preserve">{escape(_cut(words))}</text>'


def _words(pool: Pool) -> str:
    return pool.words if pool.kind == "upstream" else f"{pool.kind} {pool.words}".strip()


def _chips(way: Way) -> float:
    return sum(_width(gate, _SMALL) + _GAP for gate in way.gates) - (_GAP if way.gates else 0.0)


def _width(text: str, size: float = _LARGE) -> float:
    return len(_cut(text)) * size * _EM + 2 * _PADDING


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
