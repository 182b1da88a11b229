"""How long anything may take, in seconds; 0 is for ever."""

from __future__ import annotations

from typing import NamedTuple

from proxy import limits


class Deadlines(NamedTuple):
    """Each wait of an exchange. A listener has a set of them, a route may have its own.

    @ivar request_head: the whole head, from its first byte (on a new connection: from its acceptance).
    @ivar body_idle: between two reads of a request body.
    @ivar write_stall: the client takes nothing of the response.
    @ivar keep_alive: between two requests of a client.
    @ivar connect: until an upstream's connection is ready to use, TLS included.
    @ivar response_head: from the last byte of the request that was sent to the response head.
    @ivar response_idle: between two reads of a response body.
    @ivar tunnel_idle: nothing moves through a tunnel, either way.
    @ivar stream_idle: `response_idle` for a response that is quiet while nothing happens (`proxy.policy.streams`): for
        ever, unless the configuration itself says how long.
    """

    request_head: float = limits.HEAD_SECONDS
    body_idle: float = limits.BODY_IDLE_SECONDS
    write_stall: float = limits.WRITE_STALL_SECONDS
    keep_alive: float = limits.KEEP_ALIVE_SECONDS
    connect: float = limits.CONNECT_SECONDS
    response_head: float = limits.RESPONSE_HEAD_SECONDS
    response_idle: float = limits.RESPONSE_IDLE_SECONDS
    tunnel_idle: float = limits.TUNNEL_IDLE_SECONDS
    stream_idle: float = 0.0


DEFAULT = Deadlines()
