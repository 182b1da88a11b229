"""OCSP responses in the handshakes of one listener: asked for, kept and renewed while it runs.

Only certificates that name a responder are asked about. A response is renewed at half its life, and given to clients
until it is out of date, whatever becomes of the responder meanwhile; then clients get none, and ask themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from random import Random
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from proxy import limits
from proxy.tls.certificates import Pair
from proxy.tls.contexts import Staple
from proxy.tls.ocsp import Answer, OcspError, judge, must_staple, question, responder_of
from proxy.tls.shelf import Shelf

log = Logger()

#: A URL and a request: the answer, or `OcspError`.
Ask = Callable[[str, bytes], "Deferred[bytes]"]


class Entry:
    """One certificate, and what is known about it.

    @ivar key: the SHA-256 of the certificate.
    @ivar url: whom to ask; "" where there is nobody.
    @ivar must: clients refuse it without a response.
    @ivar response: what they get; empty for none.
    @ivar error: why there was no answer the last time; "" if there was one.
    @ivar due: when to ask again, in seconds since 1970.
    @ivar asking: the request that is under way.
    """

    def __init__(self, pair: Pair) -> None:
        self.leaf = pair.leaf
        self.key = pair.leaf.fingerprint(SHA256())
        self.issuer = pair.issuer
        self.name = pair.names[0] if pair.names else str(pair.leaf.serial_number)
        self.url = responder_of(pair.leaf)
        self.must = must_staple(pair.leaf)
        self.response = b""
        self.answer: Answer | None = None
        self.error = ""
        self.failures = 0
        self.due = 0.0
        self.asking: Deferred[Any] | None = None

    @property
    def state(self) -> str:
        """`none`: it needs none. `good`: clients get a response. `revoked`, `waiting` for the first answer, `failing`;
        `impossible`: it needs one, and nobody can be asked."""
        if not self.url or self.issuer is None:
            return "impossible" if self.url or self.must else "none"
        if self.answer is not None:
            return "revoked" if self.answer.revoked else "good"
        return "failing" if self.failures else "waiting"

    @property
    def why(self) -> str:
        """What is wrong, for people; "" for nothing."""
        if self.state == "impossible":
            return "its file lacks the certificate of its issuer" if self.url else "it names no responder"
        return "it is revoked" if self.state == "revoked" else self.error

    def __repr__(self) -> str:
        return f"<Entry {self.name} {self.state}>"


class Stapling:
    """The responses for all certificates of a listener.

    @param ask: asks responders.
    @param now: seconds since 1970.
    @param standing: what is known already.
    @param shelf: where answers outlive a restart.
    """

    def __init__(
        self,
        ask: Ask,
        now: Callable[[], float],
        random: Random,
        standing: Stapling | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self._ask_responder = ask
        self._now = now
        self._random = random
        self._shelf = shelf
        self._known: dict[bytes, Entry] = {} if standing is None else dict(standing._known)
        self._wanted: list[Entry] = []
        self._running = self._looking = False

    # --- what is stapled ----------------------------------------------------------------------------------

    def entry(self, pair: Pair) -> Entry:
        """What is known about a certificate."""
        key = pair.leaf.fingerprint(SHA256())
        found = self._known.get(key)
        # A chain that was incomplete may be complete by now.
        if found is None or (found.issuer is None and pair.issuer is not None):
            found = self._known[key] = Entry(pair)
            self._remember(found)
        return found

    def _remember(self, entry: Entry) -> None:
        """Take the answer on the shelf, if it can still be believed."""
        if self._shelf is None or not entry.url or entry.issuer is None:
            return
        data, now = self._shelf.get(entry.key), self._now()
        if data:
            with suppress(OcspError):  # then a new one is asked for
                self._take(entry, judge(data, entry.leaf, entry.issuer, now), now)

    def staple(self, pairs: Iterable[Pair]) -> Staple | None:
        """OpenSSL's callback for a context with these certificates; None where none of them needs a response."""
        entries = [self.entry(pair) for pair in pairs]
        if not any(entry.url for entry in entries):
            return None
        if len(entries) == 1:
            only = entries[0]
            return lambda connection, data: only.response
        # OpenSSL has chosen one of them by now; those of one host have different keys, so different serial numbers.
        by_serial = {entry.leaf.serial_number: entry for entry in entries}

        def chosen(connection: SSL.Connection, data: Any) -> bytes:
            certificate = connection.get_certificate()
            found = by_serial.get(certificate.get_serial_number()) if certificate is not None else None
            return found.response if found is not None else b""

        return chosen

    def want(self, pairs: Iterable[Pair]) -> None:
        """These are the certificates in use: all others are forgotten."""
        entries = [self.entry(pair) for pair in pairs]
        kept = self._known = {entry.key: entry for entry in entries}
        self._wanted = [entry for entry in kept.values() if entry.state != "none"]

    # --- as time passes -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Ask from now on."""
        self._running = True
        if self._shelf is not None and self._wanted:
            self._shelf.tidy(self._now())
        self.look()

    def stop(self) -> None:
        """Ask no more."""
        self._running = False
        for entry in self._wanted:
            if entry.asking is not None:
                entry.asking.cancel()

    def look(self) -> None:
        """Drop what is out of date, ask for what is due."""
        if not self._running or self._looking:
            return
        self._looking = True  # an answer that comes at once looks again
        try:
            self._look(self._now())
        finally:
            self._looking = False

    def _look(self, now: float) -> None:
        under_way = sum(entry.asking is not None for entry in self._wanted)
        for entry in self._wanted:
            if entry.answer is not None and now + limits.CERTIFICATE_LOOK_SECONDS >= entry.answer.next_update:
                entry.answer, entry.response = None, b""
                self._complain(entry, f"out of date, and no newer one could be had: {entry.error or 'not asked yet'}")
            askable = entry.url and entry.issuer is not None and entry.asking is None
            if askable and entry.due <= now and under_way < limits.OCSP_AT_ONCE:
                under_way += 1
                self._ask(entry)

    def warn(self) -> None:
        """Say which certificates clients will refuse."""
        for entry in self._wanted:
            if entry.why and (entry.must or entry.state == "revoked") and not entry.response:
                self._complain(entry, entry.why)

    def _ask(self, entry: Entry) -> None:
        assert entry.issuer is not None
        entry.asking = asked = self._ask_responder(entry.url, question(entry.leaf, entry.issuer))
        asked.addCallback(self._answered, entry)
        asked.addErrback(self._failed, entry)
        asked.addBoth(self._over, entry)

    def _answered(self, data: bytes, entry: Entry) -> None:
        assert entry.issuer is not None
        now = self._now()
        answer = judge(data, entry.leaf, entry.issuer, now)
        if answer.revoked and (entry.answer is None or not entry.answer.revoked):
            log.error("the certificate of {name} is revoked, says {url}", name=entry.name, url=entry.url)
        if not answer.revoked and (entry.failures or not entry.response):
            log.info("{name} gets OCSP responses from {url}", name=entry.name, url=entry.url)
        entry.error, entry.failures = "", 0
        self._take(entry, answer, now)
        if self._shelf is not None:
            self._shelf.put(entry.key, data)

    def _take(self, entry: Entry, answer: Answer, now: float) -> None:
        entry.answer, entry.response = answer, b"" if answer.revoked else answer.response
        entry.due = now + self._rest(answer, now)

    def _rest(self, answer: Answer, now: float) -> float:
        """How many seconds to wait before the next question: to half the life of an answer, at most a day."""
        half = (answer.this_update + answer.next_update) / 2 - now
        rest = min(max(half, limits.OCSP_RETRY_SECONDS), limits.OCSP_RENEW_SECONDS)
        return rest * self._random.uniform(0.9, 1.0)

    def _failed(self, failure: Failure, entry: Entry) -> None:
        if failure.check(CancelledError):
            return
        if not failure.check(OcspError):
            log.failure("asking {url} failed", failure, url=entry.url)
        entry.error = str(failure.value)
        entry.failures += 1
        pause = min(limits.OCSP_RETRY_SECONDS * 2.0 ** min(entry.failures - 1, 20), limits.OCSP_RETRY_LONGEST_SECONDS)
        entry.due = self._now() + pause * self._random.uniform(0.8, 1.2)
        if entry.failures == 1:
            self._complain(entry, entry.error)

    def _over(self, result: None, entry: Entry) -> None:
        entry.asking = None
        self.look()

    def _complain(self, entry: Entry, why: str) -> None:
        if entry.must and not entry.response:
            text = "clients may refuse the certificate of {name}: it needs an OCSP response, and there is none: {why}"
            log.error(text, name=entry.name, why=why)
        else:
            kept = ", the last one is still good" if entry.response else ""
            log.warn("no OCSP response for {name}{kept}: {why}", name=entry.name, kept=kept, why=why)

    def __repr__(self) -> str:
        return f"<Stapling {sum(bool(entry.response) for entry in self._wanted)} of {len(self._wanted)}>"
