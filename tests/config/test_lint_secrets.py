"""Secrets that others can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config import load_text
from proxy.config.problem import Problem

ROUTES = "routes:\n  - respond: {body: '${file:key}'}\n"


def problems(directory: Path, mode: int, text: str = ROUTES) -> tuple[Problem, ...]:
    (directory / "key").write_text("0123456789abcdef\n")
    (directory / "key").chmod(mode)
    return load_text(text, str(directory / "x.yaml"), {}).problems


@pytest.mark.parametrize(("mode", "codes"), [(0o644, ["readable-secret"]), (0o604, ["readable-secret"]), (0o640, [])])
def test_a_file_that_everybody_can_read(tmp_path: Path, mode: int, codes: list[str]) -> None:
    assert [problem.code for problem in problems(tmp_path, mode)] == codes


def test_it_is_told_where_it_is_used_however_deep(tmp_path: Path) -> None:
    gates = "gates:\n  g: [{headers: {response: {add: {X: ['a ${file:key}']}}}}]\n"
    text = gates + "routes:\n  - {respond: 204, gates: [g]}\n"
    [problem] = problems(tmp_path, 0o644, text)
    assert (problem.line, problem.column) == (2, 39)
    assert problem.hint == f"chmod o= {tmp_path / 'key'}"


def test_what_is_mounted_for_a_container_is_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("proxy.config.lint_secrets._MOUNTED", (f"{tmp_path}/",))
    assert problems(tmp_path, 0o644) == ()


def test_a_plain_dollar_is_no_secret(tmp_path: Path) -> None:
    text = "routes:\n  - respond: {body: '$${file:nowhere}', headers: {X: '${file:key}'}}\n"
    assert len(problems(tmp_path, 0o644, text)) == 1
