"""Scripted clients: they pipeline, post, read slowly, and leave at any moment."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.simulation.messages import Head, Reader, chunk, pattern, response_length

if TYPE_CHECKING:
    from tests.simulation.world import World


class Ask(NamedTuple):
    """One request.

    @ivar number: names it in the whole world.
    @ivar size: bytes of the response wanted.
    @ivar body: bytes of its own body.
    @ivar cut: the client stops after so many bytes of all that belongs to it; -1 for never.
    @ivar spoiled: its last chunk is none.
    """

    number: int
    method: bytes = b"GET"
    size: int = 10
    body: int = 0
    chunked: bool = False
    minor: int = 1
    close: bool = False
    cut: int = -1
    spoiled: bool = False

    def wire(self) -> bytes:
        """All of it, as it is sent."""
        lines = [b"%b /%d?size=%d HTTP/1.%d" % (self.method, self.number, self.size, self.minor), b"Host: a.test"]
        body = pattern(self.number, self.body)
        if self.chunked:
            lines.append(b"Transfer-Encoding: chunked")
            body = b"".join(chunk(body[at : at + 5000]) for at in range(0, len(body), 5000))
            body += b"nonsense\r\n" if self.spoiled else b"0\r\n\r\n"
        elif self.body or self.method == b"POST":
            lines.append(b"Content-Length: %d" % len(body))
        if self.close:
            lines.append(b"Connection: close")
        return b"\r\n".join(lines) + b"\r\n\r\n" + body


#: A client that still waits after so many seconds gives up.
PATIENCE = 100.0

#: How long a client that has everything waits for what it must not get, in seconds.
WAITS_ON = 0.3

LEAVING = ("close", "reset", "end")


class ClientScript(NamedTuple):
    """One client.

    @ivar start: when it connects, in seconds.
    @ivar depth: how many requests it sends without waiting.
    @ivar piece, pace: it sends pieces of so many bytes, with so many seconds between them.
    @ivar leaves: when it leaves, in seconds after its start, and how; 0 for when all is answered.
    @ivar pauses: when it stops reading, and for how long, in seconds; for ever is `inf`.
    """

    asks: tuple[Ask, ...]
    start: float = 0.0
    depth: int = 1
    piece: int = 16384
    pace: float = 0.0
    leaves: float = 0.0
    how: str = "close"
    pauses: tuple[tuple[float, float], ...] = ()


@implementer(IHalfCloseableProtocol)
class ScriptedClient(Protocol):
    """One client and its one connection.

    @ivar left: it went away before all was answered.
    @ivar satisfied: all was answered.
    @ivar gone: the connection is closed.
    @ivar reset: by the other end, which may have thrown away what was on its way.
    @ivar sent_whole: numbers of the requests that it has sent to the end.
    """

    transport: Any

    def __init__(self, world: World, name: str, script: ClientScript) -> None:
        self.world = world
        self.name = name
        self.script = script
        self.left = False
        self.satisfied = False
        self.gone = False
        self.reset = False
        self.sent_whole: list[int] = []
        self._to_ask = deque(script.asks)
        self._asked: deque[Ask] = deque()
        self._unsent: deque[tuple[bytes, int]] = deque()  # a piece, and the request that ends with it
        self._stuck = False
        self._pump_due = False
        self._reader = Reader(self._length)
        self._head: Head | None = None
        self._body = b""
        self._calls: list[Any] = []

    # --- doors --------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        script = self.script
        if script.leaves:
            self._later(script.leaves, self._leave)
        self._later(PATIENCE, self._give_up)
        for at, seconds in script.pauses:
            self._later(at, self.transport.pauseProducing)
            if seconds != float("inf"):
                self._later(at + seconds, self.transport.resumeProducing)
        self._ask()

    def dataReceived(self, data: bytes) -> None:
        for event in self._reader.feed(data):
            if isinstance(event, Head):
                self._begin(event)
            elif event is not None:
                self._body += event
            else:
                self._end()

    def readConnectionLost(self) -> None:
        if self._reader.eof():
            self._end()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """It has ended its side."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.world.tell(self.name, f"is disconnected: {reason.type.__name__}")  # type: ignore[union-attr]
        self.gone = True
        self.reset = reason.check(ConnectionLost) is not None
        for call in self._calls:
            if call.active():
                call.cancel()

    # --- asking -------------------------------------------------------------------------------------------

    def _later(self, seconds: float, act: Any) -> None:
        self._calls.append(self.world.clock.callLater(seconds, act))

    def _ask(self) -> None:
        while self._to_ask and len(self._asked) < self.script.depth and not self._stuck:
            ask = self._to_ask.popleft()
            self._asked.append(ask)
            self.world.tell(self.name, f"asks {ask.method.decode()} {ask.number}")
            wire = ask.wire()
            if ask.cut >= 0:
                wire, self._stuck = wire[: ask.cut], True
            step = self.script.piece
            for at in range(0, len(wire), step):
                last = at + step >= len(wire) and ask.cut < 0
                self._unsent.append((wire[at : at + step], ask.number if last else 0))
        self._pump()

    def _pump(self) -> None:
        self._pump_due = False
        while self._unsent and not self.gone and not self.left:
            piece, number = self._unsent.popleft()
            self.transport.write(piece)
            if number:
                self.sent_whole.append(number)
            if self.script.pace and not self._pump_due:
                self._pump_due = True
                self._later(self.script.pace, self._pump)
            if self._pump_due:
                return

    def _give_up(self) -> None:
        """Only one that does not read has a reason to be here still."""
        if not any(seconds == float("inf") for _, seconds in self.script.pauses):
            self.world.judge.broken(f"{self.name} would wait for ever, for {self.unanswered}")
        self.left = True
        self.transport.abortConnection()

    def _leave(self) -> None:
        if self.left or self.gone:
            return
        self.left = not self.satisfied
        self.world.tell(self.name, f"leaves ({self.script.how})")
        transport = self.transport
        if self.script.how == "end":
            transport.loseWriteConnection()
        else:
            (transport.abortConnection if self.script.how == "reset" else transport.loseConnection)()

    # --- answers ------------------------------------------------------------------------------------------

    def _length(self, head: Head) -> int:
        return response_length(head, self._asked[0].method if self._asked else b"GET")

    def _begin(self, head: Head) -> None:
        self._head, self._body = head, b""

    def _end(self) -> None:
        head = self._head
        assert head is not None
        if head.status < 200:
            return
        self._head = None
        ask = self._asked.popleft() if self._asked else None
        number = ask.number if ask is not None else 0
        self.world.tell(self.name, f"has a whole answer to {number}: {head.status}, {len(self._body)} bytes")
        self.world.judge.answered(self.name, ask, head, self._body)
        if not self._to_ask and not self._asked and not self._stuck:
            self.satisfied = True
            self._later(WAITS_ON, self.transport.loseConnection)  # until then, a word too much would be seen
        elif not self.left:
            self._ask()

    @property
    def unanswered(self) -> list[int]:
        """What it asked and got no whole answer to."""
        return [ask.number for ask in self._asked]
