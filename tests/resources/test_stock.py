"""Our tree under a stock `twisted.web.server.Site`: the same routes, gates and targets in any Twisted application."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import Site

from proxy.config import load_text
from proxy.gates.path import strip_prefix
from proxy.message import Exchange, Response
from proxy.resources.answers import Respond
from proxy.resources.tree import Root, RouteNode
from proxy.routing import build
from tests.support.ends import End
from tests.support.playbook import Play, playing

ROUTES = """
routes:
  - {name: hello, host: a, path: /hello, respond: 204}
  - {name: api, host: a, path: /api, respond: 204}
  - {name: broken, host: a, path: /broken, respond: 204}
"""


async def broken(exchange: Exchange) -> Response:
    raise ZeroDivisionError


def visit(play: Play, resource: Any = None) -> End:
    """Somebody connects to a stock site whose one route to servers is `play`'s."""
    loaded = load_text(ROUTES, "routes.yaml", {})
    router = build(loaded.require().routes, loaded.position)
    nodes = {
        "hello": RouteNode("hello", Respond(200, b"hello")),
        "api": RouteNode("api", play.node.respond, [strip_prefix(b"/api")]),
        "broken": RouteNode("broken", broken),
    }
    reactor: Any = Clock()
    site = Site(resource or Root(router, [nodes[route.name] for route in router.routes]), reactor=reactor)
    site.log = lambda request: None  # type: ignore[method-assign] # it would ask the clock of the process
    end = End(play.clock, IPv4Address("TCP", "192.0.2.7", 50000))
    end.joins(site.buildProtocol(end.transport.getPeer()))
    return end


def asking(path: bytes, method: bytes = b"GET", rest: bytes = b"\r\n") -> bytes:
    return b"%b %b HTTP/1.1\r\nHost: a\r\n%b" % (method, path, rest)


def test_a_target_answers() -> None:
    with playing() as play:
        client = visit(play)
        client.says(asking(b"/hello"))
        heard = client.takes()
        assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Content-Length: 5\r\n" in heard
        assert heard.endswith(b"hello")
        client.leaves()


def test_an_upstream_answers_through_the_gates() -> None:
    with playing() as play:
        client = visit(play)
        client.says(asking(b"/api/x?y", b"POST", b"Content-Length: 3\r\n\r\nabc"))
        server = play.server()
        said = server.takes()
        assert said.startswith(b"POST /x?y HTTP/1.1\r\nHost: a\r\n")
        assert b"X-Forwarded-Prefix: /api\r\n" in said
        assert said.endswith(b"Content-Length: 3\r\n\r\nabc")
        server.says(b"HTTP/1.1 201 Made\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok")
        heard = client.takes()
        assert heard.startswith(b"HTTP/1.1 201 Made\r\n")
        assert b"X-A: 1\r\n" in heard
        assert heard.endswith(b"ok")
        client.leaves()


def test_a_body_without_length_comes_in_chunks() -> None:
    with playing() as play:
        client = visit(play)
        client.says(asking(b"/api/"))
        play.server().says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        assert client.takes().endswith(b"\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        client.leaves()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [(b"/none", 404, b"route.none"), (b"/%00", 400, b"client.request.path"), (b"/broken", 500, b"proxy.internal")],
)
def test_failures_are_the_same_small_answers(path: bytes, status: int, code: bytes) -> None:
    with playing() as play:
        client = visit(play)
        client.says(asking(path))
        heard = client.takes()
        assert heard.startswith(b"HTTP/1.1 %d " % status)
        assert b"reason: %b\n" % code in heard
        client.leaves()
        play.errors.clear()


def test_a_client_that_leaves_takes_its_request_with_it() -> None:
    with playing() as play:
        client = visit(play)
        client.says(asking(b"/api/"))
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12")
        client.leaves()
        assert server.was_cut


def test_a_client_that_leaves_before_there_is_a_response() -> None:
    with playing() as play:
        client = visit(play)
        client.says(asking(b"/api/"))
        server = play.server()
        client.leaves()
        assert server.was_cut


def test_half_a_body_is_not_passed_off_as_a_whole_one() -> None:
    with playing() as play:
        client = visit(play)
        client.says(asking(b"/api/"))
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        server.leaves()
        assert not client.takes().endswith(b"0\r\n\r\n")
        assert client.closed is not None


def test_the_tree_hangs_below_another_one() -> None:
    with playing() as play:
        loaded = load_text(ROUTES, "routes.yaml", {})
        router = build(loaded.require().routes, loaded.position)
        root = Root(router, [RouteNode(route.name, Respond(200, b"found")) for route in router.routes])
        top: Any = Resource()
        top.putChild(b"hello", root)
        client = visit(play, top)
        client.says(asking(b"/hello/there"))
        assert client.takes().endswith(b"found")
        client.leaves()
