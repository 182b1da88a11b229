"""What one stream reads, uvloop writes to another, all of it in C: the way for messages that nobody wants to see.

A small message costs little but Python's part of it: ten calls. uvloop calls `data_received` of whatever protocol a
transport has, and here that is `write` of the other transport itself, so that no line of Python runs for a message
(an echo of 64 bytes through a WebSocket: 34 µs CPU before, 25 since). The notifications stay Twisted's: ends, losses, a
producer paused and resumed.

What was seen on the way the kernel can tell: how many bytes a peer has sent, and for how long it has sent none.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import sys
import termios
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from proxy.reactor.stream import Stream

__all__ = ["Relay", "has_account"]

# Of `struct tcp_info` of Linux: the state, the milliseconds since data came, and how much has come in all.
_STATE_AT = 0
_QUIET_AT, _QUIET = 52, struct.Struct("I")
_RECEIVED_AT, _RECEIVED = 128, struct.Struct("Q")
_ACCOUNT_BYTES = _RECEIVED_AT + _RECEIVED.size
# Its states after the peer's FIN, which counts as a byte: TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING.
_ENDED_STATES = frozenset((6, 8, 9, 11))


def has_account(stream: Stream) -> bool:
    """Whether the kernel counts what the peer of `stream` sends."""
    return len(_account(stream)) == _ACCOUNT_BYTES


def _account(stream: Stream) -> bytes:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # it is closed, or no TCP
            return stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACCOUNT_BYTES)
    return b""


class Relay:
    """The protocol that uvloop sees behind `source` while it is relayed; see `Stream.relay_to`, which makes one.

    @param uv: the transport behind `source`.
    @param write: takes what the peer of `source` sends.
    """

    __slots__ = ("_before", "_ended", "_moved", "_source", "_uv", "data_received", "resume_writing")

    def __init__(self, source: Stream, uv: asyncio.Transport, write: Callable[[bytes], None]) -> None:
        self._source, self._uv = source, uv
        self._ended = False
        self._before = 0  # what the peer had sent before the relay began
        self._moved = 0
        self.data_received = write
        self.resume_writing = source.resume_writing
        self._before = self.moved
        uv.set_protocol(cast(asyncio.BaseProtocol, self))

    def stop(self) -> None:
        """What comes is the protocol's again."""
        self._count()
        if not self._uv.is_closing():
            self._uv.set_protocol(cast(asyncio.BaseProtocol, self._source))

    @property
    def moved(self) -> int:
        """How many bytes have been read from the peer since the relay began, and written to the target."""
        self._count()
        return self._moved

    def _count(self) -> None:
        account = _account(self._source)
        if len(account) == _ACCOUNT_BYTES:  # else the socket is closed: what was last known stays
            (received,) = _RECEIVED.unpack_from(account, _RECEIVED_AT)
            ended = self._ended or account[_STATE_AT] in _ENDED_STATES
            self._moved = received - ended - self._unread() - self._before

    def _unread(self) -> int:
        return int.from_bytes(fcntl.ioctl(self._source.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)

    @property
    def quiet_seconds(self) -> float:
        """For how long the peer has sent nothing; 0.0 if nobody can tell any more."""
        account = _account(self._source)
        return _QUIET.unpack_from(account, _QUIET_AT)[0] / 1000 if len(account) == _ACCOUNT_BYTES else 0.0

    # What uvloop calls

    def eof_received(self) -> bool:
        self._ended = True
        self._count()
        return self._source.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._count()
        self._source.connection_lost(exc)

    def pause_writing(self) -> None:
        """The kernel takes no more of what comes the other way: whoever sees to that has to stop its peer."""
        self._source.pause_writing()
        self._source.pause_producer()
