"""Regular expressions that may take exponential time: a repetition inside a repetition, such as `(a+)+`."""

from __future__ import annotations

import re

_PIECE = re.compile(
    r"""
      \\.                                  # an escape
    | \[\^?\]?(?:\\.|[^\]\\])*\]           # a set
    | (?P<open>\((?:\?(?:P<\w+>|[:=!>]|<[=!]|[aiLmsux-]+:))?)
    | (?P<close>\))
    | (?P<many>[*+](?!\+)|\{\d*,\}(?!\+))  # unbounded, and not possessive
    | .
    """,
    re.VERBOSE | re.DOTALL,
)


def may_explode(pattern: str) -> bool:
    """Whether `pattern` repeats, without bound, a group that ends in an unbounded repetition or begins with one.

    A group whose repetition is fenced on both sides by something else, such as `(/[a-z]+)*`, is safe where the fence
    cannot be part of the repetition; that is taken for granted here: a warning that is often wrong is not read.
    """
    groups: list[_Group] = [_Group()]
    closed: _Group | None = None
    for match in _PIECE.finditer(pattern):
        if match["open"]:
            groups.append(_Group())
            closed = None
        elif match["close"] and len(groups) > 1:
            closed = groups.pop()
            groups[-1].piece()
        elif match["many"]:
            if closed is not None and closed.is_open_ended():
                return True
            groups[-1].repeat()
            closed = None
        else:
            if match.group() == "|":
                groups[-1].branch()
            elif match.group() not in "^$":
                groups[-1].piece()
            closed = None
    return False


class _Group:
    """What is between two parentheses: for each branch, how many pieces it has and which of them repeat."""

    def __init__(self) -> None:
        self.branches: list[list[bool]] = [[]]

    def piece(self) -> None:
        self.branches[-1].append(False)

    def repeat(self) -> None:
        if self.branches[-1]:
            self.branches[-1][-1] = True

    def branch(self) -> None:
        self.branches.append([])

    def is_open_ended(self) -> bool:
        """Whether some branch is nothing but repetitions: two rounds of the group can then share what one takes."""
        return any(branch and all(branch) for branch in self.branches)
