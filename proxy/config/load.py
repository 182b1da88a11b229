"""A file becomes a configuration, or everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from proxy import limits
from proxy.config import problem
from proxy.config.address import looks_like_address
from proxy.config.document import Tree, scalar_value
from proxy.config.interpolate import interpolate
from proxy.config.memory import collector_paused
from proxy.config.model import Config
from proxy.config.problem import ConfigError, Position, Problem
from proxy.config.references import check_references
from proxy.config.routes import Route
from proxy.config.translate import note_errors
from proxy.config.upstreams import Server, Upstream


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of reading a configuration.

    @ivar config: the configuration, None where any of `problems` is an error.
    @ivar problems: in the order of the file.
    """

    config: Config | None
    problems: tuple[Problem, ...]
    tree: Tree

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(found for found in self.problems if found.severity == "error")

    def position(self, path: problem.Path) -> Position:
        """Where the value at `path`, such as `("routes", 3)`, is written: the nearest place that is."""
        return self.tree.position(path)

    def require(self) -> Config:
        """The configuration.

        @raise ConfigError: where there is none.
        """
        if self.config is None:
            raise ConfigError(self.problems)
        return self.config


def load(path: str | Path, environ: Mapping[str, str]) -> Loaded:
    """Read the configuration in the file at `path`; nothing a user may get wrong raises.

    @param environ: what `${NAME}` refers to.
    """
    name = str(path)
    try:
        with Path(path).open("rb") as file:
            data = file.read(limits.CONFIG_FILE_BYTES + 1)
    except OSError as error:
        return _unreadable(name, f"cannot be read: {error.strerror}", "")
    if len(data) > limits.CONFIG_FILE_BYTES:
        return _unreadable(name, f"is larger than {limits.CONFIG_FILE_BYTES // limits.MIB} MiB", "")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _unreadable(name, f"is not UTF-8 text (line {line})", "save it as UTF-8")
    return load_text(text, name, environ)


def _unreadable(name: str, message: str, hint: str) -> Loaded:
    return Loaded(None, (Problem("error", "file", f"the file {message}", name, hint=hint),), Tree())


def load_text(text: str, name: str, environ: Mapping[str, str]) -> Loaded:
    """The same for `text`, which messages call `name`; relative paths in it start beside a file of that name."""
    with collector_paused():
        return _load(text, name, environ)


def _load(text: str, name: str, environ: Mapping[str, str]) -> Loaded:
    tree = Tree()
    tree.root = tree.compose(text, name)
    config = None
    if tree.root is not None:
        config = _validate(tree, _data(tree, tree.root, environ))
    found = sorted(tree.problems, key=lambda one: (one.file != name, one.file, one.line, one.column))
    if any(one.severity == "error" for one in found):
        config = None
    return Loaded(config, tuple(found), tree)


def _data(tree: Tree, root: yaml.Node, environ: Mapping[str, str]) -> Any:
    def scalar(node: yaml.ScalarNode) -> object:
        text: str = node.value
        if "${" not in text:
            return scalar_value(node, text)
        done = interpolate(text, environ, Path(node.start_mark.name).parent)
        quoted = 0 if node.end_mark.column - node.start_mark.column == len(text) else 1
        for fault in done.faults:
            offset = fault.offset + quoted if node.start_mark.line == node.end_mark.line else 0
            tree.add(fault.code, fault.message, node.start_mark, node.end_mark, fault.hint, offset=offset)
        return scalar_value(node, done.text) if done.text else ""

    return tree.plain(root, scalar)


def _validate(tree: Tree, data: Any) -> Config | None:
    if data is None and tree.problems:
        return None
    if isinstance(data, dict):
        check_references(tree, data)
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        note_errors(tree, error, Config)
        return None
    return None if tree.problems else _finish(tree, config)


def _finish(tree: Tree, config: Config) -> Config:
    """`config` with what was left implicit spelled out: pools of one, paths beside the file that names them."""
    upstreams = dict(config.upstreams)
    routes: list[Route] = []
    for place, route in enumerate(config.routes):
        if route.upstream is not None and route.upstream not in upstreams and looks_like_address(route.upstream):
            upstreams[route.upstream] = Upstream(servers=(Server.model_validate({"url": route.upstream}),))
        if route.static is not None:
            where = Path(tree.position(("routes", place, "static")).file).parent
            static = route.static.model_copy(update={"root": str(where / route.static.root)})
            route = route.model_copy(update={"static": static})
        routes.append(route)
    changes: dict[str, Any] = {"upstreams": upstreams, "routes": tuple(routes)}
    return config.model_copy(update=changes)
