"""Connectors: Twisted's own until the connection stands, then a uvloop stream.

Resolving, binding, connecting, time-outs and `stopConnecting` are Twisted's code.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from proxy.reactor.stream import Stream

if TYPE_CHECKING:
    from proxy.reactor.loop import UvloopReactor

__all__ = ["ClientStream", "TCPConnector", "UNIXConnector"]


class ClientStream(Stream):
    """A connection we made. `connector` is told when it is lost, after the protocol."""

    __slots__ = ("_host", "_peer", "connector")

    _tlsClientDefault = True

    def __init__(
        self, sock: socket.socket, protocol: Any, connector: Any, peer: IAddress, host: IAddress, reactor: UvloopReactor
    ) -> None:
        self.connector = connector
        self._peer = peer
        self._host = host
        super().__init__(sock, protocol, reactor)

    def getPeer(self) -> IAddress:
        return self._peer

    def getHost(self) -> IAddress:
        return self._host

    def logPrefix(self) -> str:
        return f"{type(self.protocol).__name__},client"

    def connectionLost(self, reason: Failure) -> None:
        if not self.disconnected:
            super().connectionLost(reason)
            self.connector.connectionLost(reason)


class _HandOver:
    """What a Twisted client transport does when it is connected: give the socket to a `ClientStream`."""

    def _connectDone(self: Any) -> None:
        connector, sock, peer = self.connector, self.socket, self.getPeer()
        host = self.getHost()
        protocol = connector.buildProtocol(peer)
        self.disconnected = 1  # nothing is to be done with this object any more
        del self.connector, self.socket, self.fileno
        stream = ClientStream(sock, protocol or Protocol(), connector, peer, host, self.reactor)
        connector.transport = stream
        if protocol is None:
            stream.loseConnection()
        else:
            protocol.makeConnection(stream)


class _TCPDialer(_HandOver, tcp.Client):
    pass


class _UNIXDialer(_HandOver, unix.Client):
    pass


class TCPConnector(tcp.Connector):
    def _makeTransport(self) -> _TCPDialer:
        return _TCPDialer(self.host, self.port, self.bindAddress, self, self.reactor)


class UNIXConnector(unix.Connector):
    def _makeTransport(self) -> _UNIXDialer:
        return _UNIXDialer(self.address, self, self.reactor, self.checkPID)
