"""How a problem looks."""

from proxy.config.problem import ConfigError, Position, Problem

PROBLEM = Problem(
    "error", "unknown-key", "unknown key `hots`", "x.yaml", 3, 5, "  - hots: a", 4, "did you mean `host`?"
)


def test_text() -> None:
    assert PROBLEM.render().splitlines() == [
        "x.yaml:3:5: error: unknown key `hots`",
        "    3 |   - hots: a",
        "      |     ^^^^",
        "      = did you mean `host`?",
    ]
    assert PROBLEM.position == Position("x.yaml", 3, 5)


def test_a_warning_says_its_code() -> None:
    assert str(Problem("warning", "unused", "words", "x.yaml", 1, 2)) == "x.yaml:1:2: warning: words [unused]"


def test_color_changes_nothing_but_color() -> None:
    import re

    assert re.sub(r"\x1b\[\d+m", "", PROBLEM.render(color=True)) == PROBLEM.render()
    assert "\x1b[" in PROBLEM.render(color=True)


def test_a_problem_of_the_whole_file_has_no_excerpt() -> None:
    assert Problem("error", "file", "cannot be read", "x.yaml").render() == "x.yaml: error: cannot be read"


def test_the_caret_stays_on_the_line() -> None:
    lines = Problem("error", "c", "m", "x", 1, 3, "abc", 99).render().splitlines()
    assert lines[1:] == ["    1 | abc", "      |   ^"]


def test_tabs_keep_the_caret_in_place() -> None:
    assert Problem("error", "c", "m", "x", 1, 3, "\ta b", 1).render().splitlines()[2] == "      | \t ^"


def test_a_very_long_line_is_cut_around_the_fault() -> None:
    lines = Problem("error", "c", "m", "x", 1, 5001, "a" * 5000 + "HERE" + "b" * 5000, 4).render().splitlines()
    assert max(map(len, lines)) < 200
    assert lines[1][lines[2].index("^") :].startswith("HERE")


def test_the_exception_says_it_all() -> None:
    assert str(ConfigError((PROBLEM, PROBLEM))).count("did you mean") == 2


def test_a_line_of_another_file_is_named_with_it() -> None:
    assert Position("x.yaml", 3, 5).seen_from("x.yaml") == "line 3"
    assert Position("x.yaml", 3, 5).seen_from("y.yaml") == "x.yaml:3"
