"""The ends of connections that exist in memory only, with fake transports that behave as Twisted's do.

Reads are at most one window long, whoever is paused is not read, a producer is paused while more than a window waits
and resumed when all of it has gone, and what happens to a connection is told a turn of the clock later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IStreamClientEndpoint, ITCPTransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from proxy.limits import WINDOW_BYTES

# What the proxy says of itself in every message. The tests of these lines are elsewhere; conversations leave them out.
_OURS = re.compile(rb"^(?:X-Forwarded-(?:For|Proto|Host|Port)|X-Real-IP|Date): [^\r\n]*\r\n", re.MULTILINE)


@implementer(ITCPTransport)
class FakeTransport:
    """One socket of the proxy, as its protocol sees it. The test has the `End` on the other side.

    Everything that a real reactor would tell in a later turn is told in a later turn of the clock.
    """

    disconnecting = False

    def __init__(self, clock: Clock, peer: IPv4Address, end: End) -> None:
        self.protocol: Any = None
        self.connected = True
        self.reading = True
        self.no_delay = False
        self._clock = clock
        self._peer = peer
        self._end = end
        self._producer: Any = None
        self._producer_paused = False
        self._unsent = b""
        self._arrived: list[bytes | None] = []
        self._write_closed = False
        self._write_closing = False
        self._gone: Exception | None = None

    # --- what protocols call ------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        assert isinstance(data, (bytes, memoryview)), data
        if not self.connected or self._write_closing or self._gone is not None:
            return
        self._unsent += data
        if self._end.reads:
            self._later(self._flush)
        if self._producer is not None and len(self._unsent) > WINDOW_BYTES:
            self._producer_paused = True
            self._producer.pauseProducing()

    def writeSequence(self, data: Sequence[bytes]) -> None:  # type: ignore[override] # zope names no type
        self.write(b"".join(data))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        assert self._producer is None, "a producer is registered already"
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        if self.connected and not self.disconnecting:
            self.reading = True
            self._later(self._read)

    def stopProducing(self) -> None:
        self.loseConnection()

    def loseConnection(self) -> None:
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self.reading = False
            self._later(self._flush)

    def loseWriteConnection(self) -> None:
        assert self.connected, "half of nothing cannot be closed"
        self._write_closing = True
        self._later(self._flush)

    def abortConnection(self) -> None:
        if self.connected and self._gone is None:
            self._unsent = b""
            self._lose(ConnectionAborted())

    def getPeer(self) -> IPv4Address:
        return self._peer

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 80)

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def getTcpNoDelay(self) -> bool:
        return self.no_delay

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing here gets cold."""

    def getTcpKeepAlive(self) -> bool:
        return False

    @property
    def unsent(self) -> int:
        return len(self._unsent)

    # --- what the other end does --------------------------------------------------------------------------

    def arrive(self, data: bytes | None) -> None:
        """The peer has sent `data`, or, with None, all that it had to send."""
        self._arrived.append(data)
        self._later(self._read)

    def peer_gone(self, reason: Exception) -> None:
        if self.connected and self._gone is None:
            self._lose(reason)

    # --- turns --------------------------------------------------------------------------------------------

    def _later(self, call: Callable[[], None]) -> None:
        self._clock.callLater(0, call)

    def _read(self) -> None:
        if not (self._arrived and self.reading and self.connected and self._gone is None):
            return
        data = self._arrived.pop(0)
        if data is None:
            if IHalfCloseableProtocol.providedBy(self.protocol):
                self.protocol.readConnectionLost()
            else:
                self.loseConnection()
        else:
            piece, rest = data[:WINDOW_BYTES], data[WINDOW_BYTES:]
            if rest:
                self._arrived.insert(0, rest)
            self.protocol.dataReceived(piece)
        self._later(self._read)

    def _flush(self) -> None:
        if not self.connected or not self._end.reads or self._gone is not None:
            return
        data, self._unsent = self._unsent, b""
        self._end.heard += data
        if self._producer is not None and self._producer_paused:
            self._producer_paused = False
            self._producer.resumeProducing()
        if self._unsent:
            self._later(self._flush)
        elif self.disconnecting:
            self._lose(ConnectionDone())
        elif self._write_closing and not self._write_closed:
            self._write_closed = True
            self._end.eof = True
            if IHalfCloseableProtocol.providedBy(self.protocol):
                self.protocol.writeConnectionLost()

    def _lose(self, reason: Exception) -> None:
        self._gone = reason
        self._later(self._lost)

    def _lost(self) -> None:
        assert self._gone is not None
        self.connected = False
        self._end.closed = self._gone
        if self._producer is not None:
            self._producer.stopProducing()
        self.protocol.connectionLost(Failure(self._gone))


