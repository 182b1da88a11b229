"""Whoever makes a mistake is told so in its own words."""

from __future__ import annotations

from proxy.errors import Source
from proxy.wire.blame import CLIENT, SERVER


def test_a_client_is_answered_with_a_client_error_or_501() -> None:
    assert {reason.source for reason in CLIENT} == {Source.CLIENT}
    assert all(400 <= reason.status < 500 or reason.status == 501 for reason in CLIENT)


def test_a_server_is_the_reason_for_a_502() -> None:
    assert {(reason.source, reason.status) for reason in SERVER} == {(Source.UPSTREAM, 502)}
