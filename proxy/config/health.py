"""How an upstream finds out which of its servers work, as written."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from proxy import limits
from proxy.config.fractions import Fraction
from proxy.config.gates import OwnField
from proxy.config.values import (
    AlsoWritten,
    FieldName,
    FieldValue,
    PositiveDuration,
    Regex,
    ShortWish,
    StrictInt,
    Text,
    Token,
    Wish,
    shown,
    wrong,
)

_RANGE = re.compile(r"\s*([1-9][0-9]{2})(?:\s*-\s*([1-9][0-9]{2}))?\s*")
_TARGET = re.compile(r"/[!-\"$-~]*")
_HOST = re.compile(r"[A-Za-z0-9._-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")

Count = Annotated[StrictInt, Field(ge=1, le=1000)]


def statuses(value: Any) -> tuple[range, ...]:
    """Ranges of statuses: `204`, `200-399`, `200, 204`, or a list of such."""
    items = value if isinstance(value, list | tuple) else [value]
    ranges: list[range] = []
    for item in items:
        if isinstance(item, range):
            ranges.append(item)  # a default
            continue
        for part in str(item).split(",") if isinstance(item, str | int) and not isinstance(item, bool) else [""]:
            match = _RANGE.fullmatch(part)
            first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
            if last > 599 or (match and last < first) or not match:
                hint = "write for example 204, 200-399 or [200, 204]"
                raise wrong("status", f"{shown(item)} is no status and no range of them", hint)
            ranges.append(range(first, last + 1))
    if not ranges:
        raise wrong("empty-list", "`status` needs at least one item")
    return tuple(ranges)


def _target(value: Any) -> bytes:
    if not isinstance(value, str) or not _TARGET.fullmatch(value):
        hint = "write `tcp` to see only whether it accepts" if value is True else "it begins with /"
        if value == "grpc":
            hint = "gRPC needs HTTP/2 to servers, which is not there yet; `tcp` sees whether it accepts"
        raise wrong("path", f"{shown(value)} is not a path to ask for", hint)
    return value.encode("ascii")


def _host(value: Any) -> bytes:
    if not isinstance(value, str) or not _HOST.fullmatch(value):
        raise wrong("host", f"{shown(value)} is not a host", "write for example app.internal or app.internal:8080")
    return value.encode("ascii")


def _probe(value: Any) -> Any:
    """`tcp` is short for {tcp: true}, and false takes back what `defaults` say."""
    if value == "tcp":
        return {"tcp": True}
    return None if value is False else value


def off(value: Any) -> Any:
    """`false` takes back what `defaults` say."""
    return None if value is False else value


def _default_or_off(value: Any) -> Any:
    return {} if value is True else None if value is False else value


Statuses = Annotated[
    tuple[range, ...],
    PlainValidator(statuses),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 100, "maximum": 599},
                {"type": "string"},
                {"type": "array", "items": {"type": ["integer", "string"]}},
            ],
            "examples": ["200-399", 204],
        }
    ),
]


class Health(ShortWish):
    """Ask every server, from time to time, how it is: `/path`, or `tcp` to see only whether it accepts connections.

    @ivar host: in the probe's Host; None for the server's own name.
    @ivar headers: sent with the probe.
    @ivar status: what a healthy server answers with.
    @ivar body: must be found in the first 64 KiB of its answer.
    @ivar expect_headers: fields that its answer must have, each with what must be found in it.
    @ivar port: where to ask, if not where the requests go.
    @ivar rise: so many good answers in a row bring a server back.
    @ivar fall: so many bad ones take it out.
    @ivar initial: what is believed of a server before its first probe; of an unknown one, that it works.
    """

    shorthand = "path"

    path: Annotated[bytes, PlainValidator(_target), WithJsonSchema({"type": "string", "pattern": "^/"})] | None = None
    tcp: Literal[True] | None = None
    method: Token = "GET"
    host: Annotated[bytes, PlainValidator(_host), WithJsonSchema({"type": "string"})] | None = None
    headers: dict[OwnField, FieldValue] = {}
    status: Statuses = (range(200, 400),)
    body: Regex | None = None
    expect_headers: dict[FieldName, Regex] = {}
    port: Annotated[StrictInt, Field(ge=1, le=65535)] | None = None
    interval: PositiveDuration = limits.PROBE_SECONDS
    timeout: PositiveDuration = limits.PROBE_TIMEOUT_SECONDS
    rise: Count = limits.PROBE_RISE
    fall: Count = limits.PROBE_FALL
    initial: Literal["unknown", "up", "down"] = "unknown"

    @model_validator(mode="after")
    def _fit(self) -> Self:
        self.only_one("path", "tcp")
        http_only = {"method", "host", "headers", "status", "body", "expect_headers"} & self.model_fields_set
        if self.tcp and http_only:
            name = min(http_only)
            raise wrong("contradiction", f"`{name}` is for probes with a `path`", "remove it", at=name)
        if self.method == "HEAD" and self.body is not None:
            raise wrong("contradiction", "the answer to HEAD has no body", "use `method: GET`", at="body")
        return self


class AgentWish(ShortWish):
    """Ask an agent beside every server how much the server wants to do: HAProxy's agent check.

    @ivar port: where the agents listen, on the addresses of their servers.
    @ivar send: what an agent is told first; None for nothing.
    """

    shorthand = "port"

    port: Annotated[StrictInt, Field(ge=1, le=65535)]
    send: Text | None = None
    interval: PositiveDuration = limits.PROBE_SECONDS
    timeout: PositiveDuration = limits.PROBE_TIMEOUT_SECONDS


class EjectionWish(Wish):
    """Leave a server alone that fails requests.

    @ivar failures: in a row.
    @ivar first: how long, the first time; twice as long each time after it.
    @ivar longest: but no longer.
    @ivar share: of the servers that may be out at once.
    """

    failures: Count = limits.EJECTION_FAILURES
    first: PositiveDuration = limits.EJECTION_SECONDS
    longest: PositiveDuration = limits.EJECTION_LONGEST_SECONDS
    share: Fraction = limits.EJECTION_SHARE

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.longest < self.first:
            raise wrong("contradiction", "`longest` is shorter than `first`", at="longest")
        return self


class BreakerWish(Wish):
    """Ask the whole upstream nothing while too much of what it is asked fails.

    @ivar ratio: of the requests that must fail.
    @ivar minimum: with fewer requests in the window nothing is concluded.
    @ivar window: how far back is looked.
    @ivar open: how long no request passes.
    @ivar trials: requests that pass then, and must all go well.
    """

    ratio: Fraction = limits.BREAKER_RATIO
    minimum: Annotated[StrictInt, Field(ge=1, le=1_000_000)] = limits.BREAKER_MINIMUM
    window: PositiveDuration = limits.BREAKER_WINDOW_SECONDS
    open: PositiveDuration = limits.BREAKER_OPEN_SECONDS
    trials: Count = limits.BREAKER_TRIALS

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.ratio == 0:
            raise wrong("range", "a `ratio` of 0 would never let anything pass", at="ratio")
        return self


OptionalHealth = Annotated[Health | None, BeforeValidator(_probe), AlsoWritten(False, "tcp")]
OptionalAgent = Annotated[AgentWish | None, BeforeValidator(off), AlsoWritten(False)]
OptionalEjection = Annotated[EjectionWish | None, BeforeValidator(_default_or_off), AlsoWritten(True, False)]
OptionalBreaker = Annotated[BreakerWish | None, BeforeValidator(_default_or_off), AlsoWritten(True, False)]
