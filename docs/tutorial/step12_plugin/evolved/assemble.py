"""The wiring: every object behind the channels is made on this page."""

from __future__ import annotations

from collections.abc import Iterable

from evolved.alarm import Reactor
from evolved.config import Config
from evolved.exchange import Respond
from evolved.resources import Leaf, ProxyResource, RouterResource, answer_from
from evolved.upstream import Address, ProxyClientFactory, Upstream


def parse_address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


def upstream_of(reactor: Reactor, addresses: Iterable[str], seconds: float) -> Upstream:
    return Upstream(ProxyClientFactory(reactor, parse_address(text), seconds) for text in addresses)


def assemble(reactor: Reactor, config: Config) -> Respond:
    """Every object behind the channels, made once, from the wishes."""
    leaves: dict[str, Leaf] = {
        name: ProxyResource(upstream_of(reactor, servers, config.timeout)) for name, servers in config.upstreams.items()
    }
    return answer_from(RouterResource(config.routes, leaves))
