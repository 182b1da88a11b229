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
from collections.abc import Iterable

from proxy.config import routes as wishes
from proxy.config.memory import collector_paused
from proxy.errors import REQUEST_PATH, ProxyError
from proxy.message import Fields
from proxy.routing.entries import ANY, Entry, Locate, Route, canonical_path, make_entries, make_routes, order_of
from proxy.routing.explain import explain
from proxy.routing.match import Methods, Request, canonical_host
from proxy.routing.path import has_ambiguous_slash

# What was asked before is remembered: 0.5 us in place of 2 us. Bounded on every side, as clients choose what is asked.
_KNOWN_REQUESTS = 4096
_KNOWN_BYTES = 256
_KNOWN_ROUTES = 16
# RFC 1035 section 2.3.4: no longer name exists, and each of its dots costs a look-up.
_HOST_BYTES = 255


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

    def collect(self, path: bytes, found: list[Entry]) -> None:
        """Append to `found` the entries whose path fits, most specific first (within one priority)."""
        if path in self.exact:
            found += self.exact[path]
        if self.prefix:
            self._collect_prefixes(path, found)
        for regex, entry in self.regex:
            if regex.search(path):
                found.append(entry)
        found += self.anything

    def _collect_prefixes(self, path: bytes, found: list[Entry]) -> None:
        """Look up `path`, cut at one segment boundary after the other, from the longest prefix that can be known."""
        known = self.prefix
        if len(path) <= self.longest:
            if path in known:
                found += known[path]
            end = path.rfind(b"/")
        else:
            end = path.rfind(b"/", 0, self.longest + 1)
        while end > 0:
            if self.slashed and end + 1 < len(path) and (prefix := path[: end + 1]) in known:
                found += known[prefix]
            if (prefix := path[:end]) in known:
                found += known[prefix]
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
        self._known: dict[tuple[bytes, bytes], tuple[Route, ...]] = {}
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
        routes = self._known.get((host, path)) or self._look_up(host, path)
        request: Request | None = None
        for route in routes:
            if route.conditions:
                if request is None:
                    request = Request(canonical_host(host), path, method, fields, query, client)
                if not all(condition.accepts(request) for condition in route.conditions):
                    continue
            if b"%" in path and route.wish.encoded_slash == "reject" and has_ambiguous_slash(path):
                raise ProxyError(REQUEST_PATH, f"the route {route.name} does not allow encoded slashes")
            return route
        return None

    def allowed_methods(self, host: bytes, path: bytes, fields: Fields, query: bytes, client: str) -> tuple[bytes, ...]:
        """The methods that some route would take where `route` found none, sorted; empty where no method helps."""
        request = Request(canonical_host(host), path, b"", fields, query, client)
        methods: set[bytes] = set()
        for route in self._look_up(host, path):
            others = [condition for condition in route.conditions if not isinstance(condition, Methods)]
            if all(condition.accepts(request) for condition in others):
                for condition in route.conditions:
                    if isinstance(condition, Methods):
                        methods |= condition.methods
        return tuple(sorted(methods))

    def _look_up(self, authority: bytes, path: bytes) -> tuple[Route, ...]:
        """The routes whose host and path fit, in order."""
        found: list[Entry] = []
        host = canonical_host(authority)
        self._collect(host, path, found)
        if self._has_priorities:
            # Within one priority the way through the dictionaries is the order; across priorities it is not.
            found.sort(key=order_of)
        routes = tuple(dict.fromkeys(entry.route for entry in found))
        if len(authority) + len(path) <= _KNOWN_BYTES and len(routes) <= _KNOWN_ROUTES:
            if len(self._known) >= _KNOWN_REQUESTS:
                self._known.clear()
            self._known[authority, path] = routes
        return routes

    def _collect(self, host: bytes, path: bytes, found: list[Entry]) -> None:
        exact = self._exact.get(host)
        if exact is not None:
            exact.collect(path, found)
        if self._wild and len(host) <= _HOST_BYTES:
            dot = host.find(b".", 1)
            while dot > 0:
                wild = self._wild.get(host[dot + 1 :])
                if wild is not None:
                    wild.collect(path, found)
                dot = host.find(b".", dot + 1)
        if self._regex:
            fitting: list[Entry] = []
            for regex, paths in self._regex.items():
                if regex.search(host):
                    paths.collect(path, fitting)
            found += sorted(fitting, key=order_of)
        self._any.collect(path, found)

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
    with collector_paused():
        made = make_routes(routes, locate)
        return Router(made, make_entries(made))
