"""What one part of a configuration says about another: names that must exist, and be given once.

Works on plain data, so that it finds its faults even where the model finds others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from proxy.config.address import looks_like_address
from proxy.config.document import Tree
from proxy.config.problem import Path
from proxy.config.translate import near


def check_references(tree: Tree, data: dict[str, Any]) -> None:
    """Add a problem to `tree` for each name in `data` that leads nowhere or is given twice."""
    _check_upstreams(tree, data)
    _check_gates(tree, data)
    _check_route_names(tree, data)
    _check_demo(tree, data)
    _check_tests(tree, data)
    _check_listeners(tree, data)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(value, list):
        yield from ((place, item) for place, item in enumerate(value) if isinstance(item, dict))


def _unknown(tree: Tree, what: str, name: str, known: Iterable[str], path: Path, more: str = "") -> None:
    names = list(known)
    meant = near(name, names)
    hint = f"did you mean `{meant}`?" if meant else (f"known: {', '.join(names[:10])}" if names else more)
    tree.add_at(f"unknown-{what.split()[-1]}", f"there is no {what} `{name}`", path, hint)


def _check_upstreams(tree: Tree, data: dict[str, Any]) -> None:
    names = _mapping(data.get("upstreams"))
    for path, name in _upstreams_of_routes(data):
        if isinstance(name, str) and name not in names and not looks_like_address(name):
            more = "name one under `upstreams:`, or write the URL of a server"
            _unknown(tree, "upstream", name, names, path, more)


def _upstreams_of_routes(data: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """What the targets of routes name as upstreams, with where it stands."""
    for place, route in _mappings(data.get("routes")):
        yield ("routes", place, "upstream"), route.get("upstream")
        path: Path = ("routes", place, "split")
        branches = route.get("split")
        if isinstance(branches, dict):
            path, branches = (*path, "branches"), branches.get("branches")
        for number, branch in enumerate(branches if isinstance(branches, list) else []):
            yield (*path, number, "upstream"), _mapping(branch).get("upstream", branch)


def _check_gates(tree: Tree, data: dict[str, Any]) -> None:
    named = _mapping(data.get("gates"))
    for place, route in _mappings(data.get("routes")):
        for path, name in _uses(("routes", place, "gates"), route.get("gates")):
            if name not in named:
                _unknown(tree, "gate", name, named, path, "name a list of gates under `gates:`")
    for name, gates in named.items():
        for path, used in _uses(("gates", name), gates):
            if used not in named:
                _unknown(tree, "gate", used, named, path)
            elif _reaches(named, used, name, set()):
                tree.add_at("gate-loop", f"the gates `{name}` use themselves", path, "remove this one")


def _uses(path: Path, gates: Any) -> Iterator[tuple[Path, str]]:
    """The names in a list of gates, with where they stand."""
    for place, gate in enumerate(gates if isinstance(gates, list) else []):
        name = _mapping(gate).get("use", gate)
        if isinstance(name, str):
            yield (*path, place), name


def _reaches(named: dict[str, Any], start: str, goal: str, seen: set[str]) -> bool:
    if start == goal:
        return True
    if start in seen:
        return False
    seen.add(start)
    return any(_reaches(named, name, goal, seen) for _, name in _uses((), named.get(start)))


def _check_route_names(tree: Tree, data: dict[str, Any]) -> None:
    first: dict[str, int] = {}
    for place, route in _mappings(data.get("routes")):
        name = route.get("name")
        if not isinstance(name, str):
            continue
        if name in first:
            where = _other(tree, ("routes", first[name], "name"), ("routes", place, "name"))
            message = f"two routes are named `{name}`, the first in {where}"
            tree.add_at("duplicate-route", message, ("routes", place, "name"), "rename one of them")
        else:
            first[name] = place


def _other(tree: Tree, first: Path, second: Path) -> str:
    """Where `first` is, for a message at `second`."""
    return tree.position(first).seen_from(tree.position(second).file)


def _check_demo(tree: Tree, data: dict[str, Any]) -> None:
    demo = data.get("demo")
    count = _mapping(demo).get("servers", demo)
    started = count if isinstance(count, int) else 0
    places = list(_upstreams_of_routes(data))
    for name, upstream in _mapping(data.get("upstreams")).items():
        servers = _mapping(upstream).get("servers")
        for place, server in enumerate(servers if isinstance(servers, list) else []):
            places.append((("upstreams", name, "servers", place), _mapping(server).get("url", server)))
    for path, url in places:
        number = url.removeprefix("demo:") if isinstance(url, str) and url.startswith("demo:") else ""
        if number.isdigit() and int(number) > started:
            hint = f"write `demo: {int(number)}` to start {int(number)} of them"
            tree.add_at("unknown-server", f"there is no demo server {number}: {started or 'none'} started", path, hint)


def _check_tests(tree: Tree, data: dict[str, Any]) -> None:
    routes = [route.get("name") for _, route in _mappings(data.get("routes"))]
    names = [name for name in routes if isinstance(name, str)]
    upstreams = _mapping(data.get("upstreams"))
    for place, test in _mappings(data.get("tests")):
        route, upstream = test.get("route"), test.get("upstream")
        if isinstance(route, str) and route not in names:
            _unknown(tree, "route", route, names, ("tests", place, "route"), "give the route a `name:`")
        if isinstance(upstream, str) and upstream not in upstreams and not looks_like_address(upstream):
            _unknown(tree, "upstream", upstream, upstreams, ("tests", place, "upstream"))


def _check_listeners(tree: Tree, data: dict[str, Any]) -> None:
    listen = data.get("listen")
    first: dict[str, int] = {}
    for place, listener in enumerate(listen if isinstance(listen, list) else []):
        endpoint = _mapping(listener).get("endpoint", listener)
        if not isinstance(endpoint, str) or endpoint.startswith(("tcp:0", "tcp6:0")):
            continue
        if endpoint in first:
            where = _other(tree, ("listen", first[endpoint]), ("listen", place))
            tree.add_at("duplicate-listener", f"`{endpoint}` is listed twice, first in {where}", ("listen", place))
        else:
            first[endpoint] = place
