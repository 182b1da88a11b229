"""Which regular expressions are warned of."""

import pytest

from proxy.config.regex import may_explode


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(a*)*",
        "^(a+)+$",
        "(a|b+)*",
        "((a+)+)",
        "([a-z]+)*x",
        r"(\d+)*",
        "(?:a+){2,}",
        "(?P<n>a+)+",
        "((a+)*b)",
        "(a+b*)+",
    ],
)
def test_a_repetition_of_nothing_but_repetitions(pattern: str) -> None:
    assert may_explode(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "", "a+", "(a)+", "(ab)+c*", "^(/[a-z]+)*$", "(a+b)+", "(a+)", "(a+){2}", "(a+)?", "(a++)+", "(a+)++",
        r"(\(a+\))*x",
        r"[(a+)+]", r"\(a+\)+", "(?:ab|cd)*", "^/v[0-9]+/(users|items)/[^/]+$", "(", ")", ")+", "[", "[]+]*",
    ],
)  # fmt: skip
def test_what_is_fenced_possessive_or_escaped_is_not(pattern: str) -> None:
    assert not may_explode(pattern)
