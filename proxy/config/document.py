"""YAML text becomes plain data whose every value knows its line and column.

PyYAML's `load` forgets positions, keeps the last of duplicate keys without a word and reads `yes` as a boolean. So the
text is only composed into nodes, and the walk from nodes to data is ours: plain scalars are null, `true`, `false`,
decimal integers or text, nothing else (the YAML 1.2 core schema without floats, which no value here needs).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import yaml

from proxy import limits
from proxy.config.lines import end_of, find, lines_of
from proxy.config.problem import Path, Position, Problem, Severity
from proxy.config.veil import Secrets

PLAIN = "plain"
_TEXT = "tag:yaml.org,2002:str"
_MAPPING = "tag:yaml.org,2002:map"
_SEQUENCE = "tag:yaml.org,2002:seq"
_KNOWN_TAGS = {PLAIN, _TEXT, _MAPPING, _SEQUENCE}
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")
# What aliases may add to a document, in nodes: far above honest reuse, far below a billion laughs.
_ALIASED_NODES = 100 * limits.CONFIG_ALIASES
_SYNTAX_HINTS = {
    "cannot start any token": "indent with spaces, never with tabs; text that begins with @, ` or % needs quotes",
    "mapping values are not allowed": "text that contains `: ` needs quotes; or the line above is indented wrongly",
    "alphabetic or numeric character": "text that begins with * or & needs quotes, such as '*.example.com'",
    "another document": "one file holds one document: remove the line `---`",
    "undefined alias": "text that begins with * needs quotes: '*.example.com'; an alias needs its &anchor above",
}


class _Stream(io.BytesIO):
    """Bytes with a name: PyYAML copies it into every mark."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


class _OnlyPlain:
    """In place of PyYAML's resolver: whether a scalar is plain is all that the walk needs to know."""

    def resolve(self, kind: type[yaml.Node], value: object, implicit: tuple[bool, bool] | bool | None) -> str:
        if kind is yaml.ScalarNode:
            return PLAIN if isinstance(implicit, tuple) and implicit[0] else _TEXT
        return _MAPPING if kind is yaml.MappingNode else _SEQUENCE

    def descend_resolver(self, parent: object, index: object) -> None:
        """No tag here depends on the path."""

    def ascend_resolver(self) -> None:
        """See `descend_resolver`."""


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_OnlyPlain, _Base):  # type: ignore[misc]  # the base is libyaml's loader where PyYAML was built with it
    """Composes nodes only."""


