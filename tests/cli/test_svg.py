"""The graph as SVG: well-formed, nothing outside, nothing on top of anything else."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from proxy.cli.graph import graph_of
from proxy.cli.svg import as_svg
from proxy.config import load, load_text
from tests.support.proxy import ROOT

SVG = "{http://www.w3.org/2000/svg}"
SAMPLES = sorted((ROOT / "config").glob("*.yaml"))


def boxes(svg: str) -> list[tuple[float, float, float, float]]:
    found = ElementTree.fromstring(svg).findall(f"{SVG}g/{SVG}rect")
    x, y, width, height = ([float(box.get(name, "")) for box in found] for name in ("x", "y", "width", "height"))
    return list(zip(x, y, width, height, strict=True))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_boxes_neither_overlap_nor_leave_the_paper(path: Path) -> None:
    svg = as_svg(graph_of(load(path, {})))
    _, _, width, height = map(float, ElementTree.fromstring(svg).get("viewBox", "").split())
    placed = boxes(svg)
    for at, (x, y, w, h) in enumerate(placed):
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
        for other_x, other_y, other_w, other_h in placed[:at]:
            apart = x + w <= other_x or other_x + other_w <= x or y + h <= other_y or other_y + other_h <= y
            assert apart, (at, path)


def test_texts_are_text_and_long_ones_are_cut() -> None:
    text = f"routes:\n  - {{name: a, path: {{regex: '^/<&\">{'x' * 99}'}}, respond: 204}}\n"
    svg = as_svg(graph_of(load_text(text, "x.yaml", {})))
    root = ElementTree.fromstring(svg)
    words = [element.text or "" for element in root.iter(f"{SVG}text")]
    assert any(word.startswith('any host  ~^/<&">xx') and word.endswith("…") for word in words)


def test_it_is_drawn_for_light_and_for_dark() -> None:
    svg = as_svg(graph_of(load_text("routes: [{respond: 204}]\n", "x.yaml", {})))
    assert "prefers-color-scheme: dark" in svg and "var(" not in svg
