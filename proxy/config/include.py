"""`include:` makes one configuration of several files, node by node, so that every value keeps its place."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

import yaml

from proxy import limits
from proxy.config.document import Tree
from proxy.config.files import read_file
from proxy.config.lines import end_of, lines_of
from proxy.config.model import Config
from proxy.config.problem import Problem
from proxy.config.translate import near

#: What an included file may hold; all else is said once, in the main file.
SHARED_KEYS = ("upstreams", "gates", "routes", "tests", "include")
_LISTS = ("routes", "tests")
_SUFFIXES = (".yaml", ".yml")


def read_text(path: Path) -> str | Problem:
    """The text of a configuration file, or why it cannot be had."""
    data = read_file(path, limits.CONFIG_FILE_BYTES)
    if isinstance(data, str):
        return _unreadable(path, data)
    data = data.removeprefix(BOM_UTF8)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line, column = end_of(data[: error.start].decode())
        source = lines_of(data.decode("utf-8", "replace"))[line]
        message, hint = "the file is not UTF-8 text", "save it as UTF-8"
        return Problem("error", "file", message, str(path), line + 1, column + 1, source, hint=hint)


def _unreadable(path: Path, message: str, hint: str = "") -> Problem:
    return Problem("error", "file", f"the file {message}", str(path), hint=hint)


def with_includes(tree: Tree, root: yaml.Node) -> yaml.Node:
    """`root` and everything it includes, as one node."""
    if not isinstance(root, yaml.MappingNode) or "include" not in tree.pairs(root):
        return root
    parts = [root, *_included(tree, root, (Path(root.start_mark.name).resolve(),))]
    return _joined(tree, parts)


def _included(tree: Tree, node: yaml.MappingNode, above: tuple[Path, ...]) -> Iterator[yaml.MappingNode]:
    """The roots of all files that `node` includes, and of those that they include."""
    value = tree.pairs(node).get("include", (None, None))[1]
    items = value.value if isinstance(value, yaml.SequenceNode) else [value]
    for item in items:
        if not isinstance(item, yaml.ScalarNode):
            continue  # the model says what is wrong with it
        for path in _files(tree, item):
            part = _file(tree, item, path, above)
            if part is not None:
                yield part
                yield from _included(tree, part, (*above, path.resolve()))


def _files(tree: Tree, item: yaml.ScalarNode) -> list[Path]:
    path = Path(item.start_mark.name).parent / item.value
    if not path.is_dir():
        return [path]
    tree.sought.add(str(path))
    try:
        # Names that begin with a dot are editors' leftovers, and the links that Kubernetes swaps.
        return sorted(one for one in path.iterdir() if one.suffix in _SUFFIXES and not one.name.startswith("."))
    except OSError as error:
        tree.add("include", f"cannot list `{path}`: {error.strerror}", item.start_mark, item.end_mark)
        return []


def _file(tree: Tree, item: yaml.ScalarNode, path: Path, above: tuple[Path, ...]) -> yaml.MappingNode | None:
    if path.resolve() in above:
        tree.add("include", f"`{path}` includes itself", item.start_mark, item.end_mark)
        return None
    if str(path) in tree.texts:
        tree.add("include", f"`{path}` is included twice", item.start_mark, item.end_mark, "include it once")
        return None
    text = read_text(path)
    if isinstance(text, Problem):
        tree.sought.add(str(path))
        if text.line:
            tree.note(text)
            return None
        hint = "include a directory to take all its files" if "*" in item.value else ""
        tree.add("include", f"`{path}`: {text.message}", item.start_mark, item.end_mark, hint or text.hint)
        return None
    node = tree.compose(text, str(path), may_be_empty=True)
    if node is None:
        return None
    if not isinstance(node, yaml.MappingNode):
        tree.add("type", "a configuration must be a mapping", node.start_mark)
        return None
    return _checked(tree, node)


def _checked(tree: Tree, node: yaml.MappingNode) -> yaml.MappingNode:
    """`node` without what an included file may not hold."""
    kept: list[tuple[yaml.Node, yaml.Node]] = []
    for name, (key, value) in tree.pairs(node).items():
        wanted = yaml.SequenceNode if name in _LISTS else yaml.MappingNode
        if name not in SHARED_KEYS:
            hint = f"an included file may have {', '.join(SHARED_KEYS)}"
            if name in Config.model_fields:
                tree.add("include", f"`{name}` belongs in the main file", key.start_mark, key.end_mark, hint)
            else:
                meant = near(name, SHARED_KEYS)
                hint = f"did you mean `{meant}`?" if meant else hint
                tree.add("unknown-key", f"unknown key `{name}`", key.start_mark, key.end_mark, hint)
        elif name != "include" and not isinstance(value, wanted):
            what = "a list" if name in _LISTS else "a mapping"
            tree.add("type", f"`{name}` must be {what}", value.start_mark, value.end_mark)
        else:
            kept.append((key, value))
    return yaml.MappingNode(node.tag, kept, node.start_mark, node.end_mark)


def _joined(tree: Tree, parts: list[yaml.MappingNode]) -> yaml.MappingNode:
    """One mapping of all parts: lists one after the other, mappings side by side."""
    main = parts[0]
    joined = dict(tree.pairs(main))
    for part in parts[1:]:
        for name, (key, value) in tree.pairs(part).items():
            if name == "include":
                continue
            if name not in joined:
                joined[name] = key, value
                continue
            first_key, first = joined[name]
            if type(first) is type(value):  # else the model says what is wrong with the first
                both = type(first)(first.tag, [*first.value, *value.value], first.start_mark, first.end_mark)
                joined[name] = first_key, both
    return yaml.MappingNode(main.tag, list(joined.values()), main.start_mark, main.end_mark)
