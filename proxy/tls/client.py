"""TLS to the servers of an upstream: an endpoint around an endpoint, whose connections stand when the server is
verified.

Every server is verified, by name and by whoever signed its certificate, unless the configuration says otherwise in so
many words. Nothing of a request is sent before that, so whatever goes wrong here may be tried at another server.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from math import inf
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from proxy import limits
from proxy.alarm import Alarm
from proxy.errors import (
    CONNECT_TIMEOUT,
    UPSTREAM_TLS_EXPIRED,
    UPSTREAM_TLS_HANDSHAKE,
    UPSTREAM_TLS_NAME,
    UPSTREAM_TLS_REVOKED,
    UPSTREAM_TLS_UNTRUSTED,
    ProxyError,
    Retry,
)
from proxy.tls.certificates import (
    UNREADABLE,
    CertificateError,
    Pair,
    days_left,
    exposure,
    is_address,
    load_pair,
    signature,
)
from proxy.tls.contexts import EXPIRED_CODES, REVOKED_CODE, client_context
from proxy.tls.identity import identity
from proxy.tls.policies import policy
from proxy.tls.stream import HandshakeError, TlsStream
from proxy.tls.terms import Reminder, Term, terms

log = Logger()

# Alerts (RFC 8446 section 6.2) in OpenSSL's words, among them that we showed none.
_ABOUT_OURS = re.compile("alert .*(?:certificate|unknown ca|access denied)")


class ClientPlan(NamedTuple):
    """How servers are spoken to, and whom is believed. All files are in PEM form, "" where there is none.

    @ivar ca: who may have signed their certificates; "" for those whom the machine trusts.
    @ivar crl: which of these are revoked.
    @ivar cert, key: our own certificate.
    @ivar name: who a server has to be, and what it is asked for; "" for the name that it has in the configuration.
    @ivar san: one of these has to be in its certificate instead of the name: host names, IP addresses or URIs.
    @ivar verify: false believes everybody.
    """

    ca: str = ""
    crl: str = ""
    cert: str = ""
    key: str = ""
    name: str = ""
    san: tuple[str, ...] = ()
    verify: bool = True


class Kept(NamedTuple):
    """A session to be resumed.

    @ivar until: when the first of the certificates expires that were verified for it, in seconds since 1970. OpenSSL
        looks at no date when it resumes one.
    """

    session: SSL.Session
    until: float


class ClientTls:
    """TLS to the servers of one upstream: their context is made once, renewed when its files change, and sessions are
    remembered.

    A file that cannot be used fails the connections that need it, and nothing else.
    """

    def __init__(
        self, plan: ClientPlan, now: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self.plan = plan
        self._now = now
        self._wall = wall
        self._own: Pair | None = None
        self._warned_at = -limits.CERTIFICATE_WARN_SECONDS + now()
        self._files = [path for path in (plan.ca, plan.crl, plan.cert, plan.key) if path]
        self._signature = signature(self._files)
        self._looked_at = now()
        self._sessions: dict[str, list[Kept]] = {}
        self._resuming: WeakKeyDictionary[SSL.Connection, float] = WeakKeyDictionary()  # until when that is right
        self._terms: tuple[Term, ...] = ()
        self._reminder = Reminder("every server is refused")
        self._context: SSL.Context | None = None
        self._renew()

    def _renew(self) -> None:
        plan = self.plan
        try:
            judged = tuple(terms(plan.ca, plan.crl))
            self._context = client_context(
                plan.ca, plan.crl, plan.cert, plan.key, plan.verify, policy("intermediate")
            )
            self._own = load_pair(plan.cert, plan.key) if plan.cert else None
        except CertificateError as error:
            stays = "the old one stays" if self._context is not None else "no server can be reached"
            log.error("a file for TLS to upstreams cannot be used, {stays}: {error}", stays=stays, error=str(error))
            return
        self._terms = judged
        self._sessions.clear()  # they were agreed on under the old one
        self._warn(self._now())

    def _warn(self, now: float) -> None:
        """Say every day what expires soon: our own certificate, and those by whom servers are judged."""
        self._reminder.look(self._terms, self._wall())
        left = days_left(self._own.not_after, self._wall()) if self._own is not None else inf
        if left < limits.CERTIFICATE_WARN_DAYS and now - self._warned_at >= limits.CERTIFICATE_WARN_SECONDS:
            self._warned_at = now
            word = "has expired" if left < 0 else f"expires in {left:.0f} days"
            log.warn("our certificate for servers in {file} {word}", file=self.plan.cert, word=word)

    def in_use(self) -> tuple[Pair | None, tuple[Term, ...]]:
        """Our own certificate, if there is one, and how long the files count by which servers are judged."""
        self._look()  # nobody may have connected since they were renewed
        return self._own, self._terms

    def _look(self) -> None:
        """Take renewed files."""
        now = self._now()
        if not self._files or now - self._looked_at < limits.CERTIFICATE_LOOK_SECONDS:
            return
        self._looked_at = now
        found = signature(self._files)
        if found != self._signature:
            self._signature = found
            self._renew()
            if self.plan.key and exposure(self.plan.key):
                log.warn("{exposed} {key}", exposed=exposure(self.plan.key), key=self.plan.key)
        elif self._context is None:
            self._renew()
        self._warn(now)

    def connection(self, name: str) -> SSL.Connection:
        """For one connection to the server `name`, which has not begun.

        @raise ProxyError: a file cannot be used.
        """
        self._look()
        if self._context is None:
            raise ProxyError(UPSTREAM_TLS_HANDSHAKE, "a file for TLS cannot be used, see the log", Retry.UNSENT)
        connection = SSL.Connection(self._context, None)
        connection.set_connect_state()
        if not is_address(name):
            connection.set_tlsext_host_name(name.encode("ascii"))  # RFC 6066 section 3: no addresses
        kept = self._kept(name)
        if kept is not None:
            connection.set_session(kept.session)
            self._resuming[connection] = kept.until
        return connection

    def _kept(self, name: str) -> Kept | None:
        """A session with `name` that still counts; each once, as RFC 8446 appendix C.4 wants of tickets."""
        sessions, now = self._sessions.get(name, []), self._wall()
        while sessions:
            kept = sessions.pop()
            if now < kept.until:
                return kept
        return None

    def keep(self, name: str, connection: SSL.Connection) -> None:
        """The connection is over: resume its session next time."""
        if connection.get_context() is not self._context:
            return
        sessions = self._sessions.setdefault(name, [])
        session = connection.get_session()
        if session is not None and len(sessions) < limits.TLS_CLIENT_SESSIONS:
            # Else OpenSSL would take the end of this connection for a failure, and the session with it.
            connection.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)
            sessions.append(Kept(session, self._counts_until(connection)))

    def _counts_until(self, connection: SSL.Connection) -> float:
        """When the first certificate expires by which the server of `connection` was believed."""
        if not self.plan.verify:
            return inf
        try:
            chain = connection.get_verified_chain(as_cryptography=True)
            dates = [one.not_valid_after_utc.timestamp() for one in chain or ()]
        except UNREADABLE:
            return 0.0
        # Where a session was resumed nothing was verified: what it came from tells.
        return min(dates, default=self._resuming.get(connection, 0.0))

    def verify_name(self, name: str, connection: SSL.Connection) -> None:
        """Is this the server called `name`?

        @raise ProxyError: no.
        """
        if not self.plan.verify:
            return
        try:
            certificate = connection.get_peer_certificate(as_cryptography=True)
            if certificate is None:
                raise ProxyError(UPSTREAM_TLS_UNTRUSTED, "it has no certificate", Retry.UNSENT)
            self._verify_name(name, certificate)
        except UNREADABLE as error:
            words = f"the server's certificate cannot be read: {error}"
            raise ProxyError(UPSTREAM_TLS_UNTRUSTED, words, Retry.UNSENT) from error

    def _verify_name(self, name: str, certificate: x509.Certificate) -> None:
        known, pinned = identity(certificate), self.plan.san
        if pinned and not known.is_any(pinned):
            raise ProxyError(UPSTREAM_TLS_NAME, f"none of {', '.join(pinned)} is in it", Retry.UNSENT)
        if not pinned and not known.is_for(name):
            raise ProxyError(UPSTREAM_TLS_NAME, f"it is not for {name} but for {known}", Retry.UNSENT)

    def __repr__(self) -> str:
        return f"<ClientTls {'verified' if self.plan.verify else 'not verified'}>"


@implementer(IStreamClientEndpoint)
class TlsEndpoint:
    """Connects as `endpoint` does, and then by TLS.

    @param name: what the server is called, a host name or an IP address: where the plan says nothing else.
    @param seconds: for both together.
    """

    def __init__(
        self, endpoint: IStreamClientEndpoint, tls: ClientTls, name: str, alarm: Alarm, seconds: float
    ) -> None:
        self.tls = tls
        self.name = tls.plan.name or name
        self.alarm = alarm
        self._endpoint = endpoint
        self._seconds = seconds

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:  # noqa: N803 - Twisted's name
        attempt = _Attempt(self, protocolFactory, self.alarm.now() + self._seconds)
        attempt.start(self._endpoint)
        return attempt.made

    def __repr__(self) -> str:
        return f"<TlsEndpoint {self.name} {self._endpoint!r}>"


class _Attempt(Factory):
    """One attempt to connect: below, it makes our stream; on top, the protocol that was asked for.

    @ivar made: fires with the protocol on top, or with a `ProxyError`, or with what the endpoint below failed with.
    """

    noisy = False

    def __init__(self, endpoint: TlsEndpoint, above: IProtocolFactory, until: float) -> None:
        self.endpoint = endpoint
        self.above = above
        self.until = until
        self.made: Deferred[Any] = Deferred(self._cancel)
        self._below: Deferred[Any] | None = None
        self._stream: ClientStream | None = None

    def start(self, endpoint: IStreamClientEndpoint) -> None:
        self._below = endpoint.connect(self)
        self._below.addErrback(self._failed)

    def buildProtocol(self, addr: IAddress | None) -> ClientStream:
        self._stream = ClientStream(self, addr)
        return self._stream

    def _failed(self, failure: Failure) -> None:
        if not self.made.called:
            self.made.errback(failure)

    def _cancel(self, made: Deferred[Any]) -> None:
        if self._stream is not None:
            self._stream.abortConnection()
        elif self._below is not None:
            self._below.cancel()


class ClientStream(TlsStream):
    """Our connection to a server."""

    def __init__(self, attempt: _Attempt, address: IAddress | None) -> None:
        super().__init__(attempt.endpoint.alarm)
        self._attempt = attempt
        self._address = address

    def connectionMade(self) -> None:
        endpoint = self._attempt.endpoint
        self._alarm.set(self, max(self._attempt.until - self._alarm.now(), 0.001))
        try:
            connection = endpoint.tls.connection(endpoint.name)
        except ProxyError as error:
            self._refuse(error)
        else:
            self.begin(connection)

    def secured(self) -> None:
        attempt, endpoint = self._attempt, self._attempt.endpoint
        if attempt.made.called:
            self.abortConnection()  # nobody waits any more
            return
        try:
            endpoint.tls.verify_name(endpoint.name, self.tls)
        except ProxyError as error:
            self._refuse(error)
            return
        protocol: Any = attempt.above.buildProtocol(self._address)  # type: ignore[arg-type] # None for UNIX sockets
        self.put_above(protocol)
        attempt.made.callback(protocol)

    def failed(self, error: HandshakeError) -> None:
        if not self._attempt.made.called:
            self._attempt.made.errback(meaning(error))

    def _refuse(self, error: ProxyError) -> None:
        self.abortConnection()
        self._attempt.made.errback(error)

    def _lose(self, reason: Failure) -> None:
        """With TLS 1.3 our handshake is over before the server has looked at our certificate: what it thinks of that
        comes in place of a response."""
        words = reason.getErrorMessage()
        if _ABOUT_OURS.search(words):
            reason = Failure(ProxyError(UPSTREAM_TLS_HANDSHAKE, f"it refuses our certificate: {words}", Retry.SENT))
        super()._lose(reason)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._above is not None:
            self._attempt.endpoint.tls.keep(self._attempt.endpoint.name, self.tls)
        super().connectionLost(reason)


def meaning(error: HandshakeError) -> ProxyError:
    """Why there is no connection. Nothing was sent, so any request may be tried elsewhere."""
    verdict = error.verdict
    if not verdict.code:
        reason = CONNECT_TIMEOUT if error.timed_out else UPSTREAM_TLS_HANDSHAKE
        return ProxyError(reason, f"the TLS handshake: {error}", Retry.UNSENT)
    if verdict.code in EXPIRED_CODES:
        reason = UPSTREAM_TLS_EXPIRED
    elif verdict.code == REVOKED_CODE:
        reason = UPSTREAM_TLS_REVOKED
    else:
        reason = UPSTREAM_TLS_UNTRUSTED
    return ProxyError(reason, f"the server's certificate: {verdict.words}", Retry.UNSENT)
