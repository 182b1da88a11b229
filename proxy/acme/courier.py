"""Requests to a directory, over HTTPS: Twisted's own HTTP client is quick enough for a dozen requests in two months."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from twisted.internet import ssl
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS
from twisted.web.http_headers import Headers

from proxy import limits
from proxy.acme.words import Answer, Ask, UnreachedError, printable
from proxy.fetching import Sent, agent, collected, innermost
from proxy.tls.certificates import CertificateError, load_chain, pem_of

# RFC 8555 section 6.1: a client says who it is, and which language it wants to be told in.
_FIELDS = {
    "User-Agent": [f"twisted-reverseproxy/{version('twisted-reverseproxy')} Twisted/{version('twisted')}"],
    "Accept-Language": ["en"],
}
_JOSE = "application/jose+json"


class Courier:
    """Takes requests to their servers, each on a connection of its own.

    @param ca: a PEM file: who may have signed the servers' certificates; "" for those whom the machine trusts.
    """

    def __init__(self, reactor: Any, ca: str = "", seconds: float = limits.ACME_ANSWER_SECONDS) -> None:
        self._reactor = reactor
        self._ca = ca
        self._seconds = seconds

    async def fetch(self, ask: Ask) -> Answer:
        """@raise UnreachedError: there is no answer."""
        headers = {name: list(values) for name, values in _FIELDS.items()}
        if ask.body:
            headers["Content-Type"] = [_JOSE]
        if ask.accept:
            headers["Accept"] = [ask.accept]
        body = Sent(ask.body) if ask.body else None
        asked: Deferred[Any] = self._agent().request(ask.method.encode(), ask.url.encode(), Headers(headers), body)
        asked.addCallback(_collected)
        asked.addTimeout(self._seconds, self._reactor, _late)
        try:
            answer: Answer = await asked
        except Exception as error:
            reason = innermost(error)
            if isinstance(reason, CancelledError):
                raise reason from None  # nobody wants to know any more
            raise UnreachedError(f"{_host(ask.url)} cannot be reached: {_words(reason)}") from error
        return answer

    def _agent(self) -> Agent:
        roots: Any = None
        if self._ca:
            try:
                chain = load_chain(self._ca)
            except CertificateError as error:
                raise UnreachedError(f"`ca` cannot be used: {error}") from error
            roots = ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(pem_of(one)) for one in chain])
        return agent(self._reactor, self._seconds, BrowserLikePolicyForHTTPS(roots))

    def __repr__(self) -> str:
        return f"<Courier{f' trusting {self._ca}' if self._ca else ''}>"


def _late(result: object, seconds: float) -> Failure:
    return Failure(UnreachedError(f"no answer within {seconds:g} seconds"))


def _collected(response: Any) -> Deferred[Answer]:
    """The whole answer, once it is there."""
    body: Deferred[Any] = collected(response, limits.ACME_ANSWER_BYTES)
    return body.addCallback(lambda data: Answer(response.code, fields_of(response), data))


def fields_of(response: Any) -> dict[str, str]:
    """The fields of an answer; of those that come twice the last one counts."""
    fields = response.headers.getAllRawHeaders()
    return {name.decode("latin-1").lower(): values[-1].decode("latin-1") for name, values in fields}


def _words(error: BaseException) -> str:
    """Why there is no answer, for people."""
    words = "; ".join(str(part[-1]) for part in error.args[0]) if _is_openssl(error) else str(error)
    return printable(words or type(error).__name__)


def _host(url: str) -> str:
    return urlsplit(url).netloc or url


def _is_openssl(error: Any) -> bool:
    return bool(error.args) and isinstance(error.args[0], list) and all(isinstance(one, tuple) for one in error.args[0])
