"""The states of a connection to a server, and the deadline of each.

    IDLE      kept for the next request         idle: the connection is closed
    WAITING   a request is out                  response head
    BODY      a response body is arriving       response idle, unless the client holds it back
    TUNNEL    joined with a client's bytes      none here: the splice has its own
    CLOSED    gone
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    IDLE = "idle"
    WAITING = "waiting"
    BODY = "body"
    TUNNEL = "tunnel"
    CLOSED = "closed"


# An enum's member is looked up through its class each time; these are read several times for each response.
IDLE, WAITING, BODY, TUNNEL, CLOSED = State
