"""Upstreams: named pools of servers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from proxy import limits
from proxy.config.address import Address, parse_address
from proxy.config.balancing import Balance, Panic, Sticky
from proxy.config.bounds import UpstreamTimeouts
from proxy.config.health import EjectionWish, OptionalAgent, OptionalBreaker, OptionalEjection, OptionalHealth, off
from proxy.config.retrying import Queue, Retries
from proxy.config.tls import UpstreamTls
from proxy.config.values import (
    AlsoWritten,
    Duration,
    Name,
    OneOrMany,
    PositiveDuration,
    ShortWish,
    StrictBool,
    StrictInt,
    Wish,
    wrong,
)

_EXAMPLES = ["http://127.0.0.1:9001", "https://10.0.0.1", "unix:/run/app.sock", "srv://_http._tcp.api.internal"]
_EXAMPLES += ["https+unix:/run/app.sock", "https+srv://_https._tcp.api.internal"]
ServerAddress = Annotated[
    Address,
    PlainValidator(parse_address),
    WithJsonSchema({"type": "string", "examples": _EXAMPLES}),
]


class Server(ShortWish):
    """One server of an upstream.

    @ivar url: where it is.
    @ivar weight: its share of the requests, relative to its siblings'; with 0 it gets nothing new but those who stick.
    @ivar backup: it gets requests only while no other server can take them.
    @ivar priority: the same in more steps: 0 comes first.
    @ivar name: what logs and metrics call it; its address where None.
    """

    shorthand = "url"

    url: ServerAddress
    weight: Annotated[StrictInt, Field(ge=0, le=1000)] = 1
    backup: StrictBool = False
    priority: Annotated[StrictInt, Field(ge=0, le=100)] | None = None
    name: Name | None = None

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.backup and self.priority is not None:
            raise wrong("contradiction", "`backup` is short for `priority: 1`", "keep one of the two", at="backup")
        return self

    @property
    def rank(self) -> int:
        """Its priority, however written."""
        return int(self.backup) if self.priority is None else self.priority

    @property
    def label(self) -> str:
        return self.name or self.url.text


class UpstreamSettings(Wish):
    """How servers are chosen, watched and spoken to.

    @ivar slow_start: how long a server that came back takes to grow to its full share; 0.0 for at once.
    @ivar panic: below this part of available servers health is ignored; None for never, 0.0 for when there is none.
    @ivar connections: at most this many requests under way at each server.
    @ivar idle_connections: at most this many unused connections to each are kept open.
    @ivar idle: how long one is kept at first; what the server does is learned from.
    @ivar idle_max: how long one is kept at most.
    @ivar tls: how servers that are written `https://` are spoken to.
    @ivar host: whether the server sees the client's Host or its own address.
    """

    balance: Balance = Balance(algorithm="round_robin")
    slow_start: Duration = 0.0
    panic: Panic = None
    sticky: Annotated[Sticky | None, BeforeValidator(off), AlsoWritten(False)] = None
    health: OptionalHealth = None
    agent: OptionalAgent = None
    ejection: OptionalEjection = EjectionWish()
    breaker: OptionalBreaker = None
    queue: Queue = Queue()
    retries: Retries = Retries()
    connections: Annotated[StrictInt, Field(ge=1, le=65536)] = limits.UPSTREAM_CONNECTIONS
    idle_connections: Annotated[StrictInt, Field(ge=0, le=65536)] = limits.UPSTREAM_IDLE_CONNECTIONS
    idle: PositiveDuration = limits.UPSTREAM_IDLE_SECONDS
    idle_max: PositiveDuration = limits.UPSTREAM_IDLE_MAX_SECONDS
    tls: UpstreamTls | None = None
    host: Literal["keep", "upstream"] = "keep"
    timeouts: UpstreamTimeouts = UpstreamTimeouts()

    @model_validator(mode="after")
    def _idle_fits(self) -> Self:
        if self.idle > self.idle_max:
            at = "idle" if "idle" in self.model_fields_set else "idle_max"
            raise wrong("contradiction", "`idle` is longer than `idle_max`", at=at)
        return self


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
