"""What is wrong with a configuration, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]

#: The way from the root of a configuration to one value: `("routes", 3, "path", "exact")`.
Path = tuple[str | int, ...]

_RED, _YELLOW, _CYAN, _BOLD, _PLAIN = "\033[31m", "\033[33m", "\033[36m", "\033[1m", "\033[0m"
# A line of somebody's minified file must not fill the screen.
_LINE_CHARACTERS = 160


class Position(NamedTuple):
    """A place in a configuration file. `line` and `column` count characters from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def seen_from(self, file: str) -> str:
        """Its line as a message at some place in `file` calls it: with its own file where that is another one."""
        return f"line {self.line}" if self.file == file else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a configuration.

    @ivar severity: an error keeps the configuration from being used, a warning does not.
    @ivar code: a stable word for this kind of problem, such as `unknown-key`.
    @ivar message: what is wrong, a sentence without a full stop.
    @ivar file, line, column: where, counted from 1; line 0 where it concerns the file as a whole.
    @ivar source: the text of that line, "" where there is none.
    @ivar width: how many characters the caret underlines, at least 1.
    @ivar hint: what to do, "" where the message says it all.
    """

    severity: Severity
    code: str
    message: str
    file: str
    line: int = 0
    column: int = 0
    source: str = ""
    width: int = 1
    hint: str = ""

    @property
    def position(self) -> Position:
        return Position(self.file, self.line, self.column)

    def __str__(self) -> str:
        where = str(self.position) if self.line else self.file
        code = f" [{self.code}]" if self.severity == "warning" else ""
        return f"{where}: {self.severity}: {self.message}{code}"

    def render(self, color: bool = False) -> str:
        """This problem as lines of text, without a line end: what, the source line, a caret, what to do.

        @param color: whether the text is for a terminal that understands ANSI colors.
        """
        first = str(self)
        if color:
            hue = _RED if self.severity == "error" else _YELLOW
            word = f": {self.severity}: "
            where, _, what = first.partition(word)
            first = f"{_BOLD}{where}{_PLAIN}{hue}{word}{_PLAIN}{_BOLD}{what}{_PLAIN}"
        lines = [first]
        if self.source.strip():
            lines += self._excerpt(color)
        if self.hint:
            mark = f"{_CYAN}={_PLAIN}" if color else "="
            lines.append(f"      {mark} {self.hint}")
        return "\n".join(lines)

    def _excerpt(self, color: bool) -> list[str]:
        start = max(0, self.column - 1 - _LINE_CHARACTERS // 2) if len(self.source) > _LINE_CHARACTERS else 0
        shown = self.source[start : start + _LINE_CHARACTERS]
        # Tabs stay tabs in the line of the caret, so that it stands where the terminal puts the column.
        before = "".join("\t" if letter == "\t" else " " for letter in shown[: self.column - 1 - start])
        caret = "^" * max(1, min(self.width, len(shown) - len(before)))
        if color:
            caret = f"{_RED if self.severity == 'error' else _YELLOW}{caret}{_PLAIN}"
        return [f"{self.line:5d} | {shown}".rstrip(), f"      | {before}{caret}"]


class ConfigError(Exception):
    """A configuration that cannot be used, for callers that want an exception.

    @ivar problems: every problem found, warnings included.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(problem.render() for problem in self.problems)
