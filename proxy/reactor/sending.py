"""The half of a stream that sends: the queue of a turn, producers, and what happens when all is sent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, cast

from twisted.internet import error
from twisted.internet.interfaces import IHalfCloseableProtocol, IProducer, IPullProducer, IPushProducer
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from proxy.reactor.loop import UvloopReactor
    from proxy.reactor.piping import Pipe

__all__ = ["AT_ONCE_BYTES", "DONE", "HIGH_WATER_BYTES", "LOST", "Output", "Sending"]

#: More than this waiting to be sent pauses a push producer: one whole read, so that passing it on pauses nobody.
HIGH_WATER_BYTES = 68 * 1024

#: A whole read is passed on at once, for more of it follows: at the end of the turn, when all other streams have been
#: read, it would no longer be in the processor's cache (10 MiB through a proxy, 64 at a time: 8 ms CPU against 16).
AT_ONCE_BYTES = HIGH_WATER_BYTES

#: Why a connection ended. Shared, as in Twisted's reactors: making one costs more than the rest of the closing.
DONE = Failure(error.ConnectionDone())
LOST = Failure(error.ConnectionLost())

# Up to this, the pieces of a turn are joined; beyond, copying costs more than giving uvloop a list of pieces.
_JOIN_BYTES = 16384


class Output(Enum):
    """What becomes of bytes written to a stream."""

    OPEN = auto()  # they are sent
    ENDING = auto()  # loseWriteConnection() was called: they are sent, then our side ends
    ENDED = auto()  # our side has ended: they are dropped
    DROPPED = auto()  # abortConnection() was called: they are dropped, and so is what was waiting


# An enum's member is looked up through its class each time; these are read for each write.
_OPEN, _ENDED, _DROPPED = Output.OPEN, Output.ENDED, Output.DROPPED


class Sending:
    """An `IConsumer` that collects what is written in a turn of the loop and sends it at the end of the turn.

    What the kernel does not take, uvloop keeps. It is given no more until that is sent, so that it never has more than
    one turn's worth; the rest stays here, where producers are paused for it.
    """

    __slots__ = (
        "_at_once",
        "_blocked",
        "_inlet",
        "_output",
        "_queue",
        "_queued",
        "_unsent",
        "_uv",
        "_waiting",
        "connected",
        "disconnected",
        "disconnecting",
        "producer",
        "producerPaused",
        "protocol",
        "reactor",
        "streamingProducer",
    )

    bufferSize = HIGH_WATER_BYTES
    #: `write` takes a memoryview as well, which Twisted's own transports refuse.
    takes_views = True

    def __init__(self, protocol: Any, reactor: UvloopReactor) -> None:
        self.reactor = reactor
        self.protocol = protocol
        self.connected = 1
        self.disconnected = 0
        self.disconnecting = 0
        self.producer: IProducer | None = None
        self.producerPaused = False
        self.streamingProducer = False
        self._output = Output.OPEN
        self._queue: list[bytes | memoryview] = []  # written since the last flush
        self._queued = 0  # bytes in _queue
        self._unsent = 0  # bytes that the kernel did not take and uvloop keeps
        self._blocked = False  # uvloop keeps such bytes: resume_writing() comes when they are sent; or a pipe is there
        self._inlet: Pipe | None = None  # through which bytes come that nobody writes
        self._at_once = 0  # bytes sent in this turn before its end; they count, or a producer could write for ever
        self._waiting = False  # in the outbox
        self._uv: asyncio.Transport | None = None  # until connection_made()

    @property
    def writing(self) -> bool:
        """Whether there is something to send."""
        return self._waiting or self._blocked

    # What the subclass knows

    def connectionLost(self, reason: Failure) -> None:
        raise NotImplementedError

    def fail(self) -> None:
        """The protocol or a producer has raised."""
        raise NotImplementedError

    def hang_up(self) -> None:
        """Close the socket now; `connectionLost` follows."""
        raise NotImplementedError

    @property
    def socket(self) -> socket.socket:
        raise NotImplementedError

    def stopReading(self) -> None:
        raise NotImplementedError

    # What the application calls

    def write(self, data: bytes | memoryview) -> None:
        """Send `data` at the end of this loop turn. Dropped if the connection, or our side of it, has ended.

        A view must be of bytes that stay as they are."""
        if type(data) is not bytes and not isinstance(data, (bytes, memoryview)):
            raise TypeError("Data must be bytes")
        if not data or not self.connected or self._output is _ENDED:
            return
        self._queue.append(data)
        self._queued = queued = self._queued + len(data)
        if queued < self.bufferSize and not self._waiting and not self._blocked:
            self._waiting = True  # the usual case: the first words of a turn, and few
            self.reactor.outbox.add(self)
        else:
            self._see_to_much(queued)

    def _see_to_much(self, queued: int) -> None:
        """So many bytes wait, or some did before: send a whole read at once, pause a producer that is too fast."""
        if queued >= AT_ONCE_BYTES and not self._waiting and self._uv is not None and self._may_send_now():
            self._at_once = queued
            self._send(self._uv)
        self._schedule()
        held = self._queued + self._unsent + self._at_once
        if held > self.bufferSize and self.producer is not None and self.streamingProducer:
            self.producerPaused = True
            cast(IPushProducer, self.producer).pauseProducing()

    def _may_send_now(self) -> bool:
        """Whether nobody waits for the end of the turn but the bytes themselves."""
        if self._blocked or self.disconnecting or self._output is not Output.OPEN or self.producerPaused:
            return False
        return self.producer is None or self.streamingProducer

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """As `write`, for all the pieces of `data` in order."""
        pieces = list(data)
        for piece in pieces:
            if not isinstance(piece, bytes):
                raise TypeError("Data must be bytes")
        self.write(b"".join(pieces))

    def loseConnection(self) -> None:
        """Close when everything written is sent and no producer has more."""
        if not self.connected or self.disconnecting:
            return
        if self._output is Output.ENDED:
            self.connectionLost(DONE)
        else:
            self.stopReading()
            self.disconnecting = 1
            self._schedule()

    def loseWriteConnection(self) -> None:
        """End our side of the connection when everything written is sent; the peer's side stays open."""
        if self.connected and self._output is Output.OPEN:
            self._output = Output.ENDING
            self._schedule()

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Pause `producer` while more than `bufferSize` bytes wait, and resume it when all are sent.

        A pull producer (`streaming` false) is asked for more whenever all is sent. Raises `RuntimeError` if another
        producer is registered.
        """
        if self.producer is not None:
            raise RuntimeError(
                f"Cannot register producer {producer}, because producer {self.producer} was never unregistered."
            )
        if self.disconnected:
            producer.stopProducing()
            return
        self.producer = producer
        self.streamingProducer = streaming
        if not streaming:
            cast(IPullProducer, producer).resumeProducing()

    def unregisterProducer(self) -> None:
        self.producer = None
        if self.connected and self.disconnecting:
            self._schedule()

    def stopConsuming(self) -> None:
        self.unregisterProducer()
        self.loseConnection()

    # What uvloop calls

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._unsent = 0
        if self._inlet is None:
            self._blocked = False
            self.flush()
        else:
            self._inlet.target_drained()

    # What a pipe or a relay calls

    @property
    def takes_pipes(self) -> bool:
        """Whether bytes may come through a pipe now."""
        return self._uv is not None and not self._uv.is_closing() and self._inlet is None and self._output is _OPEN

    def write_through(self, pipe: Pipe | None) -> bool:
        """Let bytes come through `pipe`: what is written meanwhile waits. None: from now on they come as ever.

        @return: whether all that was written before has been sent; else `target_drained` says when it has.
        """
        if pipe is not None:
            self.send_at_once()
        sent, self._inlet = not self._blocked, pipe
        self._blocked = self._blocked or pipe is not None
        return sent

    def send_at_once(self) -> asyncio.Transport | None:
        """Send what was written in this turn, before anything else comes; None: some of it is unsent still."""
        if self._queue and not self._blocked and self._uv is not None:
            self._send(self._uv)
        return None if self._blocked else self._uv

    def pause_producer(self) -> None:
        """The kernel takes no more."""
        if self.producer is not None and self.streamingProducer and not self.producerPaused:
            self.producerPaused = True
            cast(IPushProducer, self.producer).pauseProducing()

    def resume_producer(self) -> None:
        """The kernel has taken all."""
        if self.producer is not None and self.producerPaused:
            self.producerPaused = False
            cast(IPushProducer, self.producer).resumeProducing()

    # What the outbox calls

    def flush(self) -> None:
        """Send what was written since the last flush, then see to whoever waits for all to be sent."""
        self._waiting = False
        self._at_once = 0
        output = self._output
        if self._blocked or self.disconnected or output is _DROPPED:
            return
        uv = self._uv
        if uv is None:
            self._schedule()  # the outbox was due before connection_made()
            return
        self.reactor.serving = self
        try:
            if self._queue:
                self._send(uv)
                if self._blocked:
                    return
            if self.producerPaused or self.disconnecting or output is not _OPEN or not self.streamingProducer:
                self._drained(uv)
        except BaseException:  # noqa: BLE001 - logged; whatever an application raises ends its connection only
            self.fail()

    def _schedule(self) -> None:
        """Have `flush` called: at the end of the turn or, if uvloop still has unsent bytes, after these."""
        if not self._waiting and not self._blocked:
            self._waiting = True
            self.reactor.outbox.add(self)

    def _send(self, uv: asyncio.Transport) -> None:
        queue, queued = self._queue, self._queued
        self._queued = 0
        if len(queue) == 1:
            uv.write(queue.pop())
        else:
            self._queue = []
            if queued <= _JOIN_BYTES:
                uv.write(b"".join(queue))
            else:
                uv.writelines(queue)
        if self._blocked:
            self._unsent = uv.get_write_buffer_size()

    def _drained(self, uv: asyncio.Transport) -> None:
        if uv.is_closing():
            return  # the write failed: connection_lost() is on its way
        if self.producer is not None and (self.producerPaused or not self.streamingProducer):
            self.producerPaused = False
            cast(IPullProducer, self.producer).resumeProducing()
        elif self.disconnecting:
            self.hang_up()
            self.connectionLost(DONE)
        elif self._output is Output.ENDING:
            self._output = Output.ENDED
            if not self._shutdown(socket.SHUT_WR):
                self.connectionLost(LOST)  # nothing else would tell, as long as nobody reads
                return
            half_closeable = IHalfCloseableProtocol(self.protocol, None)
            if half_closeable is not None:
                half_closeable.writeConnectionLost()

    def _shutdown(self, how: int) -> bool:
        """False: the connection is dead already."""
        try:
            self.socket.shutdown(how)
        except OSError:
            return False
        return True
