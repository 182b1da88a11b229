"""Where each value of the effective configuration comes from: a place in a file, or nowhere, which is the default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from proxy.admin.effective import is_list, is_secret, scalar
from proxy.config import Config, Loaded, Position
from proxy.config.document import Tree
from proxy.config.problem import Path
from proxy.config.resolve import gate_paths
from proxy.config.values import Duration, LongDuration, PositiveDuration, Size
from proxy.config.veil import Veil
from proxy.routing import named

_REFERENCE = re.compile(r"(?<!\$)\$\{([^{}:]+|file:[^{}]+)(?::-[^{}]*)?\}")
_UNITS = {"s": (Duration, LongDuration, PositiveDuration), "B": (Size,)}

Nodes = tuple[yaml.Node, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """One value, and where it is from.

    @ivar value: a JSON scalar; or the values inside, as a dict or a list of these.
    @ivar origin: where it is written; None for a default.
    @ivar through: the references that it came through, such as `${API_1}`; "" for none.
    @ivar unit: `s` for seconds, `B` for bytes, "" for neither.
    """

    value: Any
    origin: Position | None
    through: str = ""
    unit: str = ""

    def __str__(self) -> str:
        """The origin in words."""
        if self.origin is None:
            return "default"
        return f"{self.origin} {self.through}".rstrip()


def tell(loaded: Loaded) -> dict[str, Told]:
    """Every key of the configuration in force, secrets masked."""
    return _Teller(loaded).config(loaded.require())


def written(tree: Tree, path: Path) -> Position | None:
    """Where exactly the value at `path` is written, None where it is not."""
    node = tree.root
    for step in path:
        if isinstance(node, yaml.MappingNode):
            node = tree.pairs(node).get(str(step), (None, None))[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
        else:
            return None
    return None if node is None else position_of(node)


def first_written(tree: Tree, *paths: Path) -> Position | None:
    """Where the first of `paths` that is written stands; None where none is."""
    return next((found for path in paths if (found := written(tree, path)) is not None), None)


def position_of(node: yaml.Node) -> Position:
    """Where a node begins."""
    mark = node.start_mark
    return Position(mark.name, mark.line + 1, mark.column + 1)


class _Teller:
    """Walks values and the nodes they came from side by side.

    A value may come from several nodes: keys of an upstream are written there or in the defaults. The first counts.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._tree = loaded.tree
        self._veil = Veil(loaded.secrets)

    def config(self, config: Config) -> dict[str, Told]:
        root = () if self._tree.root is None else (self._tree.root,)
        told: dict[str, Told] = {}
        for name, field in type(config).model_fields.items():
            value, nodes = getattr(config, name), self._below(root, name, config)
            if name == "upstreams":
                told[name] = self._told(self._upstreams(config, nodes), nodes)
            elif name == "routes":
                told[name] = self._told(list(self._routes(config)), nodes)
            else:
                told[name] = self._tell(value, nodes, name, False, field)
        return told

    def _upstreams(self, config: Config, nodes: Nodes) -> dict[str, Told]:
        told = {}
        defaults = self._nodes(("defaults", "upstream"))
        for name, upstream in config.upstreams.items():
            own = self._below(nodes, name, None)
            if own:
                said = self._model(upstream, (own[0], *defaults), False)
                said["servers"] = self._tell(upstream.servers, self._below(own, "servers", upstream), "servers", False)
            else:  # a pool of one, named by the first route that uses it
                own = self._nodes(next(_uses(config, name)))
                said = self._model(upstream, defaults, False)
                said["servers"] = self._tell(upstream.servers, own, "servers", False)
            told[name] = self._told(said, own)
        return told

    def _routes(self, config: Config) -> Iterator[Told]:
        for place, (name, route) in enumerate(named(config.routes)):
            nodes = self._nodes(("routes", place))
            said = self._model(route, nodes, False)
            if route.name is None:
                said["name"] = Told(self._veil.over(name), None)
            gates = [
                self._tell(gate, self._nodes(path), "gates", False)
                for path, gate in zip(gate_paths(self._tree, ("routes", place, "gates")), route.gates, strict=True)
            ]
            said["gates"] = self._told(gates, self._below(nodes, "gates", route))
            yield self._told(said, nodes)

    def _tell(self, value: Any, nodes: Nodes, name: str, hidden: bool, field: FieldInfo | None = None) -> Told:
        if isinstance(value, BaseModel):
            return self._told(self._model(value, nodes, hidden), nodes)
        if isinstance(value, dict):
            members: dict[str, Told] = {}
            for key, member in value.items():
                word = scalar(key)
                below = self._below(nodes, word, None)
                members[word] = self._tell(member, below, word, hidden or self._veil.covers(key, name))
            return self._told(members, nodes)
        if is_list(value):
            items = sorted(value) if isinstance(value, frozenset) else value
            return self._told(
                [self._tell(item, self._item(nodes, at), name, hidden) for at, item in enumerate(items)], nodes
            )
        return self._told(self._veil.over(scalar(value), hidden), nodes, unit_of(field))

    def _model(self, value: BaseModel, nodes: Nodes, hidden: bool) -> dict[str, Told]:
        told = {}
        for name, field in type(value).model_fields.items():
            below = self._below(nodes, name, value)
            # What an upstream says of a key replaces the default as a whole, but for its deadlines.
            below = below if name == "timeouts" else below[:1]
            told[name] = self._tell(getattr(value, name), below, name, hidden or is_secret(value, name), field)
        return told

    def _below(self, nodes: Nodes, name: str, model: BaseModel | None) -> Nodes:
        found: list[yaml.Node] = []
        for node in nodes:
            if isinstance(node, yaml.MappingNode):
                pair = self._tree.pairs(node).get(name)
                found += [] if pair is None else [pair[1]]
            elif model is not None and name in model.model_fields_set and getattr(model, name) is not None:
                found.append(node)  # written in short: `respond: 204`
        return tuple(found)

    def _item(self, nodes: Nodes, at: int) -> Nodes:
        if nodes and isinstance(nodes[0], yaml.SequenceNode):
            return (nodes[0].value[at],) if at < len(nodes[0].value) else ()
        return nodes  # a list that is written as its only item

    def _nodes(self, path: Path) -> Nodes:
        node = self._tree.node(path) if self._tree.root is not None else None
        exact = written(self._tree, path) is not None
        return (node,) if node is not None and (exact or not isinstance(node, yaml.MappingNode)) else ()

    def _told(self, value: Any, nodes: Nodes, unit: str = "") -> Told:
        if not nodes:
            return Told(value, None, "", unit)
        node = nodes[0]
        through = ""
        if isinstance(node, yaml.ScalarNode) and "${" in node.value:
            through = " ".join(f"${{{name}}}" for name in _REFERENCE.findall(node.value))
        return Told(value, position_of(node), through, unit)


def _uses(config: Config, upstream: str) -> Iterator[Path]:
    """Where routes name `upstream`."""
    for place, route in enumerate(config.routes):
        if route.upstream == upstream:
            yield ("routes", place, "upstream")
        elif route.split is not None:
            for number, branch in enumerate(route.split.branches):
                if branch.upstream == upstream:
                    yield ("routes", place, "split", "branches", number)


def unit_of(field: FieldInfo | None) -> str:
    """`s` for a field that holds a duration, `B` for one that holds a size, "" for any other."""
    if field is None:
        return ""
    marks = [*field.metadata, *(mark for option in get_args(field.annotation) for mark in get_args(option)[1:])]
    for unit, kinds in _UNITS.items():
        if any(mark is get_args(kind)[1] for kind in kinds for mark in marks):
            return unit
    return ""
