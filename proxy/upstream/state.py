"""What all pools look like at one moment: the one picture that admin, metrics and `explain` share."""

from __future__ import annotations

from typing import NamedTuple


class ServerState(NamedTuple):
    """One server.

    @ivar state: `up`, `down`, `unknown`, `failing`, `rising`, `ejected`, `draining`, `drained`,
        `maintenance`.
    @ivar why: the words behind the state, or of the last change.
    @ivar latency_ms: until the head of a response, as it was when one last came; 0.0 before the first.
    @ivar probed_seconds: how long ago a probe last ended; None before the first.
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
    probed_seconds: float | None


class PoolState(NamedTuple):
    """One upstream.

    @ivar servers: at the end those that are gone from it and still have exchanges under way.
    @ivar draining: a reload has taken it away, and it ends what is under way.
    @ivar circuit: of its breaker; "" where it has none.
    @ivar unresolved: what is wrong with names of servers that do not resolve, else "".
    """

    name: str
    servers: tuple[ServerState, ...]
    queued: int
    retrying: int
    circuit: str
    unresolved: str
    draining: bool = False
