"""Scripted servers: how each behaves changes with time, and every request is answered with what belongs to it alone."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError, ConnectionRefusedError, TimeoutError
from twisted.internet.interfaces import IHalfCloseableProtocol, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.simulation.messages import Head, Reader, chunk, pattern, request_length

if TYPE_CHECKING:
    from tests.simulation.world import World

#: What may happen to one who connects.
ACCEPT, REFUSE, HANG = CONNECTING = ("accept", "refuse", "hang")

#: What may become of a request. All but the first seven lead to no whole answer, or to an end of the connection.
ANSWERS = (
    *("healthy", "slow", "early", "interim", "overloaded", "too early", "reluctant"),
    *("silent", "close", "reset", "close in head", "reset in head", "garbage", "then garbage"),
    *("close in body", "reset in body", "stall in body", "surplus", "close after"),
)


class Mood(NamedTuple):
    """How a server behaves until a moment.

    @ivar until: seconds.
    @ivar answers: one is drawn for each request.
    @ivar pause: seconds before an answer; a slow one takes five times as long.
    """

    until: float = float("inf")
    connecting: str = ACCEPT
    answers: tuple[str, ...] = ("healthy",)
    pause: float = 0.002


class ServerScript(NamedTuple):
    """One server.

    @ivar idle: it closes connections after so many seconds without a request; 0 for never.
    @ivar announces: it says so in Keep-Alive.
    """

    name: str
    moods: tuple[Mood, ...] = (Mood(),)
    weight: int = 1
    priority: int = 0
    idle: float = 0.0
    announces: bool = False


class Delivery(NamedTuple):
    """A request that reached a server."""

    server: str
    method: bytes
    at: float


#: How long a reluctant server lets the body of a request wait, in seconds.
RELUCTANCE = 0.7

#: A pause in seconds, then bytes or one of these.
CLOSE, RESET, OVER = "close", "reset", "over"
Step = tuple[float, bytes | str]


@implementer(IStreamClientEndpoint)
class ScriptedServer:
    """The endpoint that connects to it, and what it has seen.

    @ivar connections: those open now.
    @ivar healed: whatever its script says, it is well from now on.
    """

    def __init__(self, world: World, script: ServerScript, random: Random) -> None:
        self.world = world
        self.script = script
        self.name = script.name
        self.random = random
        self.connections: list[ServerConversation] = []
        self.healed = False

    @property
    def mood(self) -> Mood:
        if self.healed:
            return Mood()
        now = self.world.clock.seconds()
        return next(mood for mood in self.script.moods if now < mood.until)

    def connect(self, factory: Any) -> Deferred[Any]:
        """As a TCP endpoint does it."""
        clock, connecting = self.world.clock, self.mood.connecting

        def cancel(deferred: Deferred[Any]) -> None:
            call.cancel()
            deferred.errback(ConnectingCancelledError(self.world.address))

        deferred: Deferred[Any] = Deferred(cancel)
        if connecting == HANG:
            call = clock.callLater(self.world.setting.connect_seconds, self._refuse, deferred, TimeoutError())
        else:
            act = self._accept if connecting == ACCEPT else self._refuse
            what = factory if connecting == ACCEPT else ConnectionRefusedError()
            call = clock.callLater(self.world.line.latency * 2, act, deferred, what)
        return deferred

    def _refuse(self, deferred: Deferred[Any], error: Exception) -> None:
        self.world.tell(self.name, f"does not accept: {type(error).__name__}")
        deferred.errback(error)

    def _accept(self, deferred: Deferred[Any], factory: Any) -> None:
        near, far = self.world.connection(f"to {self.name}")
        near.protocol = factory.buildProtocol(far.getHost())
        far.protocol = ServerConversation(self)
        self.world.watch_far(near)
        far.protocol.makeConnection(far)
        near.protocol.makeConnection(near)
        deferred.callback(near.protocol)


@implementer(IHalfCloseableProtocol)
class ServerConversation(Protocol):
    """The server's end of one connection."""

    transport: Any

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.world = server.world
        self._reader = Reader(request_length)
        self._events: Iterator[Any] = iter(())
        self._request: Head | None = None
        self._number = 0
        self._body = b""
        self._answer = ""
        self._steps: Iterator[Step] = iter(())
        self._next: Any = None
        self._answering = False  # from the first step of an answer to its last
        self._answered = False
        self._whole = True

    # --- doors --------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        self.server.connections.append(self)

    def dataReceived(self, data: bytes) -> None:
        if self._answering and self._whole and not self._answer.endswith("in body"):  # which may have none
            self.world.judge.broken(f"{self.server.name} gets more before it has answered")
        if self._next is not None and not self._answering:
            self._cancel()
        self._reader.buffer += data
        self._go_on()

    def readConnectionLost(self) -> None:
        self.world.tell(self.server.name, "sees the end of the connection")
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Never asked for."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._cancel()
        self.server.connections.remove(self)

    # --- requests -----------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Read; the next request waits until this one is answered."""
        for event in self._reader.feed(b""):
            if isinstance(event, Head):
                self._begin(event)
            elif event is not None:
                self._body += event
                self.world.judge.request_body(self._number, self._body, whole=False)
            else:
                self._end()
                if self._answering:
                    return

    def _begin(self, head: Head) -> None:
        method, target, _ = head.start.split(b" ")
        path, _, query = target.partition(b"?")
        self._request, self._body = head, b""
        self._whole = self._answered = False
        self._answer = self.server.random.choice(self.server.mood.answers)
        self._number = int(path[1:]) if path != b"/health" else 0
        if self._number:
            self.world.judge.delivered(self._number, Delivery(self.server.name, method, self.world.clock.seconds()))
        self.world.tell(self.server.name, f"gets {method.decode()} {target.decode()}, will be {self._answer}")
        self._size = int(parse_qs(query)[b"size"][0]) if query else 2
        if self._answer.endswith("early") and self._number:
            self._start_answer()
        elif self._answer == "reluctant":
            self.transport.pauseProducing()
            self.world.clock.callLater(RELUCTANCE, self.transport.resumeProducing)

    def _end(self) -> None:
        self._whole = True
        if self._number:
            self.world.judge.request_body(self._number, self._body, whole=True)
        if not self._answered:
            self._start_answer()

    def _start_answer(self) -> None:
        assert self._request is not None
        self._cancel()
        self.transport.resumeProducing()
        mood = self.server.mood
        self._answering = self._answered = True
        pause = mood.pause * (5 if self._answer == "slow" else 1)
        self._steps = answer(self._answer, self._request, self._number, self._size, self.server, pause)
        self._step()

    # --- answers ------------------------------------------------------------------------------------------

    def _step(self) -> None:
        self._next = None
        for pause, what in self._steps:
            self._next = self.world.clock.callLater(pause, self._do, what)
            return

    def _do(self, what: bytes | str) -> None:
        self._next = None
        if isinstance(what, bytes):
            self.transport.write(what)
            self._step()
        elif what == OVER:
            self._over()
        else:
            self.world.tell(self.server.name, f"{what}s the connection")
            (self.transport.abortConnection if what == RESET else self.transport.loseConnection)()

    def _over(self) -> None:
        """The answer is out: the connection is free for the next request."""
        assert self._request is not None
        if self._request.fields.get(b"connection") == b"close":
            self.transport.loseConnection()
            return
        self._answering = False
        if self._whole:
            self._body = b""
            self._go_on()
        if not self._answering and self.server.script.idle:
            self._next = self.world.clock.callLater(self.server.script.idle, self._do, CLOSE)

    def _cancel(self) -> None:
        call, self._next = self._next, None
        if call is not None and call.active():
            call.cancel()


