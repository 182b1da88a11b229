"""How slow the machine is at the moment: others use it too, and what they leave is less than half of a core's speed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

# What the work below took on the machine that the numbers of the tests are from, when it did nothing else.
_QUIET_SECONDS = 0.0043


def slowness(rounds: int = 40) -> float:
    """How many times the CPU time that Python needs for some work at present exceeds that of a quiet machine; at
    least 1.0. Caches and memory are shared by all cores, and two of these may be one."""
    return max(1.0, statistics.median(_work() for _ in range(rounds)) / _QUIET_SECONDS)


def within(measure: Callable[[], float], seconds: float) -> bool:
    """Whether what is measured stays below `seconds` on a quiet machine; on this one, with what it has left."""
    before = slowness()
    measured = measure()
    return measured < seconds * max(before, slowness())


def _work() -> float:
    began = time.thread_time()
    words: dict[str, list[int]] = {}
    total = 0
    for number in range(20_000):
        total += number % 7
        words[str(number % 500)] = [total]
    return time.thread_time() - began
