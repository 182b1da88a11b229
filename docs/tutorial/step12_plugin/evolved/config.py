"""The file of wishes: read, checked, and turned into one frozen value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

import yaml

from evolved.routing import Route, split_prefix

SERVER = re.compile(r"[A-Za-z0-9._-]+:[0-9]{1,5}")


@dataclass(frozen=True)
class Config:
    """What the file asks for, checked: nothing behind this needs to look at YAML again."""

    listen: str
    timeout: float
    upstreams: dict[str, tuple[str, ...]]
    routes: tuple[Route, ...]


class ConfigError(Exception):
    """All that is wrong with a file, a line `FILE:LINE:COLUMN: error: ...` for each."""


class ConfigReader:
    """Turns YAML nodes, which know their position, into values; collects what is wrong on the way."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.problems: list[str] = []

    def problem(self, mark: yaml.Mark, text: str) -> None:
        self.problems.append(f"{self._name}:{mark.line + 1}:{mark.column + 1}: error: {text}")

    def mapping(self, node: yaml.Node, known: set[str] | None) -> dict[str, yaml.Node]:
        """The entries of a mapping; `known` keys only, or any if None."""
        if not isinstance(node, yaml.MappingNode):
            self.problem(node.start_mark, "expected a mapping")
            return {}
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = self.text(key)
            if name in entries:
                self.problem(key.start_mark, f"{name!r} is given twice")
            elif known is not None and name not in known:
                hint = "".join(f"; did you mean {match!r}?" for match in get_close_matches(name, known, 1))
                self.problem(key.start_mark, f"unknown key {name!r}{hint}")
            else:
                entries[name] = value
        return entries

    def items(self, node: yaml.Node) -> Iterator[yaml.Node]:
        if isinstance(node, yaml.SequenceNode):
            yield from node.value
        else:
            self.problem(node.start_mark, "expected a list")

    def text(self, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self.problem(node.start_mark, "expected a single value")
        return ""

    def seconds(self, node: yaml.Node) -> float:
        text = self.text(node)
        if re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", text) and float(text) > 0:
            return float(text)
        self.problem(node.start_mark, f"expected a number of seconds, found {text!r}")
        return 1.0

    def servers(self, node: yaml.Node) -> tuple[str, ...]:
        nodes = list(self.items(node))
        if not nodes:
            self.problem(node.start_mark, "an upstream needs at least one server")
        for item in nodes:
            if not SERVER.fullmatch(self.text(item)):
                self.problem(item.start_mark, "expected HOST:PORT")
        return tuple(self.text(item) for item in nodes)

    def route(self, node: yaml.Node, upstreams: dict[str, tuple[str, ...]]) -> Route:
        entries = self.mapping(node, {"host", "path", "upstream"})
        if "upstream" not in entries:
            self.problem(node.start_mark, "a route needs an 'upstream'")
        name = self.text(entries["upstream"]) if "upstream" in entries else ""
        if "upstream" in entries and name not in upstreams:
            self.problem(entries["upstream"].start_mark, f"there is no upstream {name!r}")
        host = self.text(entries["host"]).lower() if "host" in entries else None
        path = self.text(entries["path"]) if "path" in entries else "/"
        if not path.startswith("/"):
            self.problem(entries["path"].start_mark, "a path begins with '/'")
        return Route(host, split_prefix(path), name)


def read_config(text: str, name: str) -> Config:
    """The configuration in `text`; raises `ConfigError` with every problem there is in it."""
    reader = ConfigReader(name)
    try:
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or yaml.Mark(name, 0, 0, 0, None, 0)
        reader.problem(mark, str(error.problem))
        raise ConfigError("\n".join(reader.problems)) from error
    if document is None:
        raise ConfigError(f"{name}:1:1: error: the file is empty")
    entries = reader.mapping(document, {"listen", "timeout", "upstreams", "routes"})
    for key in ("listen", "upstreams", "routes"):
        if key not in entries:
            reader.problem(document.start_mark, f"{key!r} is missing")
    pools = reader.mapping(entries["upstreams"], None) if "upstreams" in entries else {}
    upstreams = {pool: reader.servers(node) for pool, node in pools.items()}
    nodes = list(reader.items(entries["routes"])) if "routes" in entries else []
    routes = tuple(reader.route(node, upstreams) for node in nodes)
    timeout = reader.seconds(entries["timeout"]) if "timeout" in entries else 30.0
    listen = reader.text(entries["listen"]) if "listen" in entries else ""
    if reader.problems:
        raise ConfigError("\n".join(reader.problems))
    return Config(listen, timeout, upstreams, routes)
