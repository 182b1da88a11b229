"""The route tests of a configuration: each request goes through the router, and what comes of it is compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from proxy.config import Loaded, Problem
from proxy.config import routes as wishes
from proxy.config.address import looks_like_address, parse_address
from proxy.config.expectations import RouteTest
from proxy.config.gates import Gate
from proxy.errors import ROUTE_METHOD, ROUTE_NONE, ProxyError, Reason
from proxy.message import Fields
from proxy.routing.entries import Route
from proxy.routing.path import normalize
from proxy.routing.table import Router

#: The `Location` of a redirect, for the raw target of a request.
Location = Callable[[wishes.Redirect, bytes], bytes]

# RFC 3986 section 3.3: what a gate may leave in a path as it is.
_UNSAFE = re.compile(rb"[^!$&'()*+,\-./0-9:;=@A-Z_a-z~%]|%(?![0-9A-Fa-f]{2})")


class _Outcome(NamedTuple):
    """What would come of a request: a route and a path, or the reason why there is none."""

    route: Route | None
    path: bytes
    reason: Reason | None


class Failure(NamedTuple):
    """One expectation of a route test that is not met.

    @ivar key: which: `route`, `upstream`, `path`, `status` or `headers`.
    @ivar message: both, and what came of the request, in one sentence.
    """

    key: str
    expected: str
    got: str
    message: str


def rehearse(loaded: Loaded, router: Router, location: Location) -> list[Problem]:
    """An error for each expectation of `tests:` that is not met.

    @param location: where redirects lead, which the routing room does not know.
    """
    return [
        loaded.problem_at(("tests", place, failure.key), "test-failed", failure.message, error=True)
        for place, test in enumerate(loaded.require().tests)
        for failure in failures(test, router, location)
    ]


def path_after(gates: Iterable[Gate], path: bytes) -> bytes:
    """The path that is left of the normalized `path` behind `gates`."""
    for gate in gates:
        changed = path
        if gate.strip_prefix is not None and (path == gate.strip_prefix or path.startswith(gate.strip_prefix + b"/")):
            changed = path[len(gate.strip_prefix) :]
        elif gate.add_prefix is not None:
            changed = gate.add_prefix + path
        elif gate.rewrite is not None:
            changed = gate.rewrite.regex.sub(gate.rewrite.template, path)
        if changed != path:
            changed = changed if changed.startswith(b"/") else b"/" + changed
            path = _UNSAFE.sub(lambda match: b"%%%02X" % match.group()[0], changed)
    return path


def failures(test: RouteTest, router: Router, location: Location) -> Iterator[Failure]:
    """Every expectation of `test` that is not met.

    @param location: as `rehearse` takes it.
    """
    found = _outcome(test, router)
    route = found.route
    got = f"the route `{route.name}`" if route else f"no route ({found.reason.code})" if found.reason else "no route"
    if test.route is not None and (route is None or route.name != test.route):
        yield Failure("route", test.route, got, f"expected the route `{test.route}`, got {got}")
    if test.upstream is not None:
        wanted = parse_address(test.upstream).text if looks_like_address(test.upstream) else test.upstream
        if route is None or wanted not in route.wish.upstreams:
            whole = f"{got} to {_target(route)}"
            yield Failure("upstream", wanted, whole, f"expected the upstream `{test.upstream}`, got {whole}")
    if test.path is not None:
        path = path_after(route.wish.gates, found.path) if route else found.path
        if route is None or path != test.path.encode("utf-8"):
            text = path.decode("utf-8", "replace")
            yield Failure("path", test.path, text, f"expected the path `{test.path}`, got {got} with `{text}`")
    yield from _answer_failures(test, found, location, got)


def _target(route: Route | None) -> str:
    if route is None:
        return "nowhere"
    return " and ".join(f"`{name}`" for name in route.wish.upstreams) or f"`{route.wish.target}`"


def _outcome(test: RouteTest, router: Router) -> _Outcome:
    line = test.request.line
    fields = Fields((name, value) for name, values in test.request.headers.items() for value in values)
    query = line.target.partition(b"?")[2]
    path = b""
    try:
        path = normalize(line.target)
        route = router.route(line.host, path, line.method, fields, query, test.request.client)
    except ProxyError as error:
        return _Outcome(None, path, error.reason)
    if route is not None:
        return _Outcome(route, path, None)
    helped = router.allowed_methods(line.host, path, fields, query, test.request.client)
    return _Outcome(None, path, ROUTE_METHOD if helped else ROUTE_NONE)


def _answer_failures(test: RouteTest, found: _Outcome, location: Location, got: str) -> Iterator[Failure]:
    if test.status is None and not test.headers:
        return
    wish = found.route.wish if found.route is not None else None
    if wish is not None and wish.redirect is None and wish.respond is None:
        key = "status" if test.status is not None else "headers"
        whole = f"{got} to {_target(found.route)}: what that answers is not known before"
        yield Failure(key, "an answer of the proxy itself", whole, f"got {whole}")
        return
    status = found.reason.status if found.reason is not None else _status(wish)
    if test.status is not None and status != test.status:
        message = f"expected the status {test.status}, got {status} from {got}"
        yield Failure("status", str(test.status), f"{status} from {got}", message)
    fields = _fields(wish, test.request.line.target, location) if wish is not None else Fields()
    for name, value in test.headers.items():
        values = fields.all(name.lower())
        if value not in values:
            wanted = f"{name.decode('ascii')}: {value.decode('utf-8', 'replace')}"
            said = " and ".join(f"`{one.decode('utf-8', 'replace')}`" for one in values) or "no such field"
            message = f"expected `{wanted}`, got {said} from {got}"
            yield Failure("headers", wanted, f"{said} from {got}", message)


def _status(wish: wishes.Route | None) -> int:
    if wish is None:
        return 0
    if wish.redirect is not None:
        return wish.redirect.status
    return wish.respond.status if wish.respond is not None else 0


def _fields(wish: wishes.Route, target: bytes, location: Location) -> Fields:
    """The fields of the answer, as the gates of the route leave them."""
    fields = Fields()
    if wish.redirect is not None:
        fields = fields.added((b"Location", location(wish.redirect, target)))
    if wish.respond is not None:
        fields = fields.added(*((name, value) for name, values in wish.respond.headers.items() for value in values))
    for gate in reversed(wish.gates):
        if gate.headers is None:
            continue
        changes = gate.headers.response
        fields = fields.without(name.lower() for name in (*changes.remove, *changes.set))
        for named in (changes.set, changes.add):
            fields = fields.added(*((name, value) for name, values in named.items() for value in values))
    return fields
