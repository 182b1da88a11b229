"""What is allowed in a configuration and yet most likely a mistake: warnings, each with a code.

What needs the order of routes is in `proxy.routing.lint`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path as FilePath

import yaml

from proxy.config.document import Tree
from proxy.config.files import NotRegularError, read_regular
from proxy.config.lint_regexes import lint_regexes
from proxy.config.lint_secrets import lint_secrets
from proxy.config.lint_timeouts import lint_timeouts
from proxy.config.lint_upstreams import lint_upstreams
from proxy.config.model import Config
from proxy.config.problem import Path

_FORWARDING_TIMEOUTS = ("connect", "response_head", "response_idle", "tunnel_idle")


def lint(tree: Tree, config: Config) -> None:
    """Add a warning to `tree` for each thing in `config` that its author probably did not mean."""
    for rule in _RULES:
        rule(tree, config)


def _warn(tree: Tree, code: str, message: str, path: Path, hint: str = "", *, key: bool = False) -> None:
    tree.add_at(code, message, path, hint, key=key, severity="warning")


def _unused(tree: Tree, config: Config) -> None:
    used = {name for route in config.routes for name in route.upstreams}
    for name in config.upstreams:
        if name not in used:
            _warn(tree, "unused-upstream", f"no route uses the upstream `{name}`", ("upstreams", name), key=True)
    texts = _names_used(tree)
    for name in config.gates:
        if name not in texts:
            _warn(tree, "unused-gates", f"no route uses the gates `{name}`", ("gates", name), key=True)


def _names_used(tree: Tree) -> set[str]:
    """The names of gates that any list of gates uses."""
    names: set[str] = set()
    for path in (("routes",), ("gates",)):
        node = tree.node(path)
        if isinstance(node, yaml.SequenceNode):
            mappings = (item for item in node.value if isinstance(item, yaml.MappingNode))
            lists = [tree.pairs(item)["gates"][1] for item in mappings if "gates" in tree.pairs(item)]
        else:
            lists = [pair[1] for pair in tree.pairs(node).values()] if isinstance(node, yaml.MappingNode) else []
        for gates in lists:
            for gate in gates.value:
                name = gate if isinstance(gate, yaml.ScalarNode) else tree.pairs(gate).get("use", (None, None))[1]
                if isinstance(name, yaml.ScalarNode):
                    names.add(name.value)
    return names


def _no_effect(tree: Tree, config: Config) -> None:
    for place, route in enumerate(config.routes):
        if route.upstreams:
            continue
        idle: list[Path] = [("upgrade",)] if "upgrade" in route.model_fields_set else []
        idle += [("timeouts", name) for name in _FORWARDING_TIMEOUTS if name in route.timeouts.model_fields_set]
        for path in idle:
            message = f"`{path[-1]}` does nothing on a route to `{route.target}`"
            _warn(tree, "no-effect", message, ("routes", place, *path), key=True)


def _trust(tree: Tree, config: Config) -> None:
    for place, network in enumerate(config.trusted_proxies):
        if network.prefixlen == 0:
            message = "every client is trusted to say who it is: X-Forwarded-For can be forged"
            _warn(tree, "trusts-everyone", message, ("trusted_proxies", place), "name the proxies in front of this one")


def _directories(tree: Tree, config: Config) -> None:
    for place, route in enumerate(config.routes):
        if route.static is not None and not FilePath(route.static.root).exists():
            message = f"`{route.static.root}` does not exist"
            _warn(tree, "missing-directory", message, ("routes", place, "static", "root"))


def _hosts(tree: Tree, config: Config) -> None:
    place = ("resolver", "hosts")
    if tree.node(place) is None:
        return
    try:
        read_regular(config.resolver.hosts, 0)
    except NotRegularError as error:  # whoever looks a name up would wait for it, and everybody for him
        tree.add_at("hosts-file", f"`{config.resolver.hosts}` is {error.strerror}", place, "name a file as in hosts(5)")
    except OSError as error:
        _warn(tree, "hosts-file", f"`{config.resolver.hosts}` cannot be read: {error.strerror}", place)


_RULES: tuple[Callable[[Tree, Config], None], ...] = (
    _unused, lint_upstreams, lint_regexes, lint_secrets, _no_effect, _trust, lint_timeouts, _directories,
    _hosts,
)  # fmt: skip
