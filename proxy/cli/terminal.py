"""How commands speak to people: one voice, colors where a terminal understands them, and tables."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Stop(Exception):  # noqa: N818 - it ends a command, which is not always an error
    """A command ends here: `text` goes to the standard error, `code` to whoever started it."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


class Ink:
    """Colors, or the plain text where there are none."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, *styles: str) -> str:
        """`text` in `styles`: bold, dim, red, green, yellow, cyan."""
        if not self.on or not styles:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"


def ink(stream: TextIO | None = None) -> Ink:
    """Colors, if `stream` (the standard output by default) is a terminal and nobody asked for none.

    NO_COLOR: https://no-color.org
    """
    return Ink((stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR"))


def say(text: str) -> None:
    """Write `text` and a line end to the standard output."""
    sys.stdout.write(text + "\n")


def complain(text: str) -> None:
    """Write `text` and a line end to the standard error."""
    sys.stderr.write(text + "\n")


def say_json(value: Any) -> None:
    """Write `value` for programs."""
    import orjson

    say(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode("utf-8"))


def table(rows: Iterable[Sequence[str]], indent: str = "  ") -> list[str]:
    """Lines of `rows`, each column as wide as its widest cell and the last one as long as it likes."""
    cells = [[str(cell) for cell in row] for row in rows]
    columns = max((len(row) for row in cells), default=0)
    widths = [max(len(row[at]) for row in cells if at < len(row)) for at in range(columns)]
    lines = []
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append(f"{indent}{'  '.join(padded)}".rstrip())
    return lines
