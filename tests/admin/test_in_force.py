"""Deadlines and limits, each with where it comes from."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.admin.in_force import InForce, bounds, deadlines, limits
from proxy.config import load_text

TEXT = """\
timeouts: {response_head: 20s, connect: 4s}
limits: {head: 8KiB}
defaults:
  upstream:
    queue: 7
    retries: {count: 2, total: 9s}
    timeouts: {connect: 3s, response_idle: 5s}
upstreams:
  api: {servers: http://127.0.0.1:1, timeouts: {connect: 2s}, queue: {wait: 4s}, connections: 9}
  bare: {servers: http://127.0.0.1:2}
routes:
  - {path: /a, upstream: api, timeouts: {response_head: 0}, limits: {body: 1MiB}}
  - {path: /b, upstream: bare}
  - {path: /c, split: [api, bare]}
  - {respond: 204}
"""
LOADED = load_text(TEXT, "x.yaml", {})


def one(found: InForce, name: str) -> tuple[Any, str]:
    return found[name]["value"], found[name]["from"]


@pytest.mark.parametrize(
    ("place", "upstream", "name", "value", "origin"),
    [
        (0, "api", "response_head", 0.0, "x.yaml:12:57"),
        (0, "api", "connect", 2.0, "x.yaml:9:58"),
        (0, "api", "response_idle", 5.0, "x.yaml:7:44"),
        (0, "api", "tunnel_idle", 3600.0, "default"),
        (1, "bare", "connect", 3.0, "x.yaml:7:25"),
        (1, "bare", "response_head", 20.0, "x.yaml:1:27"),
        (2, "api", "connect", 2.0, "x.yaml:9:58"),
        (2, "bare", "connect", 3.0, "x.yaml:7:25"),
        (2, None, "connect", 4.0, "x.yaml:1:41"),
        (3, None, "connect", 4.0, "x.yaml:1:41"),
    ],
)
def test_a_deadline(place: int, upstream: str | None, name: str, value: float, origin: str) -> None:
    assert one(deadlines(LOADED, place, upstream), name) == (value, origin)


def test_limits() -> None:
    assert one(limits(LOADED, 0), "body") == (1 << 20, "x.yaml:12:76")
    assert one(limits(LOADED, 1), "body") == (10 << 20, "default")
    assert one(limits(LOADED, 1), "head") == (8192, "x.yaml:2:16")
    assert limits(LOADED, 1)["head"]["unit"] == "B" and limits(LOADED, 1)["fields"]["unit"] == ""


def test_bounds_of_an_upstream_are_its_own_or_those_of_the_defaults() -> None:
    own, defaults = bounds(LOADED, "api"), bounds(LOADED, "bare")
    assert one(own, "connections") == (9, "x.yaml:9:95")
    assert one(own, "queue.wait") == (4.0, "x.yaml:9:77")
    # What an upstream says of its queue replaces all that the defaults say of it.
    assert one(own, "queue.size") == (512, "default")
    assert one(defaults, "queue.size") == (7, "x.yaml:5:12")
    assert one(defaults, "queue.wait") == (5.0, "default")
    assert one(defaults, "retries.count") == (2, "x.yaml:6:22")
    assert one(defaults, "retries.total") == (9.0, "x.yaml:6:32")
    assert one(defaults, "retries.per_try") == (0.0, "default")
