"""What a configuration leaves implicit, spelled out: defaults, named gates, pools of one, paths beside their file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from proxy.config import problem
from proxy.config.address import looks_like_address
from proxy.config.document import Tree
from proxy.config.expectations import NO_CERTIFICATE, RouteTest
from proxy.config.gates import Gate
from proxy.config.model import Config, Listener
from proxy.config.routes import Route
from proxy.config.upstreams import Server, Upstream, UpstreamSettings

_Settings = TypeVar("_Settings", bound=UpstreamSettings)


def resolve(tree: Tree, config: Config) -> Config:
    """`config`, valid in itself, as the rest of the program wants it."""
    defaults = _files_of(tree, ("defaults", "upstream"), config.defaults.upstream)
    upstreams = {
        name: _with_defaults(_files_of(tree, ("upstreams", name), upstream), defaults)
        for name, upstream in config.upstreams.items()
    }
    for route in config.routes:
        for name in route.upstreams:
            if name not in upstreams and looks_like_address(name):
                alone = Upstream(servers=(Server.model_validate({"url": name}),))
                upstreams[name] = _with_defaults(alone, defaults)
    hosts = Path(tree.position(("resolver",)).file).parent / config.resolver.hosts
    resolver = config.resolver.model_copy(update={"hosts": str(hosts)})
    listen = tuple(_listener(tree, place, listener) for place, listener in enumerate(config.listen))
    routes = tuple(_resolved(tree, config, place, route) for place, route in enumerate(config.routes))
    tests = tuple(_test(tree, place, test) for place, test in enumerate(config.tests))
    more = {"resolver": resolver, "listen": listen, "tests": tests}
    return config.model_copy(update={"upstreams": upstreams, "routes": routes, **more})


def _listener(tree: Tree, place: int, wish: Listener) -> Listener:
    if wish.tls is None:
        return wish
    folder = Path(tree.position(("listen", place)).file).parent
    return wish.model_copy(update={"tls": wish.tls.beside(folder)})


def _test(tree: Tree, place: int, wish: RouteTest) -> RouteTest:
    name = wish.request.client_certificate
    if name is None or name == NO_CERTIFICATE:
        return wish
    file = str(Path(tree.position(("tests", place)).file).parent / name)
    return wish.model_copy(update={"request": wish.request.model_copy(update={"client_certificate": file})})


def _files_of(tree: Tree, path: problem.Path, wish: _Settings) -> _Settings:
    """The settings of upstreams at `path`, with the files that they name."""
    if wish.tls is None:
        return wish
    folder = Path(tree.position((*path, "tls")).file).parent
    return wish.model_copy(update={"tls": wish.tls.beside(folder)})


def _with_defaults(upstream: Upstream, defaults: UpstreamSettings) -> Upstream:
    if not defaults.model_fields_set:
        return upstream
    changes: dict[str, Any] = {
        name: getattr(defaults, name) for name in defaults.model_fields_set - upstream.model_fields_set
    }
    own = upstream.timeouts.model_dump(exclude_unset=True)
    if own and "timeouts" in defaults.model_fields_set:
        changes["timeouts"] = defaults.timeouts.model_copy(update=own)
    return upstream.model_copy(update=changes)


def _resolved(tree: Tree, config: Config, place: int, route: Route) -> Route:
    changes: dict[str, Any] = {}
    if route.static is not None:
        directory = Path(tree.position(("routes", place, "static")).file).parent
        changes["static"] = route.static.model_copy(update={"root": str(directory / route.static.root)})
    if any(gate.use is not None for gate in route.gates):
        changes["gates"] = tuple(_expanded(route.gates, config.gates))
    return route.model_copy(update=changes) if changes else route


def _expanded(gates: Sequence[Gate], named: Mapping[str, Sequence[Gate]]) -> Iterator[Gate]:
    """`gates` with every name replaced by the gates of that name."""
    for gate in gates:
        if gate.use is None:
            yield gate
        else:
            yield from _expanded(named[gate.use], named)


def upstream_place(tree: Tree, name: str, *keys: str | int) -> problem.Path:
    """Where what the upstream `name` has under `keys` is written: in the upstream itself, or in the defaults."""
    own = tree.node(("upstreams", name))
    if isinstance(own, yaml.MappingNode) and str(keys[0]) in tree.pairs(own):
        return ("upstreams", name, *keys)
    return ("defaults", "upstream", *keys)


def gate_paths(tree: Tree, path: problem.Path) -> Iterator[problem.Path]:
    """Where the gates of the list at `path` are written, one path for each gate that `resolve` leaves there."""
    node = tree.node(path)
    for place, item in enumerate(node.value if isinstance(node, yaml.SequenceNode) else ()):
        name = item
        if isinstance(item, yaml.MappingNode):
            name = tree.pairs(item).get("use", (None, None))[1]
        if isinstance(name, yaml.ScalarNode):
            yield from gate_paths(tree, ("gates", name.value))
        else:
            yield (*path, place)
