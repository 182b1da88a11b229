"""The tree: its root asks the router once, its leaves answer exchanges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from twisted.web.iweb import IRequest
from twisted.web.resource import Resource, getChildForRequest

from evolved.errors import ProxyError, Source
from evolved.exchange import Exchange, Respond
from evolved.routing import Route, choose_route, normal_host, split_path
from evolved.upstream import Upstream, forward_to_any
from evolved.wire import values


@dataclass
class Walk:
    """What a walk down a tree of twisted.web resources reads and writes of a request, and the host."""

    postpath: list[bytes]
    prepath: list[bytes]
    host: str


class Leaf(Resource):
    """A resource that answers exchanges."""

    isLeaf = True

    async def respond(self, exchange: Exchange) -> None:
        raise NotImplementedError


class ProxyResource(Leaf):
    """Everything below here is answered by an upstream."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__()
        self._upstream = upstream

    async def respond(self, exchange: Exchange) -> None:
        await forward_to_any(exchange, self._upstream)


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
