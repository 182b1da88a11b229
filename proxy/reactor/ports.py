"""Listening ports: Twisted's own, handing out uvloop streams.

Binding, `EMFILE`, lock files, adopted descriptors and stopping are Twisted's code; ours is what an accepted
connection becomes and, for TCP, the plain way of accepting one: without a socket object, and without the validators of
Twisted's addresses. Accepting in Python is the faster way: uvloop's own server accepts one connection per poll.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, cast

from twisted.internet import tcp, unix
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger

from proxy.reactor.accepted import Accepted
from proxy.reactor.stream import Stream
from proxy.reactor.unixstream import UNIXStream, wants_descriptors

if TYPE_CHECKING:
    from proxy.reactor.loop import UvloopReactor

__all__ = ["ServerStream", "TCPPort", "UNIXPort", "UNIXServerStream", "adopt"]

# As Twisted's ports do: after a full batch the next may have so many more.
_MORE_ACCEPTS = 20

_log = Logger()


class _Accepted:
    """What all accepted connections have in common.

    One is the `sessionno`-th of the port `server`, which is None if the connection was adopted. `client` is the peer's
    address as `accept` gave it: for TCP host and port and, with IPv6, flow and scope.
    """

    __slots__ = ()

    def __init__(
        self: Any, sock: Any, protocol: Any, client: Any, server: Any, sessionno: int, reactor: UvloopReactor
    ) -> None:
        self.client = client
        self.server = server
        self.sessionno = sessionno
        super().__init__(sock, protocol, reactor)  # type: ignore[call-arg] # Stream's, in both subclasses

    @property
    def shared(self: Any) -> bool:
        return self.server is None  # whoever had it before keeps a descriptor of its own

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
    if len(name) != 2:
        return IPv6Address("TCP", *name)
    # The kernel's word needs no validator, which costs more than the rest.
    address = IPv4Address.__new__(IPv4Address)
    address.type = "TCP"
    address.host, address.port = name
    return address


class TCPPort(tcp.Port):
    """A listening TCP port."""

    transport = ServerStream  # type: ignore[assignment] # it has what Twisted's ports use of tcp.Server

    def doRead(self) -> None:
        """Accept those who wait; where that fails (`EMFILE` and its kin), Twisted's code knows what to do."""
        listening: Any = self.socket
        accept, family = listening._accept, int(self.addressFamily)
        accepted = 0
        try:
            while accepted < self.numberAccepts:
                descriptor, client = accept()
                accepted += 1
                self._welcome(Accepted(descriptor, family), client)
        except BlockingIOError:
            self.numberAccepts = max(1, accepted)
        except OSError:
            super().doRead()
        else:
            self.numberAccepts += _MORE_ACCEPTS

    def _welcome(self, connection: Accepted, client: tuple[Any, ...]) -> None:
        """Give an accepted connection its protocol and its stream."""
        if client[3:] > (0,):  # an IPv6 scope: its name belongs to the address
            client = (socket.getnameinfo(client, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0], *client[1:])
        stream = None
        factory, reactor = cast(IProtocolFactory, self.factory), cast("UvloopReactor", self.reactor)
        try:
            protocol = factory.buildProtocol(_address(client))
            if protocol is not None:
                session, self.sessionno = self.sessionno, self.sessionno + 1
                stream = self.transport(connection, protocol, client, self, session, reactor)
                protocol.makeConnection(stream)
        except BaseException:  # noqa: BLE001 - logged; a connection that cannot begin is no reason to refuse the next
            _log.failure("while accepting a connection")
        if stream is None:
            os.close(connection.fileno())


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
