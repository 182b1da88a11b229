"""Step 9: host and path, decided by a pure function.

Run: python docs/tutorial/step09_router.py 8080 example.test/api=127.0.0.1:9001 /=127.0.0.1:9002,127.0.0.1:9003
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource, getChildForRequest

from http1 import values
from step01_splice import listen
from step03_deadline import Reactor
from step04_story import ChannelFactory, Exchange, ProxyError, Respond, Source
from step07_servers import SECONDS, upstream_of
from step08_tree import Leaf, ProxyResource, split_path


@dataclass(frozen=True)
class Route:
    """Which requests (`host`, or any host; a path that begins with these segments) go to which upstream."""

    host: str | None
    path: tuple[bytes, ...]
    upstream: str


def normal_host(value: bytes) -> str:
    """A Host field as a name to compare: no port, no final dot, lower case."""
    host = value.decode("ascii")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name.removesuffix(".").lower()


def choose_route(routes: Sequence[Route], host: str, path: Sequence[bytes]) -> Route | None:
    """The most specific route that fits, whatever the order: a named host before any, then the longest path.

    Pure: it reads nothing but its arguments, so a test is one line, and so is the question "why this one?".
    """
    fitting = [route for route in routes if route.host in (None, host) and tuple(path[: len(route.path)]) == route.path]
    return max(fitting, key=lambda route: (route.host is not None, len(route.path)), default=None)


@dataclass
class Walk:
    """What a walk down a tree of twisted.web resources reads and writes of a request, and the host."""

    postpath: list[bytes]
    prepath: list[bytes]
    host: str


class RouterResource(Resource):
    """The root of the tree: asks the router once, and the answer is a leaf."""

    def __init__(self, routes: Sequence[Route], leaves: dict[str, Leaf]) -> None:
        super().__init__()
        self._routes, self._leaves = tuple(routes), leaves

    def getChildWithDefault(self, path: bytes, request: IRequest) -> Leaf:
        walk = cast(Walk, request)
        route = choose_route(self._routes, walk.host, [*walk.prepath, *walk.postpath])
        if route is None:
            raise ProxyError(Source.CLIENT, "route.none", 404)
        return self._leaves[route.upstream]


def answer_from(root: Resource) -> Respond:
    """Walk down the tree, then let the leaf answer."""

    async def respond(exchange: Exchange) -> None:
        (host,) = values(exchange.request.fields, b"host")
        walk = Walk(split_path(exchange.request.target), [], normal_host(host))
        leaf = getChildForRequest(root, cast(IRequest, walk))
        if not isinstance(leaf, Leaf):
            raise ProxyError(Source.CLIENT, "route.none", 404)
        await leaf.respond(exchange)

    return respond


def split_prefix(path: str) -> tuple[bytes, ...]:
    """`/a/b`, `a/b` and `/a/b/` are the same prefix; `/` is the empty one."""
    return tuple(segment.encode() for segment in path.split("/") if segment)


def parse_route(text: str) -> Route:
    """`host/path=servers`; the host may be missing. The servers, as they are written, name the upstream."""
    place, _, servers = text.partition("=")
    host, _, path = place.partition("/")
    return Route(host.lower() or None, split_prefix(path), servers)


def main(reactor: Reactor, port: str, *arguments: str) -> Deferred[None]:
    routes = [parse_route(text) for text in arguments]
    names = {route.upstream for route in routes}
    leaves: dict[str, Leaf] = {name: ProxyResource(upstream_of(reactor, name.split(","))) for name in names}
    respond = answer_from(RouterResource(routes, leaves))
    return listen(reactor, port, ChannelFactory(reactor, respond, SECONDS))


if __name__ == "__main__":
    react(main, sys.argv[1:])