class End:
    """The test's end of a connection: what it says, and what it hears.

    @ivar heard: bytes that have arrived and were not yet taken by `hears`.
    @ivar reads: whether it takes what the proxy writes; see `stops_reading`.
    @ivar eof: the proxy has closed its half.
    @ivar closed: why the connection is gone; None while it is not.
    """

    def __init__(self, clock: Clock, peer: IPv4Address) -> None:
        self.heard = b""
        self.reads = True
        self.eof = False
        self.closed: Exception | None = None
        self._clock = clock
        self.transport = FakeTransport(clock, peer, self)

    def joins(self, protocol: Any) -> None:
        """`protocol`, which a factory has built, is the proxy's side."""
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)
        self._clock.advance(0)

    def says(self, data: bytes, piece: int = 0) -> None:
        """Send, in pieces of so many bytes if `piece` is given, each of which arrives alone."""
        for at in range(0, len(data), piece or len(data) or 1):
            self.transport.arrive(data[at : at + piece] if piece else data)
            self._clock.advance(0)

    def hears(self, expected: bytes) -> None:
        """Everything that has arrived since the last time is `expected`."""
        heard = self.takes()
        assert heard == expected, f"heard {heard[:1000]!r} instead of {expected[:1000]!r}"

    def hears_nothing(self) -> None:
        self.hears(b"")

    def takes(self) -> bytes:
        """What has arrived, without the lines that the proxy adds to every message."""
        return _OURS.sub(b"", self.takes_raw())

    def takes_raw(self) -> bytes:
        heard, self.heard = self.heard, b""
        return heard

    def stops_reading(self) -> None:
        """From now on the proxy's writes pile up at its own end."""
        self.reads = False

    def reads_again(self) -> None:
        self.reads = True
        self.transport._later(self.transport._flush)
        self._clock.advance(0)

    def half_closes(self) -> None:
        """Send nothing more; hear on."""
        self.transport.arrive(None)
        self._clock.advance(0)

    def leaves(self, reason: Exception | None = None) -> None:
        """Be gone, without a word."""
        self.transport.peer_gone(reason or ConnectionLost())
        self._clock.advance(0)

    @property
    def is_read(self) -> bool:
        """Whether the proxy reads what this end says."""
        return self.transport.reading

    @property
    def pending(self) -> int:
        """How many bytes the proxy holds for this end."""
        return self.transport.unsent

    @property
    def was_cut(self) -> bool:
        """Whether the proxy cut the connection, rather than close it in order."""
        return isinstance(self.closed, ConnectionAborted)

    @property
    def was_closed(self) -> bool:
        """Whether the connection ended in order, all that was written having arrived."""
        return isinstance(self.closed, ConnectionDone)

    @property
    def is_open(self) -> bool:
        return self.closed is None and not self.eof


@implementer(IStreamClientEndpoint)
class FakeEndpoint:
    """Connects to nothing: each attempt succeeds in the next turn, or as the test has told it.

    @param made: told of each connection.
    @ivar error: what every attempt fails with.
    @ivar silent: attempts neither succeed nor fail.
    @ivar dialed: how many attempts there were.
    @ivar factory: of the last attempt.
    @ivar ends: the servers' ends of all connections that were made.
    @ivar given_up: how many of the silent ones were cancelled.
    """

    def __init__(self, clock: Clock, made: Callable[[End], None]) -> None:
        self.error: Exception | None = None
        self.silent = False
        self.dialed = 0
        self.given_up = 0
        self.ends: list[End] = []
        self.factory: Any = None
        self._clock = clock
        self._made = made

    def connect(self, factory: Any) -> Deferred[Any]:
        self.dialed += 1
        self.factory = factory
        made: Deferred[Any] = Deferred(self._cancelled)
        if self.error is not None:
            self._clock.callLater(0, made.errback, Failure(self.error))
        elif not self.silent:
            self._clock.callLater(0, self._connect, factory, made)
        return made

    def _connect(self, factory: Any, made: Deferred[Any]) -> None:
        if made.called:
            return
        address = IPv4Address("TCP", "198.51.100.1", 9000)
        end = End(self._clock, address)
        self.ends.append(end)
        self._made(end)
        protocol = factory.buildProtocol(address)
        end.joins(protocol)
        made.callback(protocol)

    def _cancelled(self, made: Deferred[Any]) -> None:
        self.given_up += 1
