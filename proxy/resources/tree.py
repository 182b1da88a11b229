"""The root of the tree, and one node for each route.

The root asks the router once and answers with the node of the route; from there on the node's gates and target have
the exchange. Under a stock `twisted.web.server.Site` the same nodes render stock requests (see `stock`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.web.resource import IResource
from zope.interface import implementer

from proxy.errors import ROUTE_METHOD, ROUTE_NONE, ProxyError
from proxy.gates.chain import Gate, Proceed, compose
from proxy.message import Deadlines, Exchange
from proxy.message.deadlines import DEFAULT
from proxy.resources.stock import StockPage
from proxy.routing.table import Router


class RouteNode:
    """One route: its gates, and what stands behind them.

    @ivar gates: in the order in which a request meets them.
    @ivar deadlines: of exchanges on this route.
    @ivar body_limit: bytes of request body that it takes; 0 for any number.
    """

    # Thousands of these are asked in turn: what lies closely together is in the processor's cache sooner.
    __slots__ = ("_proceed", "body_limit", "deadlines", "gates", "name")

    def __init__(
        self,
        name: str,
        target: Proceed,
        gates: Sequence[Gate] = (),
        deadlines: Deadlines = DEFAULT,
        body_limit: int = 0,
    ) -> None:
        self.name = name
        self.gates = tuple(gates)
        self.deadlines = deadlines
        self.body_limit = body_limit
        self._proceed = compose(gates, target)

    def respond(self, exchange: Exchange) -> Any:
        """The walk of one exchange through this route, not begun yet.

        @raise ProxyError: its body is too large.
        """
        exchange.record.route = self.name
        exchange.deadlines = self.deadlines
        limit = getattr(exchange.body, "limit", None)
        if limit is not None:
            limit(self.body_limit)
        return self._proceed(exchange)

    def __repr__(self) -> str:
        return f"<RouteNode {self.name}>"


@implementer(IResource)
class Root:
    """The root: a router and the nodes of its routes.

    @ivar nodes: by `Route.place`.
    """

    isLeaf = False

    def __init__(self, router: Router, nodes: Sequence[RouteNode] | Mapping[int, RouteNode]) -> None:
        self.router = router
        self.nodes = nodes

    def resource_for(self, exchange: Exchange) -> RouteNode:
        """The node that answers `exchange`.

        @raise ProxyError: no route matches.
        """
        head = exchange.head
        route = self.router.route(
            head.host, exchange.path, head.method, head.fields, head.target.partition(b"?")[2], exchange.client
        )
        if route is None:
            raise self._no_route(exchange)
        exchange.route = route
        return self.nodes[route.place]

    def _no_route(self, exchange: Exchange) -> ProxyError:
        """There is none, or only for other methods."""
        head = exchange.head
        query = head.target.partition(b"?")[2]
        allowed = self.router.allowed_methods(head.host, exchange.path, head.fields, query, exchange.client)
        if allowed:
            methods = b", ".join(allowed)  # RFC 9110 section 15.5.6: a 405 says what is allowed
            return ProxyError(ROUTE_METHOD, f"{head.method!r}, allowed: {methods!r}", fields=((b"Allow", methods),))
        return ProxyError(ROUTE_NONE, f"{head.host!r} {exchange.path!r}")

    # --- IResource: for a stock Site ----------------------------------------------------------------------

    def getChildWithDefault(self, name: bytes, request: Any) -> StockPage:
        return StockPage(self)

    def putChild(self, path: bytes, child: Any) -> None:
        raise NotImplementedError("the children of the root are the routes of the configuration")

    def render(self, request: Any) -> Any:
        return StockPage(self).render(request)
