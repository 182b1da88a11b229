"""Gates in a row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from proxy.message import Exchange, Response

#: What answers an exchange: the target of a route, or all that stands behind a gate.
Proceed = Callable[[Exchange], Coroutine[Any, Any, Response]]
Gate = Callable[[Exchange, Proceed], Awaitable[Response]]


def compose(gates: Sequence[Gate], target: Proceed) -> Proceed:
    """`target` behind `gates`: the first gate meets the request first and the response last."""
    for gate in reversed(gates):
        target = _behind(gate, target)
    return target


def _behind(gate: Gate, inner: Proceed) -> Proceed:
    async def proceed(exchange: Exchange) -> Response:
        return await gate(exchange, inner)

    return proceed
