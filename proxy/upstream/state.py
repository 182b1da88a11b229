"""What all pools look like at one moment: the one picture that admin, metrics and `explain` share."""

from __future__ import annotations

from typing import NamedTuple


class ServerState(NamedTuple):
    """One server.

    @ivar state: `up`, `down`, `unknown`, `failing`, `rising`, `ejected`, `draining`, `drained`,
        `maintenance`.
    @ivar why: the words of the last probe or of the last change.
    @ivar latency_ms: until the head of a response, a recent value; 0.0 where nobody knows.
    """

    name: str
    address: str
    state: str
    why: str
    weight: float
    priority: int
    in_flight: int
    idle: int
    latency_ms: float
    requests: int
    failures: int


class PoolState(NamedTuple):
    """One upstream.

    @ivar circuit: of its breaker; "" where it has none.
    """

    name: str
    servers: tuple[ServerState, ...]
    queued: int
    retrying: int
    circuit: str
