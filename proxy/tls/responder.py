"""Asks the responders of authorities, by plain HTTP as they are asked: their answers are signed."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from proxy import limits
from proxy.fetching import Sent, agent, collected, innermost
from proxy.tls.ocsp import OcspError

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
        client = agent(self._reactor, self._seconds)
        asked: Deferred[Any] = maybeDeferred(client.request, b"POST", url.encode("ascii"), _FIELDS, Sent(question))
        asked.addCallback(_collected)
        asked.addTimeout(self._seconds, self._reactor, self._late)
        return asked.addErrback(_meaning)

    def _late(self, result: object, seconds: float) -> Failure:
        return Failure(OcspError(f"no answer within {seconds:g} s"))


def _meaning(failure: Failure) -> Failure:
    """Why there is no answer."""
    error = innermost(failure.value)
    if isinstance(error, OcspError | CancelledError):
        return Failure(error)
    return Failure(OcspError(str(error) or type(error).__name__))


def _collected(response: Any) -> Deferred[bytes]:
    """The whole answer, once it is there."""
    body = collected(response, limits.OCSP_RESPONSE_BYTES)
    if response.code != 200:
        body.addErrback(lambda _: None)  # what it says about it interests nobody
        body.cancel()
        raise OcspError(f"HTTP {response.code}")
    return body
