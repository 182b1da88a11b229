"""Two connections become one: a tunnel, after both sides have left HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import ITransport

from proxy.alarm import NEVER, Alarm
from proxy.errors import TUNNEL_IDLE, ProxyError
from proxy.flow.bypass import own_method
from proxy.limits import WRITE_STALL_SECONDS
from proxy.wire.tunnel import TRANSITIONS, TunnelEvent, TunnelState

# What a side has to take the last bytes written to it.
CLOSE_SECONDS = WRITE_STALL_SECONDS

#: The sides of a splice: the client's connection and the upstream's.
NEAR, FAR = 0, 1


class Relay(Protocol):
    """Bytes of one side that go to the other without being handed on here."""

    @property
    def moved(self) -> int:
        """How many there were."""

    @property
    def quiet_seconds(self) -> float:
        """For how long there have been none."""


class Splice:
    """Two connections joined into one: what either reads, the other writes.

    Each connection's protocol hands on what its transport tells it, naming itself as the side: NEAR is the client's,
    FAR the upstream's. Neither side is read while the other cannot take more, so a tunnel holds at most one read in
    each direction. Where the transports can pass it on without being asked for each message, they do.

    @param over: called once, when nothing can move any more, with the error that ended the tunnel, if any.
    """

    def __init__(
        self,
        near: ITransport,
        far: ITransport,
        alarm: Alarm,
        idle_seconds: float,
        over: Callable[[ProxyError | None], None],
    ) -> None:
        self.deadline = self.look_at = NEVER
        self._handed_on = [0, 0]  # bytes, of each side, less what went through a relay
        self._relays: list[Relay | None] = [None, None]
        self._sides: tuple[Any, Any] = (near, far)
        self._alarm = alarm
        self._idle_seconds = idle_seconds
        self._over = over
        self._state = TunnelState.OPEN
        self._done = [False, False]
        alarm.set(self, idle_seconds)

    @property
    def moved(self) -> tuple[int, int]:
        """Bytes read from each side, NEAR first."""
        near, far = (sum(parts) for parts in zip(self._handed_on, self._relayed(), strict=True))
        return near, far

    def _relayed(self) -> list[int]:
        return [0 if relay is None else relay.moved for relay in self._relays]

    def relay(self) -> None:
        """From now on let the transports pass on what they read by themselves, if they can."""
        if self._state is TunnelState.OPEN:
            for side in NEAR, FAR:
                relay_to = own_method(self._sides[side], "relay_to")
                if relay_to is not None:
                    self._relays[side] = relay_to(self._sides[1 - side])

    def received(self, side: int, data: bytes) -> None:
        """`side` has read `data`."""
        if self._relays[side] is None:
            self._handed_on[side] += len(data)
        self._alarm.set(self, self._idle_seconds)
        self._sides[1 - side].write(data)

    def pause(self, side: int) -> None:
        """`side` cannot take more: read no more of the other."""
        self._sides[1 - side].pauseProducing()

    def resume(self, side: int) -> None:
        """`side` can take more."""
        if not self._done[1 - side]:  # a transport told to read on after its end reads that end once more
            self._sides[1 - side].resumeProducing()

    def eof(self, side: int) -> None:
        """`side` will send nothing more, and may still read."""
        if self._state is TunnelState.CLOSED or self._done[side]:
            return
        self._done[side] = True
        self._state = TRANSITIONS[self._state, (TunnelEvent.CLIENT_EOF, TunnelEvent.SERVER_EOF)[side]]
        if self._state is TunnelState.CLOSED:
            self._end(None)
        else:
            half_close(self._sides[1 - side])

    def lost(self, side: int) -> None:
        """The connection of `side` is gone."""
        if self._state is not TunnelState.CLOSED:
            self._state = TRANSITIONS[self._state, TunnelEvent.LOST]
            self._end(None)

    def time_passed(self) -> None:
        if self._state is TunnelState.CLOSED:
            for transport in self._sides:  # whoever has not taken its last bytes by now never will
                transport.abortConnection()
        elif (left := self._idle_seconds - self._quiet_seconds()) > 0:
            self._alarm.set(self, left)
        else:
            self._state = TunnelState.CLOSED
            self._end(ProxyError(TUNNEL_IDLE, f"nothing moved for {self._idle_seconds:g} s"))

    def _quiet_seconds(self) -> float:
        """For how long nothing has moved, now that nothing was handed on here for the time of a deadline."""
        relays = (relay for relay in self._relays if relay is not None)
        return min((relay.quiet_seconds for relay in relays), default=self._idle_seconds)

    def _end(self, error: ProxyError | None) -> None:
        self._alarm.set(self, CLOSE_SECONDS)
        for transport in self._sides:
            close_after_flush(transport)
        self._over(error)

    def __repr__(self) -> str:
        bytes_in, bytes_out = self.moved
        return f"<Splice {self._state.value} {bytes_in} bytes in, {bytes_out} bytes out>"


def half_close(transport: Any) -> None:
    """Say that nothing more comes, and read on. TLS has no such thing: there, close."""
    if hasattr(transport, "loseWriteConnection"):
        transport.loseWriteConnection()
    else:
        close_after_flush(transport)


def close_after_flush(transport: Any) -> None:
    """Close when all that was written has left. A producer would hold a TLS connection open (Twisted's own rule)."""
    transport.unregisterProducer()
    transport.loseConnection()
