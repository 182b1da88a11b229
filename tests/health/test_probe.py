"""What a probe's answer says."""

from __future__ import annotations

import re
from random import Random

import pytest

from proxy.health.probe import Expectation, Verdict, delay, describe_statuses
from proxy.message import Fields, ResponseHead


def head(status: int = 200, *pairs: tuple[bytes, bytes]) -> ResponseHead:
    return ResponseHead(status, b"", Fields(pairs))


@pytest.mark.parametrize(("status", "passed"), [(199, False), (200, True), (399, True), (400, False), (503, False)])
def test_by_default_any_success_or_redirect_is_healthy(status: int, passed: bool) -> None:
    assert Expectation().judge(head(status), b"").passed is passed


def test_the_words_say_what_was_seen_and_what_was_expected() -> None:
    expectation = Expectation(
        (range(200, 201), range(204, 206)), re.compile(rb"ok"), ((b"x-ready", re.compile(rb"^yes$")),)
    )
    ready = (b"X-Ready", b"yes")
    assert expectation.judge(head(200, ready), b"all ok") == Verdict(True, "status 200")
    assert expectation.judge(head(500, ready), b"ok") == Verdict(False, "status 500, expected 200, 204-205")
    assert expectation.judge(head(204, (b"X-Ready", b"no")), b"ok") == Verdict(
        False, "status 204, but no 'x-ready' that matches '^yes$'"
    )
    assert expectation.judge(head(200), b"ok").passed is False
    assert expectation.judge(head(200, ready), b"starting") == Verdict(
        False, "status 200, but nothing in the body matches 'ok'"
    )


@pytest.mark.parametrize(
    ("statuses", "text"),
    [
        ((range(200, 400),), "200-399"),
        ((range(204, 205),), "204"),
        ((range(200, 201), range(204, 206), range(500, 501)), "200, 204-205, 500"),
    ],
)
def test_statuses_are_written(statuses: tuple[range, ...], text: str) -> None:
    assert describe_statuses(statuses) == text


def test_probes_do_not_come_in_step() -> None:
    random = Random(1)
    delays = [delay(10.0, random) for _ in range(500)]
    assert 8.5 <= min(delays) < 8.7
    assert 11.3 < max(delays) <= 11.5
    assert sum(delays) / 500 == pytest.approx(10.0, abs=0.2)
    first = [delay(10.0, random, first=True) for _ in range(100)]
    assert 0.0 <= min(first) < 0.1
    assert 0.9 < max(first) <= 1.0
