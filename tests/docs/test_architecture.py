"""The drawings of docs/architecture.md are those of the code."""

from __future__ import annotations

import ast
import importlib
import re
from enum import Enum
from pathlib import Path

import pytest

import proxy
from proxy.wire.tunnel import TRANSITIONS, TunnelEvent, TunnelState
from tests.support.proxy import ROOT
from tests.test_structure import tracked

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
DOCS = sorted(path for path in (*(ROOT / "docs").glob("*.md"), ROOT / "README.md"))
STATES = re.findall(r"<!-- states: (\S+) -->", PAGE)


def rows(marker: str) -> list[list[str]]:
    """The cells of the table behind a marker, less its head."""
    table = PAGE.split(f"<!-- {marker} -->\n\n", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def drawn(marker: str) -> set[str]:
    """The states of the diagram that follows a marker, if the next section is not reached before."""
    section = PAGE.split(f"<!-- {marker} -->", 1)[1].split("\n### ", 1)[0]
    diagram = re.search(r"```mermaid\nstateDiagram-v2\n(.*?)```", section, re.DOTALL)
    return set(re.findall(r"\b[A-Z]{2,}\b(?= -->|:|$)", diagram[1], re.MULTILINE)) if diagram else set()


@pytest.mark.parametrize("place", STATES)
def test_the_states_on_the_page_are_those_of_the_code(place: str) -> None:
    module, name = place.rsplit(".", 1)
    states: type[Enum] = getattr(importlib.import_module(module), name)
    assert [row[0] for row in rows(f"states: {place}")] == [state.name for state in states]
    assert drawn(f"states: {place}") in (set(), {state.name for state in states})


def test_every_state_machine_is_on_the_page() -> None:
    found = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts) + ".State"
        for path in tracked()
        if path.suffix == ".py" and ROOT / "proxy" in path.parents
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ClassDef) and node.name == "State"
    }
    assert found == set(STATES), "give it a table in docs/architecture.md, behind a line <!-- states: ... -->"


def test_the_table_of_half_closes_is_that_of_the_code() -> None:
    events = (TunnelEvent.CLIENT_EOF, TunnelEvent.SERVER_EOF, TunnelEvent.LOST)
    expected = [
        [state.name, *(TRANSITIONS[state, event].name if (state, event) in TRANSITIONS else "-" for event in events)]
        for state in TunnelState
    ]
    assert rows("transitions: proxy.wire.tunnel") == expected


# --- the map ----------------------------------------------------------------------------------------------------


def test_the_map_is_short_and_names_what_is_there() -> None:
    text = proxy.__doc__ or ""
    assert len(text.splitlines()) <= 40
    named = re.findall(r"[a-z_]+/[a-z_]+\.py|[a-z_]+/(?=\s|$)|(?<![\w/])[a-z_]+\.py", text)
    missing = [name for name in named if not (ROOT / "proxy" / name).exists()]
    assert not missing


def test_every_room_is_on_the_map() -> None:
    text = proxy.__doc__ or ""
    package = ROOT / "proxy"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    assert {room for room in rooms if f"{room}/" not in text} == set()


# --- links ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    assert {link for link in links if not (page.parent / link).exists()} == set()


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    named = set(re.findall(r"`((?:proxy|tests|config|docs)/[\w/.]+\.\w+)`", page.read_text("utf-8")))
    assert {name for name in named if not (ROOT / name).exists()} == set()
