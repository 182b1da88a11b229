"""Connections in memory that behave as TCP and Twisted's transports do: late, in pieces, with windows that fill up.

`twisted.internet.tcp.Connection` is the standard for what a protocol is told and when; Linux for what becomes of bytes
when somebody closes: who sends to a socket that is closed, or closes one with unread bytes, causes a reset, and a
reset may overtake what was sent before it. Nothing of the end of a peer is noticed while nobody reads or writes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IHalfCloseableProtocol, IPushProducer, ITCPTransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

DONE = Failure(ConnectionDone())
LOST = Failure(ConnectionLost())
ABORTED = Failure(ConnectionAborted())

FIN, RST = "FIN", "RST"

_FINE_SEGMENTS = 40


class Line(NamedTuple):
    """How good a connection is.

    @ivar latency: seconds from one end to the other, at least; each segment may take half as long again.
    @ivar window: bytes that the kernels hold for each direction.
    @ivar segment: bytes that arrive together at most.
    @ivar high_water: more than so many bytes that wait pause a producer.
    """

    latency: float = 0.001
    window: int = 65536
    segment: int = 1460
    high_water: int = 65536


@implementer(ITCPTransport, IConsumer, IPushProducer)
class End:
    """One end of a connection: the transport of one protocol.

    @ivar waiting: written by the protocol, not yet taken by the kernel.
    @ivar unread: arrived, not yet given to the protocol.
    @ivar most_waiting: the most bytes that ever waited.
    """

    peer: End

    def __init__(self, clock: Clock, line: Line, random: Random, address: IPv4Address) -> None:
        self.protocol: Any = None
        self.connected = True
        self.disconnecting = False
        self.waiting = b""
        self.most_waiting = 0
        self.unread: deque[bytes | str] = deque()
        self.reading = True
        #: Called with the bytes before the protocol gets them, and with b"" after it has.
        self.watch: Callable[[bytes], None] = _nothing
        self._clock = clock
        self._line = line
        self._random = random
        self._address = address
        self._producer: Any = None
        self._producer_paused = False
        self._ending = False
        self._ended = False
        self._dropped = False
        self._flush_due = False
        self._read_due = False
        self._on_the_way = 0  # bytes that the peer's protocol has not got yet
        self._segments = 0
        self._flight: deque[tuple[float, bytes | str]] = deque()

    # --- ITransport ---------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        assert type(data) is bytes
        if not data or not self.connected or self._ended or self._dropped:
            return
        self.waiting += data
        self.most_waiting = max(self.most_waiting, len(self.waiting))
        self._flush_soon()
        if self._producer is not None and len(self.waiting) > self._line.high_water:
            self._producer_paused = True
            self._producer.pauseProducing()

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        if not self.connected or self.disconnecting:
            return
        self.reading = False
        self.disconnecting = True
        self._flush_soon()

    def loseWriteConnection(self) -> None:
        self._ending = True
        self._flush_soon()

    def abortConnection(self) -> None:
        if self.connected and not self._dropped:
            self.reading = False
            self._dropped = True
            self.waiting = b""
            self._clock.callLater(0, self._lose, ABORTED)

    def getPeer(self) -> IPv4Address:
        return self.peer._address

    def getHost(self) -> IPv4Address:
        return self._address

    # --- ITCPTransport ------------------------------------------------------------------------------------

    def getTcpNoDelay(self) -> bool:
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """It is."""

    def getTcpKeepAlive(self) -> bool:
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing here lasts for hours."""

    # --- IPushProducer, IConsumer -------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        if self.connected and not self.disconnecting and not self._dropped:
            self.reading = True
            self._read_soon()

    def stopProducing(self) -> None:
        self.loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming and self._producer is None
        if not self.connected:
            producer.stopProducing()
        else:
            self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None
        if self.connected and self.disconnecting:
            self._flush_soon()

    # --- outward ------------------------------------------------------------------------------------------

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._clock.callLater(0, self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        if not self.connected or self._dropped:
            return
        if RST in self.unread and self.waiting:
            self._lose(LOST)
            return
        while self.waiting and self._on_the_way < self._line.window:
            room = self._line.window - self._on_the_way
            piece = self.waiting[: min(room, self._segment())]
            self.waiting = self.waiting[len(piece) :]
            self._on_the_way += len(piece)
            self._send(piece)
        if not self.waiting:
            self._drained()

    def _drained(self) -> None:
        if self._producer is not None and self._producer_paused:
            self._producer_paused = False
            self._producer.resumeProducing()
        elif self.disconnecting:
            self._lose(DONE)
        elif self._ending and not self._ended:
            self._ended = True
            self._send(FIN)
            IHalfCloseableProtocol(self.protocol).writeConnectionLost()

    def _segment(self) -> int:
        """How many bytes travel together. Heads are cut fine; for long bodies that shows nothing and takes long."""
        self._segments += 1
        return self._random.randint(1, self._line.segment if self._segments < _FINE_SEGMENTS else 16384)

    def _send(self, what: bytes | str) -> None:
        arrival = self._clock.seconds() + self._line.latency * (1.0 + self._random.random() / 2)
        if not self._flight:
            self._clock.callLater(arrival - self._clock.seconds(), self._carry)
        self._flight.append((arrival, what))

    def _carry(self) -> None:
        """Something has arrived; what is late holds up what comes behind it."""
        now = self._clock.seconds()
        while self._flight and self._flight[0][0] <= now:
            self.peer._arrive(self._flight.popleft()[1])
        if self._flight:
            self._clock.callLater(self._flight[0][0] - now, self._carry)

    # --- inward -------------------------------------------------------------------------------------------

    def _arrive(self, what: bytes | str) -> None:
        if not self.connected:
            if type(what) is bytes:
                self._send(RST)
            return
        if what is RST and self._random.random() < 0.5:
            self.unread.clear()
        self.unread.append(what)
        if RST in self.unread and self.waiting:
            self._flush_soon()
        self._read()

    def _read_soon(self) -> None:
        if not self._read_due and self.unread:
            self._read_due = True
            self._clock.callLater(0, self._read_later)

    def _read_later(self) -> None:
        self._read_due = False
        self._read()

    def _read(self) -> None:
        if not self.reading or not self.unread or not self.connected:
            return
        what = self.unread.popleft()
        if what is RST:
            self._lose(LOST)
        elif what is FIN:
            self.reading = False
            half_closeable = IHalfCloseableProtocol(self.protocol, None)
            if half_closeable is None:
                self._lose(DONE)
            else:
                half_closeable.readConnectionLost()
        else:
            assert type(what) is bytes
            while self.unread and type(self.unread[0]) is bytes:
                what += self.unread.popleft()  # type: ignore[operator] # bytes, as the line above says
            self.peer._taken(len(what))
            self.watch(what)
            self.protocol.dataReceived(what)
            self.watch(b"")
            self._read_soon()

    def _taken(self, size: int) -> None:
        self._on_the_way -= size
        if self.waiting:
            self._flush_soon()

    # --- the end ------------------------------------------------------------------------------------------

    def _lose(self, reason: Failure) -> None:
        if not self.connected:
            return
        self.connected = False
        self.reading = False
        self.waiting = b""
        if reason is not LOST and RST not in self.unread:
            if reason is ABORTED or any(type(each) is bytes for each in self.unread):
                self._send(RST)
            elif not self._ended:
                self._send(FIN)
        self.unread.clear()
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        self.protocol.connectionLost(reason)


def _nothing(data: bytes) -> None:
    """Nobody watches."""


def connect(clock: Clock, line: Line, random: Random, near: IPv4Address, far: IPv4Address) -> tuple[End, End]:
    """The two ends of a new connection. The caller gives each its protocol, and tells it."""
    ends = End(clock, line, random, near), End(clock, line, random, far)
    ends[0].peer, ends[1].peer = ends[1], ends[0]
    return ends
