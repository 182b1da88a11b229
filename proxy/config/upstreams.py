"""Upstreams: named pools of servers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from proxy import limits
from proxy.config.address import Address, parse_address
from proxy.config.bounds import UpstreamTimeouts
from proxy.config.values import Name, OneOrMany, ShortWish, StrictInt, Wish, wrong

ServerAddress = Annotated[
    Address,
    PlainValidator(parse_address),
    WithJsonSchema({"type": "string", "examples": ["http://127.0.0.1:9001", "unix:/run/app.sock"]}),
]


class Server(ShortWish):
    """One server of an upstream.

    @ivar url: where it is.
    @ivar weight: its share of the requests, relative to its siblings'; 0 takes it out.
    @ivar name: what logs and metrics call it; its address where None.
    """

    shorthand = "url"

    url: ServerAddress
    weight: Annotated[StrictInt, Field(ge=0, le=1000)] = 1
    name: Name | None = None

    @property
    def label(self) -> str:
        return self.name or self.url.text


class UpstreamSettings(Wish):
    """How servers are chosen and spoken to.

    @ivar connections: at most this many open connections to each server.
    @ivar idle_connections: at most this many of them are kept open while unused.
    @ivar host: whether the server sees the client's Host or its own address.
    """

    balance: Literal["round_robin"] = "round_robin"
    connections: Annotated[StrictInt, Field(ge=1, le=65536)] = limits.UPSTREAM_CONNECTIONS
    idle_connections: Annotated[StrictInt, Field(ge=0, le=65536)] = limits.UPSTREAM_IDLE_CONNECTIONS
    host: Literal["keep", "upstream"] = "keep"
    timeouts: UpstreamTimeouts = UpstreamTimeouts()


class Upstream(UpstreamSettings):
    """A pool of servers that serve the same."""

    servers: Annotated[tuple[Server, ...], Field(min_length=1), OneOrMany()]

    @model_validator(mode="after")
    def _tell_apart(self) -> Self:
        seen: set[str] = set()
        for place, server in enumerate(self.servers):
            if server.label in seen:
                hint = "give it a weight instead" if server.name is None else "rename one of them"
                raise wrong(
                    "duplicate-server", f"the server `{server.label}` is listed twice", hint, at=("servers", place)
                )
            seen.add(server.label)
        return self
