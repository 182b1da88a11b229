"""Values as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.admin.words import duration, size, units, word, written


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0"), (0.25, "250ms"), (1.5, "1s500ms"), (5, "5s"), (90, "1m30s"), (3600, "1h"), (90061, "1d1h1m1s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (1000, "1000"), (16384, "16KiB"), (10 << 20, "10MiB"), (2 << 30, "2GiB")]
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("value", "text"), [("a", "a"), ("yes", '"yes"'), ("10", '"10"'), (10, "10"), ("a b", '"a b"'), ("${A}", '"$${A}"')]
)
def test_words(value: Any, text: str) -> None:
    assert word(value) == text


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("connect", 5.0, "5s"),
        ("hedge_after", 0.02, "20ms"),
        ("head", 16384, "16KiB"),
        ("body", 1 << 20, "1MiB"),
        ("body", "hi there", '"hi there"'),
        ("share", 0.5, "0.5"),
        ("connections", 64, "64"),
        ("backup", True, "true"),
        ("sticky", None, "nothing"),
        ("statuses", [502, 503], "[502, 503]"),
        ("health", {"path": "/h", "tcp": None, "headers": {}, "interval": 10.0}, "{path: /h, interval: 10s}"),
        ("servers", [{"url": "http://a:1", "weight": 1}], "[{url: http://a:1, weight: 1}]"),
    ],
)
def test_values(key: str, value: Any, text: str) -> None:
    assert written(value, key) == text


def test_every_duration_and_size_is_known() -> None:
    assert units()["interval"] == units()["first"] == units()["debounce"] == "s"
    assert units()["head"] == "B"
    assert "weight" not in units()
