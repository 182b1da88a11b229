"""Which route a request takes: the most specific one, whatever the order of the file.

Every pair of a route's hosts and paths is an *entry*, and entries have one total order:

1. `priority`, higher first;
2. host: exact, then wildcards from the longest, then regular expressions, then any host;
3. path: exact, then prefixes from the longest, then regular expressions, then any path (`/` is any path);
4. more conditions (methods, headers, query, client) first;
5. the order of the file.

A request takes the first entry in this order that accepts it. Dictionaries by host and by path find the few entries
whose host and path fit, so that the cost hardly depends on the number of routes: for each path of the configuration
they hold the *levels* of entries that fit all below it, made beforehand, and a look-up ends with the longest one known.
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
from proxy.routing.match import Methods, Request, Shown, canonical_host
from proxy.routing.path import has_ambiguous_slash

#: Entries in order: of one path, those of a wider one, and so on.
Levels = tuple[tuple[Entry, ...], ...]

# What is remembered of what was asked before is bounded on every side, as clients choose what is asked. Of each
# spelling of a host: where its entries are.
_KNOWN_HOSTS = 16_384
# Where regular expressions or priorities have a say, of each request: the entries that fit. It would be of no use
# elsewhere: looking up costs no more, and with more paths than it holds it would be forgotten before it is asked for.
_KNOWN_REQUESTS = 4096
_KNOWN_BYTES = 256
_KNOWN_ENTRIES = 16
# Sets of hosts' regular expressions that fit one host together.
_KNOWN_SETS = 64
# RFC 1035 section 2.3.4: no longer name exists, and each of its dots costs a look-up.
_HOST_BYTES = 255


class _Paths:
    """The entries of one host, by path.

    @param entries: in order.
    """

    __slots__ = ("_anything", "_exact", "_longest", "_prefix", "_regex", "_rest", "_slashed")

    def __init__(self, entries: Iterable[Entry]) -> None:
        exact: dict[bytes, list[Entry]] = {}
        prefix: dict[bytes, list[Entry]] = {}
        regex: list[tuple[re.Pattern[bytes], Entry]] = []
        anything: list[Entry] = []
        for entry in entries:
            wish = entry.path
            if entry.order[2][0] == ANY or wish is None:
                anything.append(entry)
            elif wish.exact is not None:
                exact.setdefault(canonical_path(wish.exact), []).append(entry)
            elif wish.prefix is not None:
                prefix.setdefault(canonical_path(wish.prefix), []).append(entry)
            elif wish.regex is not None:
                regex.append((wish.regex, entry))
        self._anything: Levels = (tuple(anything),) if anything else ()
        self._rest: Levels = () if regex else self._anything
        self._longest = max(map(len, prefix), default=0)
        self._slashed = any(path.endswith(b"/") for path in prefix)
        # What fits a path of the configuration is looked up in what is there already: first those around it.
        self._regex: tuple[tuple[re.Pattern[bytes], Entry], ...] = ()
        self._exact: dict[bytes, Levels] = {}
        self._prefix: dict[bytes, Levels] = {}
        for path in sorted(prefix, key=len):
            self._prefix[path] = (tuple(prefix[path]), *self.levels(path))
        self._regex = tuple(regex)
        self._exact = {path: (tuple(found), *self.levels(path)) for path, found in exact.items()}

    @property
    def empty(self) -> bool:
        """Whether there are no entries."""
        return not (self._exact or self._prefix or self._regex or self._anything)

    @property
    def searches(self) -> bool:
        """Whether regular expressions have to be asked."""
        return bool(self._regex)

    def levels(self, path: bytes) -> Levels:
        """The entries whose path fits, most specific first (within one priority)."""
        known = self._exact
        if path in known:
            return known[path]
        found = self._rest
        known = self._prefix
        if known:
            # Cut at one segment boundary after the other, from the longest prefix that can be known.
            end = len(path)
            if end > self._longest:
                end = path.rfind(b"/", 0, self._longest + 1)
            slashed = self._slashed
            while end > 0:
                if slashed and end + 1 < len(path) and (prefix := path[: end + 1]) in known:
                    found = known[prefix]
                    break
                if (prefix := path[:end]) in known:
                    found = known[prefix]
                    break
                end = path.rfind(b"/", 0, end)
        if self._regex:
            return (*found, tuple([entry for regex, entry in self._regex if regex.search(path)]), *self._anything)
        return found


class _Several:
    """The entries of several hosts that fit one, the most specific first."""

    __slots__ = ("_hosts",)

    def __init__(self, hosts: Iterable[_Paths]) -> None:
        self._hosts = tuple(hosts)

    def levels(self, path: bytes) -> Levels:
        """The entries whose path fits, in order (within one priority)."""
        return tuple([level for paths in self._hosts for level in paths.levels(path)])


class Router:
    """All routes, filed so that the right one is found quickly. Immutable; see `build`.

    @ivar routes: in the order of the file.
    @ivar entries: in the order in which they count.
    """

    def __init__(self, routes: tuple[Route, ...], entries: tuple[Entry, ...]) -> None:
        self.routes = routes
        self.entries = entries
        exact: dict[bytes, list[Entry]] = {}
        wild: dict[bytes, list[Entry]] = {}
        regex: dict[re.Pattern[bytes], list[Entry]] = {}
        anywhere: list[Entry] = []
        for entry in entries:
            host = entry.host
            if host is None or host.name == "*":
                anywhere.append(entry)
            elif host.regex is not None:
                regex.setdefault(host.regex, []).append(entry)
            elif (name := (host.name or "").encode("ascii")).startswith(b"*."):
                wild.setdefault(name[2:], []).append(entry)
            else:
                exact.setdefault(name, []).append(entry)
        self._exact = {name: _Paths(found) for name, found in exact.items()}
        self._wild = {name: _Paths(found) for name, found in wild.items()}
        self._patterns = regex
        self._regex = {pattern: _Paths(found) for pattern, found in regex.items()}
        self._anywhere = _Paths(anywhere)
        everything = (*self._exact.values(), *self._wild.values(), *self._regex.values(), self._anywhere)
        self._has_priorities = any(route.priority for route in routes)
        self._remembers = self._has_priorities or any(paths.searches for paths in everything)
        self._hosts: dict[bytes, _Paths | _Several] = {}
        self._sets: dict[tuple[re.Pattern[bytes], ...], _Paths] = {}
        self._known: dict[tuple[bytes, bytes], Levels] = {}

    def route(self, host: bytes, path: bytes, method: bytes, fields: Fields, query: bytes, client: str) -> Route | None:
        """The route that a request takes, None where there is none.

        @param host: the authority of the request, as it came.
        @param path: the normalized path.
        @param client: the IP address of the client.
        @raise ProxyError: REQUEST_PATH, where the path has an encoded slash and the route does not allow that.
        """
        request: Request | None = None
        for level in self._levels(host, path):
            for entry in level:
                route = entry.route
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
        for route in {entry.route for level in self._levels(host, path) for entry in level}:
            others = [condition for condition in route.conditions if not isinstance(condition, Methods)]
            if all(condition.accepts(request) for condition in others):
                for condition in route.conditions:
                    if isinstance(condition, Methods):
                        methods |= condition.methods
        return tuple(sorted(methods))

    def _levels(self, authority: bytes, path: bytes) -> Levels:
        """The entries whose host and path fit, in order."""
        if self._remembers:
            return self._known.get((authority, path)) or self._search(authority, path)
        return (self._hosts.get(authority) or self._find_host(authority)).levels(path)

    def _search(self, authority: bytes, path: bytes) -> Levels:
        """The same where it is worth remembering."""
        levels = (self._hosts.get(authority) or self._find_host(authority)).levels(path)
        if self._has_priorities:
            # Within one priority the way through the dictionaries is the order; across priorities it is not.
            levels = (tuple(sorted([entry for level in levels for entry in level], key=order_of)),)
        if len(authority) + len(path) <= _KNOWN_BYTES and sum(map(len, levels)) <= _KNOWN_ENTRIES:
            if len(self._known) >= _KNOWN_REQUESTS:
                self._known.clear()
            self._known[authority, path] = levels
        return levels

    def _find_host(self, authority: bytes) -> _Paths | _Several:
        """Where the entries are whose host fits."""
        host = canonical_host(authority)
        found = [self._exact[host]] if host in self._exact else []
        if self._wild and len(host) <= _HOST_BYTES:
            dot = host.find(b".", 1)
            while dot > 0:
                wild = self._wild.get(host[dot + 1 :])
                if wild is not None:
                    found.append(wild)
                dot = host.find(b".", dot + 1)
        patterns = tuple([regex for regex in self._regex if regex.search(host)]) if self._regex else ()
        if patterns:
            found.append(self._together(patterns))
        if not found or not self._anywhere.empty:
            found.append(self._anywhere)
        place = found[0] if len(found) == 1 else _Several(found)
        if len(authority) <= _HOST_BYTES:
            if len(self._hosts) >= _KNOWN_HOSTS:
                self._hosts.clear()
            self._hosts[authority] = place
        return place

    def _together(self, patterns: tuple[re.Pattern[bytes], ...]) -> _Paths:
        """The entries of several regular expressions: none of these is more specific than another."""
        if len(patterns) == 1:
            return self._regex[patterns[0]]
        paths = self._sets.get(patterns)
        if paths is None:
            entries = [entry for pattern in patterns for entry in self._patterns[pattern]]
            if len(self._sets) >= _KNOWN_SETS:
                self._sets.clear()
            paths = self._sets[patterns] = _Paths(sorted(entries, key=order_of))
        return paths

    def explain(
        self, host: bytes, path: bytes, method: bytes, fields: Fields, query: bytes, client: str, shown: Shown
    ) -> list[tuple[Route, str | None]]:
        """Every route in the order in which they count, each with the first reason why it is not the one, or None.

        Takes the arguments of `route`.

        @param shown: what may be shown of the values that routes ask for.
        """
        return explain(self.entries, Request(canonical_host(host), path, method, fields, query, client), shown)


def build(routes: Iterable[wishes.Route], locate: Locate | None = None) -> Router:
    """A router for the routes of a configuration.

    @param locate: tells where `("routes", 0)` and so on are written: `Loaded.position`.
    """
    with collector_paused():
        made = make_routes(routes, locate)
        return Router(made, make_entries(made))
