"""Active health: asks a server from time to time how it is.

A probe has a connection of its own, so it finds out what a new client would find, and a busy pool does not hide a
server that accepts nobody any more.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol

from proxy import limits
from proxy.alarm import Alarm
from proxy.errors import ProxyError
from proxy.flow.walk import Promise
from proxy.health.probe import BODY_BYTES, Expectation, Verdict
from proxy.message import EMPTY, Deadlines, Fields, ResponseHead
from proxy.message.fields import Pair
from proxy.upstream.connection import UpstreamConnection
from proxy.upstream.dial import dial_error
from proxy.upstream.factory import RESPONSE_LIMITS, ProxyClientFactory
from proxy.upstream.rounds import Pace, Rounds
from proxy.wire import encode_request


class ProbePlan(NamedTuple):
    """How a server is asked.

    @ivar path: of an HTTP probe; empty for one that only connects.
    @ivar host: the value of Host; empty for the server's own name.
    @ivar interval: seconds from the end of one probe to the next, about.
    @ivar timeout: seconds that one probe may take, connecting included.
    """

    path: bytes = b"/"
    method: bytes = b"GET"
    host: bytes = b""
    fields: tuple[Pair, ...] = ()
    expect: Expectation = Expectation()
    interval: float = limits.PROBE_SECONDS
    timeout: float = limits.PROBE_TIMEOUT_SECONDS


class Prober:
    """Probes one server, again and again, until it is stopped.

    @param endpoint: connects to the server (or to the port that answers for it).
    """

    def __init__(
        self,
        server: ProxyClientFactory,
        plan: ProbePlan,
        endpoint: IStreamClientEndpoint,
        alarm: Alarm,
        random: Random,
    ) -> None:
        self._server = server
        self._plan = plan
        self._endpoint = endpoint
        self._alarm = alarm
        self._rounds = Rounds(self, Pace(plan.interval, plan.timeout), alarm, random)

    def start(self) -> None:
        """The first probe comes soon."""
        self._rounds.start()

    def stop(self) -> None:
        """No more probes."""
        self._rounds.stop()

    async def ask(self) -> Verdict:
        """One probe."""
        plan = self._plan
        if not plan.path:
            connected = await self._endpoint.connect(_JustConnectFactory())
            assert isinstance(connected, _JustConnect)
            connected.hang_up()
            return Verdict(True, "connected")
        connection = await self._endpoint.connect(_ProbeFactory(self._alarm))
        assert isinstance(connection, UpstreamConnection)
        try:
            head = await connection.send(self._request(), plan.method, EMPTY, _NO_DEADLINES, _ignore)
            body = _Beginning(BODY_BYTES)
            if plan.expect.body is not None and connection.body is not EMPTY:
                connection.body.start(body)
                await body.whole
            return plan.expect.judge(head, body.data)
        finally:
            connection.stop()

    def _request(self) -> bytes:
        plan = self._plan
        host = plan.host or self._server.authority
        own = [(b"Host", host), (b"User-Agent", b"reverseproxy-probe"), (b"Connection", b"close")]
        return encode_request(plan.method, plan.path, [*own, *plan.fields])

    def answered(self, answer: Verdict) -> None:
        self._server.probed(answer.passed, answer.why)

    def failed(self, error: BaseException) -> None:
        if not isinstance(error, ProxyError | TimeoutError):
            assert isinstance(error, Exception)
            error = dial_error(error, self._server.plan.address)
        self._server.probed(False, str(error))

    def __repr__(self) -> str:
        return f"<Prober of {self._server.name}{' probing' if self._rounds.under_way else ''}>"


# The prober's own deadline holds.
_NO_DEADLINES = Deadlines(*[0.0] * len(Deadlines._fields))


def _ignore(head: ResponseHead) -> None:
    """An interim response says nothing about health."""


class _JustConnect(Protocol):
    """A connection that shows that there is somebody."""

    def hang_up(self) -> None:
        """Enough."""
        assert self.transport is not None
        self.transport.loseConnection()


class _JustConnectFactory(Factory):
    noisy = False
    protocol = _JustConnect


class _ProbeFactory(Factory):
    """Makes the connection of one probe; it belongs to no pool."""

    noisy = False

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm

    def buildProtocol(self, addr: IAddress | None) -> UpstreamConnection:
        return UpstreamConnection(self, self._alarm, RESPONSE_LIMITS)

    def released(self, connection: UpstreamConnection) -> None:
        connection.close()

    def broke_off(self, error: ProxyError) -> None:
        """The prober learns it by the body."""

    def gone(self, connection: UpstreamConnection) -> None:
        """Nobody counts it."""

    def closed_while_idle(self, seconds: float) -> None:
        """It is never idle."""

    def outlasted(self, seconds: float) -> None:
        """It is never idle."""


class _Beginning:
    """A sink for the first bytes of a body.

    @ivar whole: kept when there is enough, or no more.
    """

    def __init__(self, limit: int) -> None:
        self.data = b""
        self.whole: Promise[None] = Promise()
        self._limit = limit

    def body_data(self, data: bytes) -> None:
        if len(self.data) < self._limit:
            self.data = (self.data + data)[: self._limit]
            if len(self.data) == self._limit and not self.whole.settled:
                self.whole.keep(None)

    def body_end(self, trailers: Fields) -> None:
        if not self.whole.settled:
            self.whole.keep(None)

    def body_failed(self, error: ProxyError) -> None:
        if not self.whole.settled:
            self.whole.fail(error)
