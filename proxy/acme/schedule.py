"""When a certificate is renewed, and when to try again after a failure. Times are seconds since 1970."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from proxy import limits

# Two thirds of its life: 30 days before the end of 90, and two before that of six. A few hours of grace for those who
# renew many at once.
RENEWAL_PART = 2 / 3
SPREAD_PART = 1 / 30
# A certificate that is younger is renewed only by hand.
YOUNG_SECONDS = 86400.0
# After so many failures the wait has reached its longest, whatever it began with.
_DOUBLINGS = 16


class Life(NamedTuple):
    """From when until when a certificate is valid."""

    begin: float
    end: float


class Window(NamedTuple):
    """When its authority wants it to be renewed (RFC 9773 section 4.2)."""

    begin: float
    end: float


def renewal_time(life: Life, window: Window | None, draw: float) -> float:
    """When to renew.

    @param draw: from 0 to below 1: where in the time that is good; always the same for the same certificate.
    """
    length = life.end - life.begin
    if window is not None:
        # An authority that wants a new one at once every time must not have us in a circle.
        return max(window.begin + draw * (window.end - window.begin), life.begin + min(length / 10, YOUNG_SECONDS))
    return life.begin + length * (RENEWAL_PART - draw * SPREAD_PART)


def drawn(certificate: bytes) -> float:
    """The draw of a certificate, given as DER: all who share it choose the same moment, each certificate its own."""
    return int.from_bytes(hashlib.sha256(certificate).digest()[:6], "big") / (1 << 48)


def wait_after(failures: int, first: float, draw: float, retry_after: float = 0.0) -> float:
    """How many seconds to wait after a failure: twice as long each time, and never sooner than the authority wants.

    @param failures: how many in a row, from 1.
    @param first: the wait after the first one.
    @param draw: from 0 to below 1.
    """
    grown = first * (1 << min(failures - 1, _DOUBLINGS))
    jittered = min(grown, limits.ACME_RETRY_LONGEST_SECONDS) * (1 + draw / 4)
    return max(jittered, min(retry_after, limits.ACME_RETRY_AFTER_SECONDS))


def poll_wait(asked: int, retry_after: float) -> float:
    """How many seconds until the next question whether something has moved.

    @param asked: how often it was asked already.
    """
    if retry_after:
        return min(max(retry_after, limits.ACME_POLL_SECONDS), limits.ACME_ORDER_SECONDS)
    return min(limits.ACME_POLL_SECONDS * 1.5**asked, limits.ACME_POLL_LONGEST_SECONDS)
