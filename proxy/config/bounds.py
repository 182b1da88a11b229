"""Deadlines and limits, with the defaults of `proxy.limits`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from proxy import limits
from proxy.config.values import Duration, PositiveDuration, Size, StrictInt, Wish, wrong


class Timeouts(Wish):
    """Every deadline in force, in seconds; 0.0 is "none". All but the first two and `connect` are idle times,
    never totals."""

    tls_handshake: PositiveDuration = limits.TLS_HANDSHAKE_SECONDS
    request_head: PositiveDuration = limits.HEAD_SECONDS
    body_idle: Duration = limits.BODY_IDLE_SECONDS
    write_stall: Duration = limits.WRITE_STALL_SECONDS
    keep_alive: PositiveDuration = limits.KEEP_ALIVE_SECONDS
    connect: PositiveDuration = limits.CONNECT_SECONDS
    response_head: Duration = limits.RESPONSE_HEAD_SECONDS
    response_idle: Duration = limits.RESPONSE_IDLE_SECONDS
    tunnel_idle: Duration = limits.TUNNEL_IDLE_SECONDS

    @property
    def stream_idle(self) -> float:
        """`response_idle` for server-sent events and gRPC: what somebody wrote, and never the default, which would cut
        streams that are quiet for good reasons."""
        return self.response_idle if "response_idle" in self.model_fields_set else 0.0

    def overlaid(self, other: UpstreamTimeouts | RouteTimeouts) -> Timeouts:
        """These deadlines with those that `other` sets in their place."""
        given = {name: value for name in Timeouts.model_fields if (value := getattr(other, name, None)) is not None}
        return self.model_copy(update=given) if given else self


class UpstreamTimeouts(Wish):
    """The deadlines that an upstream may set for itself; None takes the general one."""

    connect: PositiveDuration | None = None
    response_head: Duration | None = None
    response_idle: Duration | None = None


class RouteTimeouts(Wish):
    """The deadlines that a route may set for itself; None takes the upstream's, else the general one."""

    body_idle: Duration | None = None
    write_stall: Duration | None = None
    connect: PositiveDuration | None = None
    response_head: Duration | None = None
    response_idle: Duration | None = None
    tunnel_idle: Duration | None = None


class Limits(Wish):
    """What one client may send. Sizes in bytes; `body` 0 is "no limit"."""

    head: Size = limits.REQUEST_HEAD_BYTES
    line: Size = limits.REQUEST_LINE_BYTES
    fields: Annotated[StrictInt, Field(ge=1, le=10_000)] = limits.REQUEST_FIELDS
    body: Size = limits.REQUEST_BODY_BYTES
    requests_per_connection: Annotated[StrictInt, Field(ge=1)] = limits.REQUESTS_PER_CONNECTION

    @model_validator(mode="after")
    def _fit(self) -> Self:
        for name in ("head", "line"):
            if not 256 <= getattr(self, name) <= limits.MIB:
                raise wrong("range", f"`{name}` must be from 256B to 1MiB", at=name)
        if self.line > self.head:
            raise wrong("contradiction", "`line` is larger than `head`, which contains it", at="line")
        return self


class RouteLimits(Wish):
    """The limits that a route may set for itself; None takes the general one."""

    body: Size | None = None
