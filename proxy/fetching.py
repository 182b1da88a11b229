"""The proxy's own errands over HTTP, with Twisted's client: a body that is sent at once, an answer that has a limit.

Nothing of this is on the data path: some requests in a day go to authorities and their responders.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IBodyProducer, IPolicyForHTTPS
from zope.interface import implementer


class TooLargeError(Exception):
    """The answer is larger than anybody wants it."""

    def __str__(self) -> str:
        return "the answer is too large"


def agent(reactor: Any, seconds: float, policy: IPolicyForHTTPS | None = None) -> Agent:
    """Makes a connection for each request, and logs none of them.

    @param seconds: that connecting may take.
    @param policy: how servers have to show who they are, where https is spoken.
    """
    pool = HTTPConnectionPool(reactor, persistent=False)
    pool._factory = _Quiet
    chosen = {} if policy is None else {"contextFactory": policy}
    return Agent(reactor, connectTimeout=seconds, pool=pool, **chosen)


_Factory: Any = HTTPConnectionPool._factory


class _Quiet(_Factory):  # type: ignore[misc]
    noisy = False


@implementer(IBodyProducer)
class Sent:
    """The body of a request, all at once."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """It has produced already."""

    resumeProducing = stopProducing = pauseProducing


def collected(response: Any, limit: int) -> Deferred[bytes]:
    """The whole body of an answer, once it is there; cancelled, the connection is closed.

    @param limit: with more bytes than this it fails with `TooLargeError`.
    """
    collector = _Collector(limit)
    response.deliverBody(collector)
    return collector.done


class _Collector(Protocol):
    transport: Any = None

    def __init__(self, limit: int) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._hang_up())
        self._limit = limit
        self._data = b""

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > self._limit and not self.done.called:
            self.done.errback(TooLargeError())
            self._hang_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(self._data)
        else:
            self.done.errback(reason)

    def _hang_up(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()  # Twisted gives bodies a transport that can do no more than this


def innermost(error: Any) -> Any:
    """What went wrong at first: Twisted wraps it, sometimes twice."""
    while reasons := getattr(error, "reasons", None):
        error = reasons[0].value
    return error
