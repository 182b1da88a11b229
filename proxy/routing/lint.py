"""Routes that no request reaches, requests that no route takes: warnings that need to know how routes are matched."""

from __future__ import annotations

from collections.abc import Iterator

from proxy.config import Loaded, Problem
from proxy.config.memory import collector_paused
from proxy.config.resolve import gate_paths
from proxy.config.routes import PathMatch
from proxy.message import Fields
from proxy.routing.entries import Entry, Route, canonical_path
from proxy.routing.explain import path_fits
from proxy.routing.path import normalize
from proxy.routing.table import Router

# What stands for the host or the path of an entry: its text, or its regular expression.
_Place = tuple[object, object]
_ANY = "*"


def lint(loaded: Loaded, router: Router) -> list[Problem]:
    """A warning for each route that is never chosen, redirects to itself, or is missed."""
    with collector_paused():
        problems = [*_unreachable(loaded, router), *_loops(loaded, router), *_strips_nothing(loaded, router)]
    if missing := _no_catch_all(loaded, router):
        problems.append(missing)
    return problems


def _warning(loaded: Loaded, route: Route, code: str, message: str, hint: str = "") -> Problem:
    return loaded.problem_at(("routes", route.place), code, message, hint)


def _unreachable(loaded: Loaded, router: Router) -> Iterator[Problem]:
    """Routes of which every entry comes after another that takes all its requests."""
    asked: dict[_Place, list[Entry]] = {}
    winner: dict[Route, Entry | None] = {}
    shadowed: list[tuple[Entry, Entry]] = []
    # Without priorities, what is wider comes later: only entries of the very same place can be in the way.
    has_priorities = any(route.priority for route in router.routes)
    for entry in router.entries:
        place = _host(entry), _path(entry)
        places = _wider(*place) if has_priorities else (place,)
        earlier = next((one for wide in places for one in asked.get(wide, ()) if _covers(one, entry)), None)
        if earlier is None:
            winner[entry.route] = None
            asked.setdefault(place, []).append(entry)
        else:
            winner.setdefault(entry.route, earlier)
            shadowed.append((entry, earlier))
    for entry, earlier in shadowed:
        if winner[entry.route] is None:
            yield _shadowed(loaded, entry, earlier)
    for route, above in winner.items():
        if above is not None:
            message = f"this route is never reached: {_taker(above, route)}"
            yield _warning(loaded, route, "unreachable-route", message, "remove one of them, or set `priority:`")


def _shadowed(loaded: Loaded, entry: Entry, earlier: Entry) -> Problem:
    """One host and path of a route that is reached only by its others."""
    host, path = entry.host, entry.path
    words = ((host.name if host else "") or "") + ((path.prefix or path.exact if path else "") or "") or "a part"
    message = f"`{words}` of this route is never reached: {_taker(earlier, entry.route)}"
    return _warning(loaded, entry.route, "shadowed-route", message, "remove it here or there, or set `priority:`")


def _taker(entry: Entry, route: Route) -> str:
    """Who takes the requests of `route`, and where that is written."""
    other = entry.route
    return f"`{other.name}` in {other.position.seen_from(route.position.file)} takes all its requests"


def _host(entry: Entry) -> object:
    if entry.host is None or entry.host.name == "*":
        return _ANY
    return entry.host.name or entry.host.regex


def _path(entry: Entry) -> object:
    path = entry.path
    if path is None or path.prefix == "/":
        return _ANY
    if path.exact is not None:
        return "=", canonical_path(path.exact)
    return path.regex if path.prefix is None else canonical_path(path.prefix)


def _wider(host: object, path: object) -> Iterator[_Place]:
    """Every host and path that takes at least the requests of this one: itself, and those above it."""
    hosts = [host]
    if isinstance(host, str) and host != _ANY:
        labels = host.removeprefix("*.").split(".")
        hosts += ["*." + ".".join(labels[start:]) for start in range(1, len(labels))]
    paths = [path]
    text = path[1] if isinstance(path, tuple) else path
    if isinstance(text, bytes):
        segments = text.split(b"/")
        paths += [b"/".join(segments[:end]) + tail for end in range(1, len(segments) + 1) for tail in (b"", b"/")]
    for one_host in dict.fromkeys((*hosts, _ANY)):
        for one_path in dict.fromkeys((*paths, _ANY)):
            yield one_host, one_path


def _covers(earlier: Entry, entry: Entry) -> bool:
    """Whether the conditions of `earlier` accept all that those of `entry` accept. Both are on fitting places."""
    if earlier.route is entry.route:
        return False
    path = entry.path
    if path is not None and path.prefix is not None and earlier.path is not None and earlier.path.prefix is not None:
        # `/a/` does not take `/a`, which the prefix `/a` does.
        wide, narrow = canonical_path(earlier.path.prefix), canonical_path(path.prefix)
        if wide != b"/" and wide.endswith(b"/") and not narrow.startswith(wide):
            return False
    narrow_ones = entry.route.conditions
    return all(any(wide.covers(narrow) for narrow in narrow_ones) for wide in earlier.route.conditions)


def _loops(loaded: Loaded, router: Router) -> Iterator[Problem]:
    """Redirects to a path that the same route redirects again."""
    for route in router.routes:
        redirect = route.wish.redirect
        if redirect is None or not redirect.to.startswith(b"/") or route.conditions:
            continue
        to = redirect.to.partition(b"?")[0].partition(b"#")[0]
        if route.wish.path is None or any(path_fits(path, to) for path in route.wish.path):
            host = (route.wish.host[0].name or "") if route.wish.host else ""
            chosen = router.route(host.replace("*", "a").encode(), normalize(to), b"GET", Fields(), b"", "")
            if chosen is route:
                message = f"this route redirects to `{to.decode('ascii')}`, which it redirects again"
                yield _warning(loaded, route, "redirect-loop", message)


def _strips_nothing(loaded: Loaded, router: Router) -> Iterator[Problem]:
    """Prefixes that no path begins with when it comes to the gate."""
    for route in router.routes:
        for number, gate in enumerate(route.wish.gates):
            if gate.headers is not None:
                continue
            paths = route.wish.path
            if gate.strip_prefix is None or paths is None:
                break  # what the path is from here on cannot be told
            if not any(_may_begin(path, gate.strip_prefix) for path in paths):
                message = f"`strip_prefix: {gate.strip_prefix.decode('ascii')}` never finds its prefix on this route"
                hint = f"the route takes {' and '.join(f'`{path.prefix or path.exact}`' for path in paths)}"
                at = tuple(gate_paths(loaded.tree, ("routes", route.place, "gates")))[number]
                yield loaded.problem_at(at, "strips-nothing", message, hint)
            break


def _may_begin(path: PathMatch, prefix: bytes) -> bool:
    """Whether a request that `path` takes may have a path that `prefix` stands before. Both are compared normalized."""
    if path.regex is not None:
        return True
    if path.exact is not None:
        return (canonical_path(path.exact) + b"/").startswith(prefix + b"/")
    taken = canonical_path(path.prefix or "/").rstrip(b"/") + b"/"
    return taken.startswith(prefix + b"/") or prefix.startswith(taken)


def _no_catch_all(loaded: Loaded, router: Router) -> Problem | None:
    for entry in router.entries:
        if _host(entry) == _ANY and _path(entry) == _ANY and not entry.route.conditions:
            return None
    message = "no route takes what the others leave: such requests get a 404"
    hint = "say so with a last route, such as `- {path: /, respond: {status: 404, body: nothing here}}`"
    return loaded.problem_at(("routes",), "no-catch-all", message, hint, key=True)
