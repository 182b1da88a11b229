"""Asks the responders of authorities, by plain HTTP as they are asked: their answers are signed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from proxy import limits
from proxy.tls.ocsp import OcspError

#: A URL and a request: the answer, or `OcspError`.
Ask = Callable[[str, bytes], "Deferred[bytes]"]

_FIELDS = Headers({"Content-Type": ["application/ocsp-request"], "Accept": ["application/ocsp-response"]})


class Responders:
    """Whoever can be reached from here.

    @param seconds: for a whole answer.
    """

    def __init__(self, reactor: Any, seconds: float = limits.OCSP_SECONDS) -> None:
        self._reactor = reactor
        self._seconds = seconds

    def ask(self, url: str, question: bytes) -> Deferred[bytes]:
        """What the responder at `url` answers to `question`. Fails with `OcspError`, or if it is cancelled."""
        pool = HTTPConnectionPool(self._reactor, persistent=False)
        agent = Agent(self._reactor, connectTimeout=self._seconds, pool=pool)
        asked: Deferred[Any] = maybeDeferred(agent.request, b"POST", url.encode("ascii"), _FIELDS, _Body(question))
        asked.addCallback(_collected)
        asked.addTimeout(self._seconds, self._reactor, self._late)
        return asked.addErrback(_meaning)

    def _late(self, result: object, seconds: float) -> Failure:
        return Failure(OcspError(f"no answer within {seconds:g} s"))


def _meaning(failure: Failure) -> Failure:
    """Why there is no answer. Twisted wraps that, sometimes twice."""
    error = failure.value
    while reasons := getattr(error, "reasons", None):
        error = reasons[0].value
    if isinstance(error, OcspError | CancelledError):
        return Failure(error)
    return Failure(OcspError(str(error) or type(error).__name__))


@implementer(IBodyProducer)
class _Body:
    """The request, all at once."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """It has produced already."""

    resumeProducing = stopProducing = pauseProducing


def _collected(response: Any) -> Deferred[bytes]:
    """The whole answer, once it is there."""
    collector = _Collector()
    response.deliverBody(collector)
    if response.code != 200:
        collector.give_up(f"HTTP {response.code}")
    return collector.done


class _Collector(Protocol):
    """Collects an answer, up to a limit."""

    transport: Any = None

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._cut())
        self._data = b""

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > limits.OCSP_RESPONSE_BYTES:
            self.give_up("the answer is too large")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(self._data)
        else:
            self.done.errback(reason)

    def give_up(self, words: str) -> None:
        """It is of no use."""
        if not self.done.called:
            self.done.errback(OcspError(words))
            self._cut()

    def _cut(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()