def answer(kind: str, request: Head, number: int, size: int, server: ScriptedServer, pause: float) -> Iterator[Step]:
    """What is sent, and when."""
    method = request.start.split(b" ")[0]
    if kind == "silent":
        return
    if kind in ("close", "reset"):
        yield pause, CLOSE if kind == "close" else RESET
        return
    if kind == "garbage":
        yield pause, b"\x15\x03\x01\x00\x02\x02\x28 what?\r\n\r\n"
        return
    if kind == "interim":
        yield pause / 2, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    framing = server.random.choice((b"length", b"length", b"chunked", b"close"))
    if kind in _OF_KNOWN_LENGTH and framing == b"close":
        framing = b"length"
    head = _head(_UNAVAILABLE if kind in ("overloaded", "too early") else b"200 OK", number, size, server, framing)
    pieces = [] if method == b"HEAD" else list(_pieces(pattern(number, size), framing, server.random))
    if " in " in kind:
        yield from _stump(kind, head, b"".join(pieces), server.random, pause)
        return
    if kind == "two at once":
        yield pause, head + b"".join(pieces) + _head(b"200 OK", 0, 0, server, b"length")
        pieces = []
    else:
        if framing == b"chunked" and kind == "then garbage" and pieces:
            pieces[-1] = b"oh no\r\n"
        yield pause, head + (pieces.pop(0) if pieces and server.random.random() < 0.7 else b"")
    for piece in pieces:
        yield pause / 4, piece
    if kind == "surplus":
        # Nothing can tell a well-formed surplus that comes late from the answer to the next request.
        yield 0.0, b"and another thing\r\n\r\n"
    yield 0.0, CLOSE if kind == "close after" or framing == b"close" else OVER


_UNAVAILABLE = b"503 Service Unavailable"

#: Where a body ends with the connection nobody could know that something is missing, or too much.
_OF_KNOWN_LENGTH = ("close in body", "stall in body", "surplus", "two at once")


def _stump(kind: str, head: bytes, body: bytes, random: Random, pause: float) -> Iterator[Step]:
    """An answer that breaks off."""
    if kind.endswith("in head"):
        yield pause, head[: random.randrange(1, len(head) - 2)]
    else:
        # All but the end: at least one byte, and the last chunk, are missing.
        yield pause, head + body[: max(0, len(body) - random.randint(1, 8))]
    if not kind.startswith("stall"):
        yield pause, CLOSE if kind.startswith("close") else RESET


def _head(status: bytes, number: int, size: int, server: ScriptedServer, framing: bytes) -> bytes:
    lines = [b"HTTP/1.1 " + status, b"X-Id: %d" % number, b"X-Size: %d" % size]
    lines.append(b"X-Server: %b" % server.name.encode())
    if framing == b"length":
        lines.append(b"Content-Length: %d" % size)
    elif framing == b"chunked":
        lines.append(b"Transfer-Encoding: chunked")
    if server.script.announces and server.script.idle >= 1.0:
        lines.append(b"Keep-Alive: timeout=%d" % server.script.idle)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _pieces(body: bytes, framing: bytes, random: Random) -> Iterator[bytes]:
    step = max(1, len(body) // random.randint(1, 4))
    for at in range(0, len(body), step):
        piece = body[at : at + step]
        yield chunk(piece) if framing == b"chunked" else piece
    if framing == b"chunked":
        yield b"0\r\n\r\n"
