"""Listening ports: Twisted's own, handing out uvloop streams.

Binding, accepting, `EMFILE`, lock files, adopted descriptors and stopping are Twisted's code, reached through the
documented seam `tcp.Port.transport`; only what an accepted connection becomes is ours. It is the faster way, too:
accepting in Python and attaching the socket costs 17 µs a connection, uvloop's own server 28 (it accepts one
connection per poll).
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp, unix
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from proxy.reactor.stream import Stream
from proxy.reactor.unixstream import UNIXStream, wants_descriptors

if TYPE_CHECKING:
    from proxy.reactor.loop import UvloopReactor

__all__ = ["ServerStream", "TCPPort", "UNIXPort", "UNIXServerStream", "adopt"]


class _Accepted:
    """What all accepted connections have in common.

    One is the `sessionno`-th of the port `server`, which is None if the connection was adopted. `client` is the peer's
    address as `accept` gave it: for TCP host and port and, with IPv6, flow and scope.
    """

    __slots__ = ()

    def __init__(
        self: Any, sock: socket.socket, protocol: Any, client: Any, server: Any, sessionno: int, reactor: UvloopReactor
    ) -> None:
        self.client = client
        self.server = server
        self.sessionno = sessionno
        super().__init__(sock, protocol, reactor)  # type: ignore[call-arg] # Stream's, in both subclasses

    def __repr__(self: Any) -> str:
        if self.disconnected:
            return f"<{type(self).__name__} #{self.sessionno} disconnected>"
        return f"<{type(self.protocol).__name__} #{self.sessionno} on {self._place()}>"

    @property
    def logstr(self: Any) -> str:
        return f"{self.protocol_name()},{self.sessionno},{self.hostname}"

    def logPrefix(self: Any) -> str:
        return str(self.logstr)


class ServerStream(_Accepted, Stream):
    """An accepted TCP connection."""

    __slots__ = ("client", "server", "sessionno")

    @property
    def hostname(self) -> str:
        """The peer's address, without its port."""
        return str(self.client[0])

    def _place(self) -> int:
        return int(self.socket.getsockname()[1])

    def getHost(self) -> IPv4Address | IPv6Address:
        return _address(tcp._getsockname(self.socket))

    def getPeer(self) -> IPv4Address | IPv6Address:
        return _address(self.client)


class UNIXServerStream(_Accepted, UNIXStream):
    """An accepted UNIX connection."""

    __slots__ = ("client", "server", "sessionno")

    @property
    def hostname(self) -> Any:
        """The name of the peer's socket, if it has one; else of ours, which is the same for all."""
        return self.client or self._place()

    def _place(self) -> Any:
        return "" if self.disconnected else self.socket.getsockname()

    def getHost(self) -> UNIXAddress:
        return UNIXAddress(self.socket.getsockname())

    def getPeer(self) -> UNIXAddress:
        return UNIXAddress(self.client or None)


def _address(name: tuple[Any, ...]) -> IPv4Address | IPv6Address:
    return IPv4Address("TCP", *name) if len(name) == 2 else IPv6Address("TCP", *name)


class TCPPort(tcp.Port):
    """A listening TCP port."""

    transport = ServerStream  # type: ignore[assignment] # it has what Twisted's ports use of tcp.Server


class UNIXPort(unix.Port):
    """A listening UNIX port."""

    def transport(  # type: ignore[override] # as above
        self, sock: socket.socket, protocol: Any, client: Any, server: Any, sessionno: int, reactor: Any
    ) -> UNIXServerStream | unix.Server:
        """The transport for an accepted connection."""
        kind = unix.Server if wants_descriptors(protocol) else UNIXServerStream
        return kind(sock, protocol, client, server, sessionno, reactor)


def adopt(descriptor: int, family: int, factory: Any, reactor: UvloopReactor) -> Stream | unix.Server | None:
    """The transport for a connected socket that something else has accepted; `descriptor` is duplicated.

    None if the factory does not want the connection.
    """
    sock = socket.fromfd(descriptor, family, socket.SOCK_STREAM)
    local = family == socket.AF_UNIX
    client = sock.getpeername() if local else tcp._getpeername(sock)
    protocol = factory.buildProtocol(UNIXAddress(sock.getsockname()) if local else _address(client))
    if protocol is None:
        sock.close()
        return None
    transport: Stream | unix.Server
    if not local:
        transport = ServerStream(sock, protocol, client, None, client[1], reactor)
    elif wants_descriptors(protocol):
        transport = unix.Server(sock, protocol, client, None, 0, reactor)
        transport.repstr = f"<{type(protocol).__name__} #0 on {sock.getsockname()}>"
    else:
        transport = UNIXServerStream(sock, protocol, client, None, 0, reactor)
    protocol.makeConnection(transport)
    return transport
