"""How commands speak to people."""

from __future__ import annotations

import io

import pytest

from proxy.cli.terminal import Ink, ink, say_json, table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colors_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert ink(Terminal()).on
    assert not ink(io.StringIO()).on
    monkeypatch.setenv("NO_COLOR", "1")
    assert not ink(Terminal()).on


def test_ink() -> None:
    assert Ink(True)("a", "bold", "red") == "\x1b[1;31ma\x1b[0m"
    assert Ink(True)("a") == Ink(False)("a", "bold") == "a"


def test_a_table_is_as_wide_as_it_must_be() -> None:
    assert table([("a", "b", "c"), ("long", "", "d"), ("e",)], "> ") == ["> a     b  c", "> long     d", "> e"]
    assert table([]) == []


def test_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"a": "é"})
    assert capsys.readouterr().out == '{\n  "a": "é"\n}\n'
