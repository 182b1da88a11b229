"""The table of status codes against the one that Python keeps."""

from __future__ import annotations

from http import HTTPStatus

from proxy.errors import REASONS
from proxy.policy.status import PHRASES, phrase

# RFC 9110 renamed these; Python 3.11 still has the old words.
RENAMED = {413, 414, 416, 422}


def test_phrases_are_the_registered_ones() -> None:
    for status in HTTPStatus:
        if status in RENAMED or status in (418, 306, 510):
            continue
        assert phrase(status).decode() == status.phrase


def test_every_reason_has_words_for_its_status() -> None:
    for reason in REASONS.values():
        assert not reason.status or reason.status in PHRASES


def test_an_unknown_status_has_no_phrase() -> None:
    assert phrase(799) == b""
