"""How often a request is tried, and how long it waits for a server, as written."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from proxy import limits
from proxy.config.fractions import Fraction
from proxy.config.values import Duration, PositiveDuration, ShortWish, StrictBool, StrictInt, shown, wrong


def _failures(value: Any) -> frozenset[int]:
    items = value if isinstance(value, list | tuple | frozenset) else [value]
    for item in items:
        if not isinstance(item, int) or isinstance(item, bool) or not 400 <= item <= 599:
            hint = "write for example [502, 503, 504]"
            raise wrong("status", f"{shown(item)} is not the status of a failure, 400 to 599", hint)
    return frozenset(items)


_STATUS = {"type": "integer", "minimum": 400, "maximum": 599}


class Retries(ShortWish):
    """When a request goes to another server.

    @ivar count: so many times after the first.
    @ivar statuses: that count as a failure too.
    @ivar any_method: repeat POST and the like as well, though a server may have seen them.
    @ivar budget: retries under way, as a part of all requests under way at the upstream.
    @ivar min: retries under way that are possible whatever the budget.
    @ivar per_try: how long one server has until its response begins, connecting included; 0.0 for no bound of its own.
    @ivar total: the same for all tries together, the wait for room included.
    @ivar hedge_after: send a request without body to a second server if the first has not answered in this time, and
        take whichever answers first; 0.0 for never.
    """

    shorthand = "count"

    count: Annotated[StrictInt, Field(ge=0, le=10)] = limits.RETRIES
    statuses: Annotated[
        frozenset[int],
        PlainValidator(_failures),
        WithJsonSchema({"anyOf": [_STATUS, {"type": "array", "items": _STATUS}]}),
    ] = frozenset()
    any_method: StrictBool = False
    budget: Fraction = limits.RETRY_SHARE
    min: Annotated[StrictInt, Field(ge=0, le=10_000)] = limits.RETRY_MINIMUM
    per_try: Duration = 0.0
    total: Duration = 0.0
    hedge_after: Duration = 0.0

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.count == 0:
            for name in ("statuses", "any_method", "hedge_after"):
                if getattr(self, name):
                    raise wrong("contradiction", f"`{name}` does nothing where nothing is retried", "", at=name)
        if 0 < self.total <= self.per_try:
            raise wrong("contradiction", "`per_try` must be shorter than `total`", at="per_try")
        for longer in ("per_try", "total"):
            if 0 < getattr(self, longer) <= self.hedge_after:
                raise wrong("contradiction", f"`hedge_after` must be shorter than `{longer}`", at="hedge_after")
        return self


class Queue(ShortWish):
    """Where requests wait while every server has as many as it may.

    @ivar size: how many may wait; 0 refuses at once.
    @ivar wait: how long one waits.
    """

    shorthand = "size"

    size: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = limits.UPSTREAM_QUEUE
    wait: PositiveDuration = limits.QUEUE_SECONDS
