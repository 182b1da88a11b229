"""How long others can be judged: authorities and revocation lists end too, and then nobody is believed any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from math import inf
from typing import NamedTuple

from twisted.logger import Logger

from proxy import limits
from proxy.tls.certificates import load_chain, load_revoked

log = Logger()

_DAY = 86400


class Term(NamedTuple):
    """A file, and how long it counts.

    @ivar kind: `CA` or `CRL`.
    @ivar begin, end: in seconds since 1970. Of several authorities the last one counts, of several lists the first: one
        that has expired has all refused whom its issuer has signed.
    """

    kind: str
    file: str
    begin: float
    end: float

    @property
    def what(self) -> str:
        return f"every authority in {self.file}" if self.kind == "CA" else f"the revocation list {self.file}"

    def is_near(self, now: float) -> bool:
        """Whether it ends so soon that somebody should know: within two weeks, or in the last quarter of a shorter
        life, as lists of a few days are replaced in time every time."""
        return self.end - now < min(limits.CERTIFICATE_WARN_DAYS * _DAY, (self.end - self.begin) / 4)


def terms(ca: str | None, crl: str | None) -> Iterator[Term]:
    """How long the files count that say who is believed; None or "" for no file.

    @raise CertificateError: one of them cannot be used.
    """
    if ca:
        lives = [(one.not_valid_before_utc, one.not_valid_after_utc) for one in load_chain(ca)]
        yield _term("CA", ca, max(lives, key=lambda life: life[1]))
    if crl:
        lists = [(one.last_update_utc, one.next_update_utc) for one in load_revoked(crl)]
        dated = [(begin, end) for begin, end in lists if end is not None]
        if dated:
            yield _term("CRL", crl, min(dated, key=lambda life: life[1]))


def _term(kind: str, file: str, life: tuple[datetime, datetime]) -> Term:
    return Term(kind, file, life[0].timestamp(), life[1].timestamp())


class Reminder:
    """Says what will end soon, every day, and what has ended, at once and then every day.

    @param refused: who is refused from then on, for people.
    """

    def __init__(self, refused: str) -> None:
        self._refused = refused
        self._said_at = -inf
        self._over: set[Term] = set()

    def look(self, known: Iterable[Term], now: float) -> None:
        """@param now: seconds since 1970."""
        known, daily = set(known), now - self._said_at >= limits.CERTIFICATE_WARN_SECONDS
        for term in sorted(known):
            if term.end <= now and (daily or term not in self._over):
                log.error("{what} has expired: {refused}", what=term.what, refused=self._refused)
            elif daily and term.end > now and term.is_near(now):
                days = (term.end - now) / _DAY
                text = "{what} will have expired in {days:.1f} days: then {refused}"
                log.warn(text, what=term.what, days=days, refused=self._refused)
        self._over = {term for term in known if term.end <= now}
        if daily:
            self._said_at = now

    def __repr__(self) -> str:
        return f"<Reminder that {self._refused}>"
