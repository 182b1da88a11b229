"""One server of an upstream, and every connection to it."""

from __future__ import annotations

from typing import Protocol as Interface

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import ClientFactory

from proxy import limits
from proxy.alarm import Alarm
from proxy.upstream.connection import UpstreamConnection
from proxy.upstream.dial import Address, dial_error
from proxy.wire import ResponseLimits

RESPONSE_LIMITS = ResponseLimits()


class Owner(Interface):
    """The pool a server belongs to."""

    def freed(self, server: ProxyClientFactory) -> None:
        """The server can take one more exchange than a moment ago."""


class ProxyClientFactory(ClientFactory):
    """Makes connections to one server, keeps the idle ones, and counts what is under way.

    Idle connections are a stack: the one used last is used next, so that in quiet times the others grow old and
    close by themselves. A connection is closed by us before the server would do it: `idle_seconds`.

    @param address: where the server is.
    @param endpoint: connects to it.
    @param authority: its own name, for Host where the client's is not kept.
    @param weight: its share of the load; 0 takes no new exchanges.
    @param connections: how many exchanges it may have at once; 0 is no limit.
    @ivar in_flight: exchanges that hold a connection or wait for one to be made.
    """

    noisy = False

    def __init__(
        self,
        name: str,
        address: Address,
        endpoint: IStreamClientEndpoint,
        alarm: Alarm,
        authority: bytes = b"",
        weight: int = 1,
        connections: int = limits.UPSTREAM_CONNECTIONS,
        idle_connections: int = limits.UPSTREAM_IDLE_CONNECTIONS,
        idle_seconds: float = limits.UPSTREAM_IDLE_SECONDS,
        response_limits: ResponseLimits = RESPONSE_LIMITS,
    ) -> None:
        self.name = name
        self.address = address
        self.weight = weight
        self.authority = authority
        self.now = alarm.now
        self.in_flight = 0
        self.owner: Owner | None = None
        self._endpoint = endpoint
        self._alarm = alarm
        self._connections = connections
        self._idle_connections = idle_connections
        self._idle_seconds = idle_seconds
        self._response_limits = response_limits
        self._idle: list[UpstreamConnection] = []
        self._closing = False

    # --- doors --------------------------------------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> UpstreamConnection:
        return UpstreamConnection(self, self._alarm, self._response_limits)

    # --- asked by the pool --------------------------------------------------------------------------------

    @property
    def available(self) -> bool:
        """Whether it may take one more exchange."""
        return not self._closing and (not self._connections or self.in_flight < self._connections)

    def take_idle(self) -> UpstreamConnection | None:
        """A connection that waits for work, counted as in flight from now on; None if there is none."""
        if not self._idle:
            return None
        self.in_flight += 1
        connection = self._idle.pop()
        connection.leased = True
        return connection

    async def dial(self) -> UpstreamConnection:
        """A new connection, counted as in flight from the start.

        @raise ProxyError: it cannot be had; nothing was sent.
        """
        self.in_flight += 1
        try:
            made = await self._endpoint.connect(self)
        except CancelledError:
            self._free()
            raise
        except Exception as error:
            self._free()
            raise dial_error(error, self.address) from error
        assert isinstance(made, UpstreamConnection)
        return made

    # --- told by the connections --------------------------------------------------------------------------

    def released(self, connection: UpstreamConnection) -> None:
        if self._closing or len(self._idle) >= self._idle_connections:
            connection.close()  # `gone` follows
            return
        connection.leased = False
        connection.wait_idle(self._idle_seconds)
        self._idle.append(connection)
        self._free()

    def gone(self, connection: UpstreamConnection) -> None:
        """It can carry no more exchanges: told as soon as that is known, and again when the socket is closed."""
        if connection.leased:
            connection.leased = False
            self._free()
        elif connection in self._idle:
            self._idle.remove(connection)

    def _free(self) -> None:
        self.in_flight -= 1
        if self.owner is not None:
            self.owner.freed(self)

    def close(self) -> None:
        """No new exchanges; idle connections close now, the others when they are released."""
        self._closing = True
        for connection in tuple(self._idle):
            connection.close()

    def __repr__(self) -> str:
        return f"<ProxyClientFactory {self.name} {self.in_flight} in flight, {len(self._idle)} idle>"
