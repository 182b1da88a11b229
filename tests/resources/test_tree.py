"""The root asks the router once, and its answer is the node of a route."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.web.resource import IResource
from zope.interface.verify import verifyObject

from proxy.config import load_text
from proxy.errors import BODY_TOO_LARGE, ROUTE_METHOD, ROUTE_NONE, ProxyError
from proxy.message import Deadlines, Exchange, Fields, Response, ResponseHead
from proxy.resources.answers import Respond
from proxy.resources.tree import Root, RouteNode
from proxy.routing import build
from tests.gates.walk import ended, exchange

ROUTES = """
routes:
  - {name: api, host: example.com, path: /api, methods: [GET, PUT], respond: 204}
  - {name: other, host: example.com, path: /other, respond: 204}
"""


def root() -> Root:
    loaded = load_text(ROUTES, "routes.yaml", {})
    router = build(loaded.require().routes, loaded.position)
    return Root(router, [RouteNode(route.name, Respond(204)) for route in router.routes])


def asked(method: bytes, target: bytes) -> Exchange:
    made = exchange(target)
    made.head = made.head._replace(method=method)
    return made


def test_each_exchange_finds_the_node_of_its_route() -> None:
    tree = root()
    for target, name in ((b"/api/x", "api"), (b"/other", "other")):
        made = exchange(target)
        node = tree.resource_for(made)
        assert node.name == name
        assert made.route.name == name
        assert repr(node) == f"<RouteNode {name}>"


@pytest.mark.parametrize(
    ("method", "target", "reason"),
    [(b"GET", b"/apix", ROUTE_NONE), (b"GET", b"/", ROUTE_NONE), (b"DELETE", b"/api", ROUTE_METHOD)],
)
def test_no_route_and_no_route_for_this_method_are_two_things(method: bytes, target: bytes, reason: Any) -> None:
    with pytest.raises(ProxyError) as failed:
        root().resource_for(asked(method, target))
    assert failed.value.reason is reason


def test_a_node_sets_the_terms_and_runs_its_gates_before_its_target() -> None:
    async def gate(exchange: Exchange, proceed: Any) -> Response:
        seen.append(exchange.record.route)
        return await proceed(exchange)  # type: ignore[no-any-return] # Proceed, as in proxy.gates.chain

    seen: list[str] = []
    terms = Deadlines(response_head=5)
    node = RouteNode("api", Respond(204), [gate], terms)
    made = exchange()
    assert ended(node.respond(made)).head == ResponseHead(204, b"No Content", Fields())
    assert seen == ["api"]
    assert made.deadlines is terms


def test_a_body_that_is_too_large_for_the_route_is_refused_before_anything_runs() -> None:
    class Announced:
        length = 11

        def limit(self, size: int) -> None:
            if size < self.length:
                raise ProxyError(BODY_TOO_LARGE)

    made = exchange()
    body: Any = Announced()
    made.body = body
    with pytest.raises(ProxyError):
        RouteNode("api", Respond(204), body_limit=10).respond(made)


def test_the_root_is_a_resource_like_any_other() -> None:
    tree = root()
    assert verifyObject(IResource, tree)
    with pytest.raises(NotImplementedError):
        tree.putChild(b"x", None)
