"""Connectors: Twisted's own until the connection stands, then a uvloop stream.

Resolving, binding, connecting, time-outs and `stopConnecting` are Twisted's code.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from proxy.reactor.stream import Stream
from proxy.reactor.unixstream import UNIXStream, wants_descriptors

__all__ = ["ClientStream", "TCPConnector", "UNIXClientStream", "UNIXConnector"]


class _Dialed:
    """What all connections we made have in common. `connector` is told when one is lost, after its protocol."""

    __slots__ = ()

    _tlsClientDefault = True

    def __init__(self: Any, dialer: Any, protocol: Any) -> None:
        self.addr = dialer.addr
        self.connector = dialer.connector
        self._peer = dialer.getPeer()
        self._host = dialer.getHost()
        super().__init__(dialer.socket, protocol, dialer.reactor)  # type: ignore[call-arg] # Stream's, in both subclasses

    def __repr__(self: Any) -> str:
        return f"<{type(self)} to {self.addr} at {id(self):x}>"

    @property
    def logstr(self: Any) -> str:
        return f"{self.protocol_name()},client"

    def logPrefix(self: Any) -> str:
        return str(self.logstr)

    def getPeer(self: Any) -> Any:
        return self._peer

    def getHost(self: Any) -> Any:
        return self._host

    def connectionLost(self: Any, reason: Failure) -> None:
        if not self.disconnected:
            super().connectionLost(reason)  # type: ignore[misc] # as above
            self.connector.connectionLost(reason)


class ClientStream(_Dialed, Stream):
    """A TCP connection we made to `addr`, the host and port that were asked for."""

    __slots__ = ("_host", "_peer", "addr", "connector")


class UNIXClientStream(_Dialed, UNIXStream):
    """A UNIX connection we made to the path `addr`."""

    __slots__ = ("_host", "_peer", "addr", "connector")


class _TCPDialer(tcp.Client):
    """A connection attempt; when it has succeeded, its socket becomes a `ClientStream`."""

    def _connectDone(self) -> None:
        protocol = self.connector.buildProtocol(self.getPeer())
        stream = _stream_of(self, ClientStream, protocol)
        try:
            _begin(stream, protocol)
        except BaseException:  # noqa: BLE001 - logged; whatever a protocol raises ends its connection only
            stream.fail()


class _UNIXDialer(unix.Client):
    """As `_TCPDialer`; for a protocol that receives descriptors it stays the transport itself."""

    def _connectDone(self) -> None:
        protocol = self.connector.buildProtocol(self.getPeer())
        if not wants_descriptors(protocol):
            _begin(_stream_of(self, UNIXClientStream, protocol), protocol)  # what it raises is for `connectUNIX`
            return
        self.protocol = protocol
        self.connected = 1
        self.logstr = f"{self._getLogPrefix(protocol)},client"
        self.startReading()
        protocol.makeConnection(self)


def _stream_of(dialer: Any, kind: type[ClientStream] | type[UNIXClientStream], protocol: Any) -> Stream:
    """What the attempt of `dialer` has become."""
    stream = kind(dialer, protocol if protocol is not None else Protocol())
    stream.connector.transport = stream
    dialer.disconnected = 1  # the attempt is over: nothing can fail or close it any more
    del dialer.connector, dialer.socket, dialer.fileno
    return stream


def _begin(stream: Stream, protocol: Any) -> None:
    if protocol is None:
        stream.loseConnection()  # the factory does not want it
    else:
        protocol.makeConnection(stream)


class TCPConnector(tcp.Connector):
    """Makes TCP connections, one at a time."""

    def _makeTransport(self) -> _TCPDialer:
        return _TCPDialer(self.host, self.port, self.bindAddress, self, self.reactor)


class UNIXConnector(unix.Connector):
    """Makes UNIX connections, one at a time."""

    def _makeTransport(self) -> _UNIXDialer:  # type: ignore[override] # so has Twisted's own
        return _UNIXDialer(self.address, self, self.reactor, self.checkPID)
