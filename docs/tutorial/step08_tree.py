"""Step 8: a tree of resources. Run: python docs/tutorial/step08_tree.py 8080 shop=127.0.0.1:9001,127.0.0.1:9002"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import cast
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource, getChildForRequest

from step01_splice import listen
from step03_deadline import Reactor
from step04_story import ChannelFactory, Exchange, ProxyError, Respond, Source
from step06_flow import flow
from step07_servers import SECONDS, Upstream, forward_to_any, upstream_of

# Paths that two programs may resolve differently: an encoded slash, backslash or NUL, and a bad escape.
AMBIGUOUS = re.compile(rb"%2f|%5c|%00|\\|%(?![0-9a-f]{2})", re.IGNORECASE)


def split_path(target: bytes) -> list[bytes]:
    """The decoded segments of a request target: `/a/b%20c?q` is [a, b c]. Ambiguous ones are refused.

    If we chose by `/public/../admin` or `//admin` while the server behind us answers `/admin`, the choice
    would be worth nothing. What is sent on is the target as the client wrote it.
    """
    path = target.partition(b"?")[0]
    segments = [unquote_to_bytes(segment) for segment in path.removeprefix(b"/").split(b"/")]
    dots = any(segment.partition(b";")[0] in (b".", b"..") for segment in segments)
    if AMBIGUOUS.search(path) or dots or b"" in segments[:-1]:
        raise ProxyError(Source.CLIENT, "client.request.invalid", 400)
    return segments


@dataclass
class Walk:
    """What a walk down a tree of twisted.web resources reads and writes of a request."""

    postpath: list[bytes]
    prepath: list[bytes]


class Leaf(Resource):
    """A resource that answers exchanges."""

    isLeaf = True

    async def respond(self, exchange: Exchange) -> None:
        raise NotImplementedError


class Branch(Resource):
    """A resource that only has children. What is no Branch and no Leaf cannot answer, so it may not grow here."""

    def putChild(self, path: bytes, child: IResource) -> None:
        if not isinstance(child, Branch | Leaf):
            raise TypeError(f"not a Branch or Leaf: {child!r}")
        super().putChild(path, child)

    def getChild(self, path: bytes, request: IRequest) -> Resource:
        raise ProxyError(Source.CLIENT, "route.none", 404)


class ProxyResource(Leaf):
    """Everything below here is answered by an upstream."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__()
        self._upstream = upstream

    async def respond(self, exchange: Exchange) -> None:
        await forward_to_any(exchange, self._upstream)


class TextResource(Leaf):
    """A page of our own."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    async def respond(self, exchange: Exchange) -> None:
        async with flow(exchange.client):
            exchange.answer(200, self._text)


def answer_from(root: Resource) -> Respond:
    """Walk down the tree, then let the leaf answer."""

    async def respond(exchange: Exchange) -> None:
        walk = Walk(postpath=split_path(exchange.request.target), prepath=[])
        leaf = getChildForRequest(root, cast(IRequest, walk))
        if not isinstance(leaf, Leaf):
            raise ProxyError(Source.CLIENT, "route.none", 404)
        await leaf.respond(exchange)

    return respond


def main(reactor: Reactor, port: str, *mounts: str) -> Deferred[None]:
    root = Branch()
    root.putChild(b"", TextResource("Mounted here: " + " ".join(mounts)))
    for mount in mounts:
        name, _, addresses = mount.partition("=")
        root.putChild(name.encode(), ProxyResource(upstream_of(reactor, addresses.split(","))))
    return listen(reactor, port, ChannelFactory(reactor, answer_from(root), SECONDS))


if __name__ == "__main__":
    react(main, sys.argv[1:])