class Tree:
    """The nodes of one configuration, of one or more files, and the problems found in them.

    @ivar texts: the text of each file, by name.
    @ivar sought: directories that are included, and files that hold values or could not be had.
    @ivar root: the root node, None where there is none to use.
    @ivar unusable: the marks of values that could not be made out, so that nothing more is said about them.
    @ivar secrets: values that nothing may show.
    """

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.sought: set[str] = set()
        self.problems: list[Problem] = []
        self.root: yaml.Node | None = None
        self.secrets = Secrets()
        self.unusable: list[Any] = []
        self._noted: set[Problem] = set()
        self._lines: dict[str, list[str]] = {}
        # Kept alive: once a node is gone, another one may have its id.
        self._nodes: list[yaml.Node] = []
        self._pairs: dict[int, dict[str, tuple[yaml.Node, yaml.Node]]] = {}

    # --- reading --------------------------------------------------------------------------------------------

    def compose(self, text: str, name: str, *, may_be_empty: bool = False) -> yaml.Node | None:
        """The root node of `text`, None (and a problem) where it is not YAML."""
        self.texts[name] = text
        if _may_be_deep(text) and (mark := _too_deep(text, name)) is not None:
            self.add("too-deep", f"more than {limits.CONFIG_DEPTH} levels inside each other", mark)
            return None
        try:
            node: yaml.Node | None = yaml.compose(_Stream(text.encode("utf-8", "replace"), name), Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            self.note(self._syntax(error, name))
            return None
        except yaml.YAMLError as error:
            self.note(self._bad_character(error, text, name))
            return None
        if node is None and not may_be_empty:
            self.note(Problem("error", "empty", "the file is empty", name, hint="it needs at least `routes:`"))
        return node

    def _bad_character(self, error: yaml.YAMLError, text: str, name: str) -> Problem:
        # A ReaderError: it knows an offset, not a line.
        line, column = (one + 1 for one in end_of(text[: getattr(error, "position", 0) or 0]))
        message = f"not YAML: {getattr(error, 'reason', error)}"
        hint = "remove the control character"
        return Problem("error", "yaml-syntax", message, name, line, column, self._line(name, line), hint=hint)

    def _syntax(self, error: yaml.MarkedYAMLError, name: str) -> Problem:
        mark = error.problem_mark or error.context_mark
        said = (error.problem or "not YAML").removeprefix("but ")
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        hint = next((hint for words, hint in _SYNTAX_HINTS.items() if words in said), "")
        if "${" in self._line(name, line) and "did not find expected" in said:
            hint = "in { } and [ ], ${...} needs quotes; what shall be a number goes on a line of its own, without them"
        if not hint and error.context and error.context_mark and error.context_mark.line + 1 != line:
            hint = f"{error.context} that began in line {error.context_mark.line + 1}"
        source = self._line(name, line)
        return Problem("error", "yaml-syntax", f"not YAML: {said}", name, line, column, source, hint=hint)

    def plain(self, node: yaml.Node, scalar: Callable[[yaml.ScalarNode], object]) -> Any:
        """The data of `node`: dicts, lists, text, integers, booleans and None.

        A node that several aliases name is walked once, so its data are shared: nobody may change them.

        @param scalar: gives the value of a scalar node.
        """
        size, data = self._walk(node, scalar, {}, [])
        if any(problem.code == "too-deep" for problem in self.problems):
            return None
        if size > len(self._pairs) + _ALIASED_NODES:
            self.add("too-many-aliases", f"aliases blow this file up to {size} values", node.start_mark)
            return None
        return data

    def _walk(
        self,
        node: yaml.Node,
        scalar: Callable[[yaml.ScalarNode], object],
        done: dict[int, tuple[int, Any]],
        above: list[int],
    ) -> tuple[int, Any]:
        if isinstance(node, yaml.ScalarNode):
            self._check_tag(node)
            return 1, scalar(node)
        key = id(node)
        if key in done:
            return done[key]
        if key in above or len(above) >= limits.CONFIG_DEPTH:
            what = "an alias inside its own anchor" if key in above else "too many levels inside each other"
            self.add("too-deep", what, node.start_mark)
            return 1, None
        self._check_tag(node)
        above.append(key)
        size = 1
        data: Any
        if isinstance(node, yaml.MappingNode):
            data = {}
            for name, (_, value) in self.pairs(node).items():
                inner, data[name] = self._walk(value, scalar, done, above)
                size += inner
        else:
            data = []
            for value in node.value:
                inner, item = self._walk(value, scalar, done, above)
                size += inner
                data.append(item)
        above.pop()
        done[key] = size, data
        return size, data

    def _check_tag(self, node: yaml.Node) -> None:
        if node.tag not in _KNOWN_TAGS:
            self.add("yaml-tag", f"the YAML tag `{node.tag}` is not used here", node.start_mark, hint="remove it")

    def pairs(self, node: yaml.MappingNode) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """The entries of a mapping by key, as (key node, value node), merge keys (`<<`) resolved."""
        found = self._pairs.get(id(node))
        if found is None:
            self._nodes.append(node)
            found = self._pairs[id(node)] = self._entries(node)
        return found

    def _entries(self, node: yaml.MappingNode) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: list[yaml.Node] = []
        for pair in node.value:
            key, value = pair
            if not isinstance(key, yaml.ScalarNode):
                self.add("yaml-key", "a key must be text", key.start_mark)
            elif key.value == "<<" and key.tag == PLAIN:
                merged.extend(value.value if isinstance(value, yaml.SequenceNode) else [value])
            elif key.value in own:
                self._duplicate(key, own[key.value][0].start_mark)
            else:
                own[key.value] = pair
        if not merged:
            return own
        # Reserve the place first: a mapping that merges itself would come back here for ever.
        self._pairs[id(node)] = own
        for source in merged:
            if not isinstance(source, yaml.MappingNode):
                self.add("yaml-merge", "`<<` takes a mapping or a list of mappings", source.start_mark)
                continue
            for name, pair in self.pairs(source).items():
                own.setdefault(name, pair)
        return own

    def _duplicate(self, key: yaml.ScalarNode, first: Any) -> None:
        where = f"line {first.line + 1}, column {first.column + 1}"
        if first.name != key.start_mark.name:
            where = f"{first.name}:{first.line + 1}:{first.column + 1}"
        message = f"the key `{key.value}` is given twice, first in {where}"
        self.add("duplicate-key", message, key.start_mark, key.end_mark, "remove or rename one of them")

    # --- positions ------------------------------------------------------------------------------------------

    def position(self, path: Path, *, key: bool = False) -> Position:
        """Where the value at `path` stands, or the deepest part of `path` that the files contain.

        @param key: ask for the key of the last step instead of its value.
        """
        mark = self.marks(path, key=key)[0]
        return _place(mark) if mark else Position("", 0, 0)

    def marks(self, path: Path, *, key: bool = False) -> tuple[Any, Any]:
        """Where the value at `path` begins and ends, as YAML marks; (None, None) where there is nothing at all."""
        node = self.root
        if node is None:
            return None, None
        named: yaml.Node = node
        for step in path:
            below = self._below(node, step)
            if below is None:
                return (node.start_mark, node.end_mark) if not key else (named.start_mark, named.end_mark)
            named, node = below
        chosen = named if key else node
        return chosen.start_mark, chosen.end_mark

    def _below(self, node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
        if isinstance(node, yaml.MappingNode) and (pair := self.pairs(node).get(str(step))) is not None:
            return pair
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            return node.value[step], node.value[step]
        if isinstance(node, yaml.SequenceNode) and isinstance(step, str):
            return node, node  # a list in short form, such as `split: [a, b]` for `split: {branches: [a, b]}`
        # What may be written without its list (`host: a` for `host: [a]`) is its own first item.
        return (node, node) if step == 0 else None

    def node(self, path: Path) -> yaml.Node | None:
        """The node at `path`, None where there is none. A value in short form is also what it is short for."""
        node = self.root
        for step in path:
            below = self._below(node, step) if node is not None else None
            if below is not None:
                node = below[1]
            elif not isinstance(node, yaml.ScalarNode):
                return None
        return node

    # --- problems -------------------------------------------------------------------------------------------

    def add(
        self,
        code: str,
        message: str,
        start: Any,
        end: Any = None,
        hint: str = "",
        severity: Severity = "error",
        offset: int = 0,
    ) -> None:
        """Note a problem between two YAML marks, `offset` characters into them."""
        self.note(self.problem(code, message, start, end, hint, severity, offset))

    def problem(
        self, code: str, message: str, start: Any, end: Any, hint: str, severity: Severity, offset: int = 0
    ) -> Problem:
        """A problem between two YAML marks, or with the whole configuration where there are none."""
        message, hint = self.secrets.left_out(_place(start) if start is not None else None, message, hint)
        if start is None:
            return Problem(severity, code, message, next(iter(self.texts), ""), hint=hint)
        width = end.column - start.column - offset if end is not None and end.line == start.line else 1
        line, column = start.line + 1, start.column + 1 + offset
        text = self._line(start.name, line)
        return Problem(severity, code, message, start.name, line, column, text, max(1, width), hint)

    def hide(self, mark: Any, secret: str, written: str) -> None:
        """What stands at `mark` is a secret, `written` with a reference."""
        self.secrets.hide(_place(mark), secret, written)

    def add_at(
        self,
        code: str,
        message: str,
        path: Path,
        hint: str = "",
        *,
        key: bool = False,
        severity: Severity = "error",
    ) -> None:
        """Note a problem at `path` (or at the key of its last step)."""
        start, end = self.marks(path, key=key)
        self.add(code, message, start, end, hint, severity)

    def find(self, node: yaml.ScalarNode, wanted: re.Pattern[str], number: int) -> tuple[Any, Any]:
        """The marks around what `wanted` finds in the source of `node` the `number`th time, else those of the node."""
        start, end = node.start_mark, node.end_mark
        block = node.style in ("|", ">")  # what is beside its sign is at most a comment
        begin = (start.line + 1, 0) if block else (start.line, start.column)
        found = find(self._lines_of(start.name), begin, (end.line, end.column), wanted, number)
        if found is None:
            return start, end
        (line, column), width = found
        first, last = (yaml.Mark(start.name, 0, line, column + more, None, 0) for more in (0, width))
        return first, last

    def _line(self, file: str, line: int) -> str:
        lines = self._lines_of(file)
        return lines[line - 1] if 0 < line <= len(lines) else ""

    def _lines_of(self, file: str) -> list[str]:
        lines = self._lines.get(file)
        if lines is None:
            lines = self._lines[file] = lines_of(self.texts.get(file, ""))
        return lines

    def note(self, problem: Problem) -> None:
        """Note a problem, once."""
        if problem not in self._noted:
            self._noted.add(problem)
            self.problems.append(problem)


def scalar_value(node: yaml.ScalarNode, text: str) -> object:
    """What the scalar `node` means once `text` stands in it: null, true, false, an integer, or text."""
    if node.tag != PLAIN:
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.match(text) else text


def _place(mark: Any) -> Position:
    return Position(mark.name, mark.line + 1, mark.column + 1)


def _may_be_deep(text: str) -> bool:
    """Whether `text` could nest deeper than allowed. Cheap, and wrong only on the side of yes."""
    depth = deepest = 0
    for match in re.finditer(r"[\[\]{}]", text):
        if match.group() in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif depth:
            depth -= 1
    indent = max((len(match.group()) for match in re.finditer(r"(?m)^[ \t?:-]+", text)), default=0)
    return deepest + indent > limits.CONFIG_DEPTH


def _too_deep(text: str, name: str) -> Any:
    """The mark where `text` goes too deep, or None.

    Composing recurses in C and overruns the stack at some ten thousand levels; events do not.
    """
    depth = 0
    try:
        for event in yaml.parse(_Stream(text.encode("utf-8", "replace"), name), Loader=_Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > limits.CONFIG_DEPTH:
                    return event.start_mark
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.YAMLError:
        return None  # composing meets the same error, and reports it; what came before it was not too deep
    return None
