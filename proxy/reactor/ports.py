"""Listening ports: Twisted's own, handing out uvloop streams.

Binding, accepting, `EMFILE`, lock files, adopted descriptors and stopping are Twisted's code, reached through the
documented seam `tcp.Port.transport`; only what a connection becomes is ours.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp, unix
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IProtocol

from proxy.reactor.stream import Stream

if TYPE_CHECKING:
    from proxy.reactor.loop import UvloopReactor

__all__ = ["ServerStream", "TCPPort", "UNIXPort", "UNIXServerStream"]


class ServerStream(Stream):
    """An accepted TCP connection. `client` is the peer's address as `accept` gave it."""

    __slots__ = ("client", "server", "sessionno")

    def __init__(
        self,
        sock: socket.socket,
        protocol: IProtocol,
        client: tuple[Any, ...],
        server: Any,
        sessionno: int,
        reactor: UvloopReactor,
    ) -> None:
        self.client = client
        self.server = server
        self.sessionno = sessionno
        super().__init__(sock, protocol, reactor)

    @classmethod
    def adopt(cls, descriptor: int, family: int, factory: Any, reactor: UvloopReactor) -> ServerStream | None:
        """A stream for a connected socket that something else accepted; `descriptor` is duplicated.

        None if the factory does not want the connection.
        """
        sock = socket.fromfd(descriptor, family, socket.SOCK_STREAM)
        client = tcp._getpeername(sock)
        address = IPv6Address if family == socket.AF_INET6 else IPv4Address
        protocol = factory.buildProtocol(address("TCP", *client))
        if protocol is None:
            sock.close()
            return None
        stream = cls(sock, protocol, client, None, client[1], reactor)
        protocol.makeConnection(stream)
        return stream

    @property
    def hostname(self) -> str:
        return self.client[0]

    def getHost(self) -> IPv4Address | IPv6Address:
        return self._address(tcp._getsockname(self.socket))

    def getPeer(self) -> IPv4Address | IPv6Address:
        return self._address(self.client)

    def _address(self, name: tuple[Any, ...]) -> IPv4Address | IPv6Address:
        return IPv4Address("TCP", *name) if len(self.client) == 2 else IPv6Address("TCP", *name)

    def logPrefix(self) -> str:
        return f"{type(self.protocol).__name__},{self.sessionno},{self.hostname}"


class UNIXServerStream(Stream):
    __slots__ = ("client", "server", "sessionno")

    def __init__(
        self,
        sock: socket.socket,
        protocol: IProtocol,
        client: Any,
        server: Any,
        sessionno: int,
        reactor: UvloopReactor,
    ) -> None:
        self.client = client
        self.server = server
        self.sessionno = sessionno
        super().__init__(sock, protocol, reactor)

    @classmethod
    def adopt(cls, descriptor: int, factory: Any, reactor: UvloopReactor) -> UNIXServerStream | None:
        """As `ServerStream.adopt`."""
        sock = socket.fromfd(descriptor, socket.AF_UNIX, socket.SOCK_STREAM)
        protocol = factory.buildProtocol(UNIXAddress(sock.getsockname()))
        if protocol is None:
            sock.close()
            return None
        stream = cls(sock, protocol, sock.getpeername(), None, 0, reactor)
        protocol.makeConnection(stream)
        return stream

    def getHost(self) -> UNIXAddress:
        return UNIXAddress(self.socket.getsockname())

    def getPeer(self) -> UNIXAddress:
        return UNIXAddress(self.client or None)

    def logPrefix(self) -> str:
        return f"{type(self.protocol).__name__},{self.sessionno},{self.client}"


class TCPPort(tcp.Port):
    transport = ServerStream


class UNIXPort(unix.Port):
    transport = UNIXServerStream
