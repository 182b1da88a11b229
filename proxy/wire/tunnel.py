"""What may still move through a tunnel: the table of its half-closes.

After a 101 both connections carry raw bytes. Each side may say that it has nothing more to send and still read what
the other sends; the tunnel is over when both have said so.
"""

from __future__ import annotations

from enum import Enum


class TunnelState(Enum):
    OPEN = "open"
    CLIENT_DONE = "client done"
    SERVER_DONE = "server done"
    CLOSED = "closed"


class TunnelEvent(Enum):
    CLIENT_EOF = "client eof"
    SERVER_EOF = "server eof"
    LOST = "lost"


TRANSITIONS: dict[tuple[TunnelState, TunnelEvent], TunnelState] = {
    (TunnelState.OPEN, TunnelEvent.CLIENT_EOF): TunnelState.CLIENT_DONE,
    (TunnelState.OPEN, TunnelEvent.SERVER_EOF): TunnelState.SERVER_DONE,
    (TunnelState.OPEN, TunnelEvent.LOST): TunnelState.CLOSED,
    (TunnelState.CLIENT_DONE, TunnelEvent.SERVER_EOF): TunnelState.CLOSED,
    (TunnelState.CLIENT_DONE, TunnelEvent.LOST): TunnelState.CLOSED,
    (TunnelState.SERVER_DONE, TunnelEvent.CLIENT_EOF): TunnelState.CLOSED,
    (TunnelState.SERVER_DONE, TunnelEvent.LOST): TunnelState.CLOSED,
}
