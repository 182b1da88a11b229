"""Why a request takes the route it takes, and why it takes none of the others."""

from __future__ import annotations

from collections.abc import Iterable

from proxy.config import routes as wishes
from proxy.routing.entries import Entry, Route, canonical_path
from proxy.routing.match import Request, Shown
from proxy.routing.path import has_ambiguous_slash


def explain(entries: Iterable[Entry], request: Request, shown: Shown) -> list[tuple[Route, str | None]]:
    """Every route in the order in which they count, each with the first reason why it is not the one, or None.

    Asks one entry after the other, without the dictionaries of the router: the same conditions, the same order.

    @param shown: what may be shown of the values that routes ask for.
    """
    chosen: Entry | None = None
    fitting: set[Route] = set()
    said: dict[Route, str | None] = {}
    for entry in entries:
        reason = rejection(entry, request, shown)
        if reason is not None:
            said.setdefault(entry.route, reason)
        elif chosen is None:
            chosen = entry
            said[entry.route] = _refusal(entry.route, request)
        elif entry.route is not chosen.route and entry.route not in fitting:
            # That one of its hosts and paths fits says more than that another does not.
            fitting.add(entry.route)
            said[entry.route] = f"it fits, but {chosen.route.name} {advantage(chosen, entry)}"
    return list(said.items())


def rejection(entry: Entry, request: Request, shown: Shown) -> str | None:
    """The first reason why `entry` does not accept `request`, None where it does."""
    host, path = entry.host, entry.path
    if host is not None and not host_fits(host, request.host):
        return f"the host is not {host.name}" if host.name else f"the host does not match {_pattern(host)}"
    if path is not None and not path_fits(path, request.path):
        if path.exact is not None:
            return f"the path is not {path.exact}"
        return f"the path is not below {path.prefix}" if path.prefix else f"the path does not match {_pattern(path)}"
    for condition in entry.route.conditions:
        if not condition.accepts(request):
            return condition.unmet(shown)
    return None


def host_fits(wish: wishes.HostMatch, host: bytes) -> bool:
    """Whether the canonical `host` is what `wish` asks for."""
    if wish.regex is not None:
        return wish.regex.search(host) is not None
    name = (wish.name or "*").encode("ascii")
    if name == b"*":
        return True
    if name.startswith(b"*."):
        return host.endswith(name[1:]) and len(host) > len(name) - 1
    return host == name


def path_fits(wish: wishes.PathMatch, path: bytes) -> bool:
    """Whether the normalized `path` is what `wish` asks for."""
    if wish.regex is not None:
        return wish.regex.search(path) is not None
    if wish.exact is not None:
        return path == canonical_path(wish.exact)
    prefix = canonical_path(wish.prefix or "/")
    return path == prefix or path.startswith(prefix if prefix.endswith(b"/") else prefix + b"/")


def advantage(winner: Entry, loser: Entry) -> str:
    """What makes `winner` count before `loser`."""
    reasons = (
        "has the higher priority",
        "has the more specific host",
        "has the more specific path",
        "has more conditions",
    )
    for reason, mine, other in zip(reasons, winner.order, loser.order, strict=False):
        if mine != other:
            return reason
    return "stands before it in the file"


def _refusal(route: Route, request: Request) -> str | None:
    if route.wish.encoded_slash == "reject" and has_ambiguous_slash(request.path):
        return "it fits, but refuses encoded slashes: the answer is 400"
    return None


def _pattern(wish: wishes.HostMatch | wishes.PathMatch) -> str:
    return wish.regex.pattern.decode("utf-8") if wish.regex is not None else ""
