"""A file becomes a configuration, or everything that is wrong with it at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from proxy.config import problem
from proxy.config.admin import Admin, switched
from proxy.config.document import Tree, scalar_value
from proxy.config.include import read_text, with_includes
from proxy.config.interpolate import REFERENCE, interpolate
from proxy.config.lint import lint
from proxy.config.memory import collector_paused
from proxy.config.model import Config
from proxy.config.problem import ConfigError, Position, Problem
from proxy.config.references import check_references
from proxy.config.resolve import gate_paths, resolve
from proxy.config.translate import note_errors

# The key `admin` with what stands below it, in a file that is no YAML elsewhere.
_ADMIN = re.compile(r"^admin[ \t]*:.*(?:\n(?:[ \t#].*)?)*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of reading a configuration.

    @ivar config: the configuration, None where any of `problems` is an error.
    @ivar problems: in the order of the file.
    @ivar told_where: the listeners are those of the command line, whatever the file says.
    """

    config: Config | None
    problems: tuple[Problem, ...]
    tree: Tree
    told_where: bool = False

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(found for found in self.problems if found.severity == "error")

    def position(self, path: problem.Path) -> Position:
        """Where the value at `path`, such as `("routes", 3)`, is written: the nearest place that is."""
        return self.tree.position(path)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that were read, the main one first."""
        return tuple(self.tree.texts)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Everything on disk that makes this configuration what it is: these files, directories that are included, and
        files that hold values; those that are missing as well."""
        return (*self.files, *sorted(self.tree.sought))

    @property
    def secrets(self) -> frozenset[str]:
        """Values out of files of their own, and of variables with such names: whoever shows a configuration masks
        them."""
        return frozenset(self.tree.secrets.texts)

    def problem_at(
        self, path: problem.Path, code: str, message: str, hint: str = "", *, key: bool = False, error: bool = False
    ) -> Problem:
        """A problem (a warning, unless it is an error) with what is written at `path`, noticed by somebody else."""
        start, end = self.tree.marks(path, key=key)
        return self.tree.problem(code, message, start, end, hint, "error" if error else "warning")

    def gate_positions(self, place: int) -> tuple[Position, ...]:
        """Where each gate of route `place` is written: in the route, or under the name it uses."""
        return tuple(self.position(path) for path in gate_paths(self.tree, ("routes", place, "gates")))

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
    text = read_text(Path(path))
    if isinstance(text, Problem):
        return Loaded(None, (text,), Tree())
    return load_text(text, str(path), environ)


def load_text(text: str, name: str, environ: Mapping[str, str]) -> Loaded:
    """The same for `text`, which messages call `name`; relative paths in it start beside a file of that name."""
    with collector_paused():
        return _load(text, name, environ)


def _load(text: str, name: str, environ: Mapping[str, str]) -> Loaded:
    tree = Tree()
    root = tree.compose(text, name)
    config = None
    if root is not None:
        tree.root = with_includes(tree, root)
        config = _validate(tree, _data(tree, tree.root, environ))
    if config is not None:
        lint(tree, config)
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
        for fault in done.faults:
            start, end = tree.find(node, REFERENCE, fault.number)
            tree.add(fault.code, fault.message, start, end, fault.hint)
        if done.faults:
            tree.unusable.append(node.start_mark)
        if done.secret:
            tree.hide(node.start_mark, done.text, text)
        tree.sought.update(map(str, done.files))
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
    return None if tree.problems else resolve(tree, config)


def load_admin(path: str | Path, environ: Mapping[str, str]) -> Admin | None:
    """What the file at `path` says of the control site, whatever is wrong with all else in it: the proxy that runs is
    there, and is to be asked about it. None where that cannot be made out, or there is none.
    """
    text = read_text(Path(path))
    if isinstance(text, Problem):
        return None
    tree = Tree()
    root = tree.compose(text, str(path))
    if root is None and (alone := _ADMIN.search(text)) is not None:
        root = tree.compose(alone[0], str(path))
    if not isinstance(root, yaml.MappingNode) or "admin" not in tree.pairs(root):
        return None
    said = switched(_data(tree, tree.pairs(root)["admin"][1], environ))
    for wish in (said, {"listen": said["listen"]} if isinstance(said, dict) and "listen" in said else None):
        try:
            return None if wish is None else Admin.model_validate(wish)
        except ValidationError:
            continue  # without a token that is none, there is still a place
    return None
