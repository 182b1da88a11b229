"""Asks the agent beside a server how the server is: one connection, one line, as HAProxy's agent check does."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from proxy import limits
from proxy.alarm import Alarm
from proxy.flow.walk import Promise
from proxy.health.agent import REPLY_BYTES, parse_report
from proxy.upstream.factory import ProxyClientFactory
from proxy.upstream.rounds import Pace, Rounds

log = Logger()


class AgentPlan(NamedTuple):
    """How an agent is asked.

    @ivar send: what it is told first, if anything.
    """

    send: bytes = b""
    interval: float = limits.PROBE_SECONDS
    timeout: float = limits.PROBE_TIMEOUT_SECONDS


class AgentCheck:
    """Asks the agent of one server, again and again, until it is stopped.

    An agent that cannot be reached, or says what nobody understands, changes nothing: whether the server works is for
    probes to find out. The log says it once.

    @param endpoint: connects to the agent.
    """

    def __init__(
        self, server: ProxyClientFactory, plan: AgentPlan, endpoint: IStreamClientEndpoint, alarm: Alarm, random: Random
    ) -> None:
        self._server = server
        self._plan = plan
        self._endpoint = endpoint
        self._rounds = Rounds(self, Pace(plan.interval, plan.timeout), alarm, random)
        self._silent = False

    def start(self) -> None:
        """The first question comes soon."""
        self._rounds.start()

    def stop(self) -> None:
        """No more questions."""
        self._rounds.stop()

    async def ask(self) -> bytes:
        """One question."""
        line: Promise[bytes] = Promise()
        connection = await self._endpoint.connect(_AskFactory(self._plan.send, line))
        assert isinstance(connection, _Ask)
        try:
            return await line
        finally:
            connection.hang_up()

    def answered(self, answer: bytes) -> None:
        try:
            report = parse_report(answer)
        except ValueError as error:
            self._cannot(str(error))
            return
        self._silent = False
        self._server.reported(report)

    def failed(self, error: BaseException) -> None:
        self._cannot(str(error))

    def _cannot(self, why: str) -> None:
        if not self._silent:
            self._silent = True
            log.warn("the agent of {server} cannot be asked: {why}", server=self._server.name, why=why)

    def __repr__(self) -> str:
        return f"<AgentCheck of {self._server.name}>"


class _AskFactory(Factory):
    noisy = False

    def __init__(self, send: bytes, line: Promise[bytes]) -> None:
        self._send = send
        self._line = line

    def buildProtocol(self, addr: IAddress | None) -> _Ask:
        return _Ask(self._send, self._line)


class _Ask(Protocol):
    """One connection to an agent. What comes until its first line, or the connection, ends is the answer."""

    def __init__(self, send: bytes, line: Promise[bytes]) -> None:
        self._send = send
        self._line = line
        self._heard = b""

    def connectionMade(self) -> None:
        assert self.transport is not None
        if self._send:
            self.transport.write(self._send)

    def dataReceived(self, data: bytes) -> None:
        self._heard += data
        if b"\n" in self._heard or len(self._heard) > REPLY_BYTES:
            self._settle()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._settle()

    def _settle(self) -> None:
        if not self._line.settled:
            self._line.keep(self._heard.partition(b"\n")[0][:REPLY_BYTES])

    def hang_up(self) -> None:
        """Enough."""
        assert self.transport is not None
        self.transport.loseConnection()
