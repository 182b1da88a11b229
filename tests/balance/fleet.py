"""Servers to choose among, and how often each was chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

from proxy.balance.view import Balancer, FrozenServer

NOW = 1000.0


class LiveServer:
    """A server whose state a test changes while a balancer looks at it."""

    def __init__(self, name: str, weight: int = 1, priority: int = 0, since: float = float("-inf")) -> None:
        self.name = name
        self.weight = weight
        self.priority = priority
        self.in_flight = 0
        self.available = True
        self.has_room = True
        self.since = since
        self.seconds = 0.0

    def latency(self, now: float) -> float:
        return self.seconds

    def __repr__(self) -> str:
        return self.name


def fleet(*weights: int) -> tuple[LiveServer, ...]:
    """Servers a, b, c, ... of these weights."""
    return tuple(LiveServer(chr(ord("a") + place), weight) for place, weight in enumerate(weights))


def frozen(count: int, weight: int = 1) -> tuple[FrozenServer, ...]:
    return tuple(FrozenServer(f"10.0.0.{number}:80", weight) for number in range(count))


def shares(
    balancer: Balancer[LiveServer], servers: Sequence[LiveServer], requests: int = 6000, seed: int = 1
) -> dict[str, float]:
    """The part of the requests that each server got, none of which takes any time."""
    random = Random(seed)
    chosen = Counter(str(balancer.choose(servers, None, NOW, random)) for _ in range(requests))
    return {name: count / requests for name, count in sorted(chosen.items())}


def about(part: float, requests: int = 6000) -> tuple[float, float]:
    """The bounds within which a share drawn by lot lies, but for one time in 16,000 (four deviations)."""
    deviation = (part * (1 - part) / requests) ** 0.5
    return part - 4 * deviation, part + 4 * deviation
