"""The states of a client's connection, and what it waits for in each (its one deadline).

    IDLE      no request has begun              keep-alive; on a new connection the head deadline
    HEAD      a request head is arriving        head
    EXCHANGE  a request is being answered       body idle, or write stall; else the upstream's deadlines rule
    TUNNEL    joined with an upstream's bytes   none here: the splice has its own
    LINGER    the last response is written      linger: what the client still sends is thrown away; write stall
    CLOSED    gone

In each of them the client may be behind with reading: then nothing new begins, and the write stall is the deadline.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    IDLE = "idle"
    HEAD = "head"
    EXCHANGE = "exchange"
    TUNNEL = "tunnel"
    LINGER = "linger"
    CLOSED = "closed"


# An enum's member is looked up through its class each time; these are read several times for each request.
IDLE, HEAD, EXCHANGE, TUNNEL, LINGER, CLOSED = State
