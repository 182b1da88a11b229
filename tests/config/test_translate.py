"""What pydantic noticed, in plain words. The words themselves are in the golden files."""

import pytest

from proxy.config import load_text
from proxy.config.model import Config
from proxy.config.translate import keys_at, near


def test_the_keys_of_every_place() -> None:
    assert "routes" in keys_at(Config, ())
    assert "priority" in keys_at(Config, ("routes", 3))
    assert keys_at(Config, ("routes", 3, "path", 0)) == ("prefix", "exact", "regex")
    assert keys_at(Config, ("upstreams", "anything", "timeouts")) == ("connect", "response_head", "response_idle")
    assert keys_at(Config, ("routes", 0, "headers", "Accept")) == ("exact", "regex", "present")
    assert keys_at(Config, ("nowhere", "at", "all")) == ()
    assert keys_at(Config, ("access_log",)) == ()


@pytest.mark.parametrize(("word", "meant"), [("uptsream", "upstream"), ("Upstream", "upstream"), ("zzz", ""), ("", "")])
def test_what_was_meant(word: str, meant: str) -> None:
    assert near(word, ["upstream", "redirect"]) == meant


def hints(text: str) -> list[str]:
    return [problem.hint for problem in load_text(text, "x.yaml", {}).errors]


def test_a_misspelled_key_is_not_missing_as_well() -> None:
    assert hints("rootes: []\n") == ["did you mean `routes`?"]


def test_a_key_of_another_place_says_which() -> None:
    assert hints("routes: [{respond: 204, timeouts: {keep_alive: 1s}}]\n") == ["only the general `timeouts:` has it"]


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("'7'", "remove the quotes"),
        ("007", "YAML versions disagree whether that is octal: write 7 or 7"),
        ("0b11", "write it in decimal: 3"),
        ("0xfg", ""),
        ("1,000", "write 1000"),
        ("many", ""),
    ],
)
def test_numbers_that_are_none(written: str, hint: str) -> None:
    assert hints(f"routes: []\nlimits:\n  fields: {written}\n") == [hint]


def test_a_fault_inside_a_quoted_value_has_its_column() -> None:
    [problem] = load_text("routes:\n  - {path: '/a?b', respond: 204}\n", "x.yaml", {}).errors
    assert problem.source[problem.column - 1] == "?"


def test_a_fault_inside_an_escaped_value_has_the_column_of_the_value() -> None:
    [problem] = load_text('routes:\n  - {path: "/\\x61?b", respond: 204}\n', "x.yaml", {}).errors
    assert problem.source[problem.column - 1] == '"'
