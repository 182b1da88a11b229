"""The page of limits: each has its unit in its name, a sane size, and fits the others."""

from __future__ import annotations

import re

import pytest

from proxy import limits
from proxy.wire.grammar import FIRST_CHUNK_LINE
from tests.support.proxy import ROOT

NAMED = {name: value for name, value in vars(limits).items() if name.isupper() and name not in ("KIB", "MIB")}
# Counts need no unit, and a share is one.
UNITS = re.compile(r".*_(BYTES|SECONDS|DIGITS|ALIASES|COUNT)")


@pytest.mark.parametrize("name", NAMED)
def test_a_limit_is_a_positive_number(name: str) -> None:
    assert isinstance(NAMED[name], int | float)
    assert NAMED[name] > 0


@pytest.mark.parametrize("name", [name for name in NAMED if "SECONDS" in name])
def test_times_are_no_whole_numbers_by_accident(name: str) -> None:
    assert isinstance(NAMED[name], float)


def test_sizes_and_times_name_their_unit() -> None:
    large = {name for name, value in NAMED.items() if value >= 4096}
    assert {name for name in large if not UNITS.fullmatch(name)} == set()


def test_every_limit_is_used() -> None:
    words = "\n".join(
        path.read_text("utf-8")
        for path in (ROOT / "proxy").rglob("*.py")
        if path.name != "limits.py" and "__pycache__" not in path.parts
    )
    unused = {name for name in NAMED if not re.search(rf"\b{name}\b", words)}
    assert unused <= {"CHUNK_SIZE_DIGITS"}, "this one stands in a regular expression; see the next test"


def test_a_chunk_size_has_as_many_digits_as_the_page_says() -> None:
    digits = limits.CHUNK_SIZE_DIGITS
    assert FIRST_CHUNK_LINE.match(b"0" * digits + b"\r\n")
    assert not FIRST_CHUNK_LINE.match(b"0" * (digits + 1) + b"\r\n")


def test_limits_fit_each_other() -> None:
    assert limits.REQUEST_LINE_BYTES <= limits.REQUEST_HEAD_BYTES <= limits.WINDOW_BYTES
    assert limits.RESPONSE_HEAD_BYTES <= limits.WINDOW_BYTES
    assert limits.CHUNK_LINE_BYTES < limits.CHUNK_EXTENSION_BYTES
    # We close first, before a server's usual idle timeout, and after that of the load balancer in front of us.
    assert limits.UPSTREAM_IDLE_SECONDS < 5
    assert limits.KEEP_ALIVE_SECONDS > 60
    # Otherwise a queue would only ever be left by timeout.
    assert limits.QUEUE_SECONDS < limits.RESPONSE_HEAD_SECONDS
