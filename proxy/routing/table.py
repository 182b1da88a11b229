"""Which route a request takes: the most specific one, whatever the order of the file.

Every pair of a route's hosts and paths is an *entry*, and entries have one total order:

1. `priority`, higher first;
2. host: exact, then wildcards from the longest, then regular expressions, then any host;
3. path: exact, then prefixes from the longest, then regular expressions, then any path (`/` is any path);
4. more conditions (methods, headers, query, client) first;
5. the order of the file.

A request takes the first entry in this order that accepts it. Dictionaries by host and by path find the few entries
whose host and path fit, so that the cost hardly depends on the number of routes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from proxy.config import routes as wishes
from proxy.errors import REQUEST_PATH, ProxyError
from proxy.message import Fields
from proxy.routing.entries import ANY, Entry, Locate, Route, canonical_path, make_entries, make_routes, order_of
from proxy.routing.explain import explain
from proxy.routing.match import Methods, Request, canonical_host
from proxy.routing.path import has_ambiguous_slash


class _Paths:
    """The entries of one host, by path. Each list is in order."""

    __slots__ = ("anything", "exact", "longest", "prefix", "regex", "slashed")

    def __init__(self) -> None:
        self.exact: dict[bytes, list[Entry]] = {}
        self.prefix: dict[bytes, list[Entry]] = {}
        self.regex: list[tuple[re.Pattern[bytes], Entry]] = []
        self.anything: list[Entry] = []
        self.longest = 0
        self.slashed = False

    def add(self, entry: Entry) -> None:
        """File `entry`; entries come in order."""
        wish = entry.path
        if entry.order[2][0] == ANY or wish is None:
            self.anything.append(entry)
        elif wish.exact is not None:
            self.exact.setdefault(canonical_path(wish.exact), []).append(entry)
        elif wish.prefix is not None:
            prefix = canonical_path(wish.prefix)
            self.prefix.setdefault(prefix, []).append(entry)
            self.longest = max(self.longest, len(prefix))
            self.slashed = self.slashed or prefix.endswith(b"/")
        elif wish.regex is not None:
            self.regex.append((wish.regex, entry))

    def fitting(self, path: bytes) -> Iterator[Entry]:
        """The entries whose path fits, most specific first (within one priority)."""
        if path in self.exact:
            yield from self.exact[path]
        if self.prefix:
            for prefix in self._prefixes(path):
                yield from self.prefix[prefix]
        for regex, entry in self.regex:
            if regex.search(path):
                yield entry
        yield from self.anything

    def _prefixes(self, path: bytes) -> Iterator[bytes]:
        """The known prefixes of `path` that end at a segment boundary, longest first."""
        known = self.prefix
        if len(path) <= self.longest:
            if path in known:
                yield path
            end = path.rfind(b"/")
        else:
            end = path.rfind(b"/", 0, self.longest + 1)
        while end > 0:
            if self.slashed and end + 1 < len(path) and (prefix := path[: end + 1]) in known:
                yield prefix
            if (prefix := path[:end]) in known:
                yield prefix
            end = path.rfind(b"/", 0, end)


class Router:
    """All routes, filed so that the right one is found quickly. Immutable; see `build`.

    @ivar routes: in the order of the file.
    @ivar entries: in the order in which they count.
    """

    def __init__(self, routes: tuple[Route, ...], entries: tuple[Entry, ...]) -> None:
        self.routes = routes
        self.entries = entries
        self._exact: dict[bytes, _Paths] = {}
        self._wild: dict[bytes, _Paths] = {}
        self._regex: dict[re.Pattern[bytes], _Paths] = {}
        self._any = _Paths()
        self._has_priorities = any(route.priority for route in routes)
        for entry in entries:
            self._paths_of(entry.host).add(entry)

    def _paths_of(self, host: wishes.HostMatch | None) -> _Paths:
        if host is None or host.name == "*":
            return self._any
        if host.regex is not None:
            return self._regex.setdefault(host.regex, _Paths())
        name = (host.name or "").encode("ascii")
        if name.startswith(b"*."):
            return self._wild.setdefault(name[2:], _Paths())
        return self._exact.setdefault(name, _Paths())

    def route(self, host: bytes, path: bytes, method: bytes, fields: Fields, query: bytes, client: str) -> Route | None:
        """The route that a request takes, None where there is none.

        @param host: the authority of the request, as it came.
        @param path: the normalized path.
        @param client: the IP address of the client.
        @raise ProxyError: REQUEST_PATH, where the path has an encoded slash and the route does not allow that.
        """
        host = canonical_host(host)
        request: Request | None = None
        for entry in self._candidates(host, path):
            route = entry.route
            if route.conditions:
                if request is None:
                    request = Request(host, path, method, fields, query, client)
                if not all(condition.accepts(request) for condition in route.conditions):
                    continue
            if b"%" in path and route.wish.encoded_slash == "reject" and has_ambiguous_slash(path):
                raise ProxyError(REQUEST_PATH, f"the route {route.name} does not allow encoded slashes")
            return route
        return None

    def allowed_methods(self, host: bytes, path: bytes, fields: Fields, query: bytes, client: str) -> tuple[bytes, ...]:
        """The methods that some route would take where `route` found none, sorted; empty where no method helps."""
        host = canonical_host(host)
        request = Request(host, path, b"", fields, query, client)
        methods: set[bytes] = set()
        for entry in self._candidates(host, path):
            others = [c for c in entry.route.conditions if not isinstance(c, Methods)]
            if all(condition.accepts(request) for condition in others):
                for condition in entry.route.conditions:
                    if isinstance(condition, Methods):
                        methods |= condition.methods
        return tuple(sorted(methods))

    def _candidates(self, host: bytes, path: bytes) -> Iterable[Entry]:
        """The entries whose host and path fit, in order."""
        fitting = self._fitting(host, path)
        # Within one priority the way through the dictionaries is the order; across priorities it is not.
        return sorted(fitting, key=order_of) if self._has_priorities else fitting

    def _fitting(self, host: bytes, path: bytes) -> Iterator[Entry]:
        exact = self._exact.get(host)
        if exact is not None:
            yield from exact.fitting(path)
        if self._wild:
            dot = host.find(b".")
            while dot >= 0:
                wild = self._wild.get(host[dot + 1 :])
                if wild is not None and dot:
                    yield from wild.fitting(path)
                dot = host.find(b".", dot + 1)
        if self._regex:
            found = [
                entry for regex, paths in self._regex.items() if regex.search(host) for entry in paths.fitting(path)
            ]
            yield from sorted(found, key=order_of)
        yield from self._any.fitting(path)

    def explain(
        self, host: bytes, path: bytes, method: bytes, fields: Fields, query: bytes, client: str
    ) -> list[tuple[Route, str | None]]:
        """Every route in the order in which they count, each with the first reason why it is not the one, or None.

        Takes the arguments of `route`.
        """
        return explain(self.entries, Request(canonical_host(host), path, method, fields, query, client))


def build(routes: Iterable[wishes.Route], locate: Locate | None = None) -> Router:
    """A router for the routes of a configuration.

    @param locate: tells where `("routes", 0)` and so on are written: `Loaded.position`.
    """
    made = make_routes(routes, locate)
    return Router(made, make_entries(made))
