"""Routes ready to use, and the one order in which they count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from proxy.config import Position
from proxy.config import routes as wishes
from proxy.config.problem import Path
from proxy.routing.match import ClientNetworks, Condition, HeaderValue, Methods, QueryValue
from proxy.routing.path import normalize

# Ranks, better first.
EXACT, PARTIAL, REGEX, ANY = range(4)
#: (rank, minus the length of a wildcard or a prefix): a smaller one is more specific.
Rank = tuple[int, int]
#: Minus the priority, host, path, minus the number of conditions, place in the file.
Order = tuple[int, Rank, Rank, int, int]
Locate = Callable[[Path], Position]

_NOWHERE = Position("", 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """A route, ready to use. Two are equal only if they are the same.

    @ivar name: its name, or one made from its host and path; unique in its router.
    @ivar wish: what the configuration says about it.
    @ivar place: which item of `routes` it is, from 0.
    @ivar position: where it is written.
    @ivar conditions: what it asks for beyond host and path.
    """

    name: str
    wish: wishes.Route
    place: int
    position: Position
    conditions: tuple[Condition, ...]

    @property
    def priority(self) -> int:
        return self.wish.priority

    def __repr__(self) -> str:
        return f"<Route {self.name!r} at {self.position}>"


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One host and one path of a route. `order` is its place among all entries: smaller is asked first."""

    order: Order
    route: Route
    host: wishes.HostMatch | None
    path: wishes.PathMatch | None


def canonical_path(path: str) -> bytes:
    """A path of the configuration as normalized requests spell it."""
    return normalize(path.encode("utf-8"))


def make_routes(routes: Iterable[wishes.Route], locate: Locate | None) -> tuple[Route, ...]:
    """The routes of a configuration, named and with their conditions compiled."""
    made: list[Route] = []
    for place, (name, wish) in enumerate(named(routes)):
        position = locate(("routes", place)) if locate else _NOWHERE
        made.append(Route(name, wish, place, position, _conditions(wish)))
    return tuple(made)


def named(routes: Iterable[wishes.Route]) -> Iterator[tuple[str, wishes.Route]]:
    """Each route with its name: its own, or one made from its host and path. No two are the same."""
    taken: set[str] = set()
    for wish in routes:
        yield _name(wish, taken), wish


def _name(wish: wishes.Route, taken: set[str]) -> str:
    if wish.name is not None:
        base = wish.name
    else:
        host = _host_words(wish.host[0]) if wish.host else "*"
        base = host + (_path_words(wish.path[0]) if wish.path else "/")
    name, number = base, 2
    while name in taken:
        name, number = f"{base}#{number}", number + 1
    taken.add(name)
    return name


def _host_words(host: wishes.HostMatch) -> str:
    return host.name if host.name is not None else f"~{host.regex.pattern.decode()}" if host.regex else "*"


def _path_words(path: wishes.PathMatch) -> str:
    if path.regex is not None:
        return f"~{path.regex.pattern.decode()}"
    return path.prefix or f"={path.exact}"


def _conditions(wish: wishes.Route) -> tuple[Condition, ...]:
    conditions: list[Condition] = []
    if wish.methods is not None:
        conditions.append(Methods(wish.methods))
    conditions += [HeaderValue(name, value) for name, value in wish.headers.items()]
    conditions += [QueryValue(name, value) for name, value in wish.query.items()]
    if wish.client is not None:
        conditions.append(ClientNetworks(wish.client))
    return tuple(conditions)


def make_entries(routes: Iterable[Route]) -> tuple[Entry, ...]:
    """Every pair of a host and a path of `routes`, in order."""
    return tuple(sorted((entry for route in routes for entry in _entries_of(route)), key=order_of))


def _entries_of(route: Route) -> Iterator[Entry]:
    wish = route.wish
    for host in wish.host or (None,):
        for path in wish.path or (None,):
            order = (-wish.priority, _host_rank(host), _path_rank(path), -len(route.conditions), route.place)
            yield Entry(order, route, host, path)


def _host_rank(host: wishes.HostMatch | None) -> Rank:
    if host is None or host.name == "*":
        return ANY, 0
    if host.name is None:
        return REGEX, 0
    return (PARTIAL, -len(host.name)) if host.name.startswith("*.") else (EXACT, 0)


def _path_rank(path: wishes.PathMatch | None) -> Rank:
    # Every path begins with `/`: as a prefix it says nothing, so it must not stand before regular expressions.
    if path is None or path.prefix == "/":
        return ANY, 0
    if path.exact is not None:
        return EXACT, 0
    if path.prefix is not None:
        return PARTIAL, -len(canonical_path(path.prefix))
    return REGEX, 0


def order_of(entry: Entry) -> Order:
    """The key that entries are sorted by."""
    return entry.order
