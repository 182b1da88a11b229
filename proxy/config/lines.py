"""Lines of a file as YAML counts them: it knows more line ends than most programs."""

from __future__ import annotations

import re
from collections.abc import Sequence

# YAML 1.1 section 5.4, which PyYAML follows.
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

#: A line and a column, both counted from 0, as in the marks of PyYAML.
Spot = tuple[int, int]


def lines_of(text: str) -> list[str]:
    """The lines of `text`, without their ends."""
    return _BREAK.split(text)


def end_of(text: str) -> Spot:
    """Where what comes behind `text` stands."""
    lines = lines_of(text)
    return len(lines) - 1, len(lines[-1])


def find(lines: Sequence[str], begin: Spot, end: Spot, wanted: re.Pattern[str], number: int) -> tuple[Spot, int] | None:
    """Where `wanted` is found between two spots for the `number`th time, from 0, and its length; None if not so often.

    Only within lines: what is broken over two is not found.
    """
    for place in range(begin[0], min(end[0] + 1, len(lines))):
        first = begin[1] if place == begin[0] else 0
        last = end[1] if place == end[0] else len(lines[place])
        for match in wanted.finditer(lines[place], first, last):
            if not number:
                return (place, match.start()), len(match.group())
            number -= 1
    return None
