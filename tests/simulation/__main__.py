"""Runs worlds: `python -m tests.simulation SEED` tells all that happens in one, `FIRST-LAST` runs many and counts."""

from __future__ import annotations

import sys
import time
from collections import Counter

from tests.simulation.draw import draw
from tests.simulation.world import World


def tell(seed: int) -> int:
    """One world, in words.

    @return: how much in it is broken.
    """
    setting = draw(seed)
    print("\n".join(f"{name}: {value!r}" for name, value in setting._asdict().items()), end="\n\n")
    world = World(setting, telling=True)
    judge = world.run()
    for seconds, who, what in world.timeline:
        print(f"{seconds:10.4f}  {who:12} {what}")
    print()
    for offence in judge.offences:
        print("BROKEN:", offence)
    return len(judge.offences)


def count(first: int, last: int) -> int:
    """Many worlds, and what became of their exchanges."""
    reasons: Counter[str] = Counter()
    bad = 0
    began = time.process_time()
    for seed in range(first, last + 1):
        judge = World(draw(seed)).run()
        reasons.update(record.reason or f"status {record.status}" for record in judge.records)
        if judge.offences:
            bad += 1
            print(f"seed {seed}: {judge.offences[0]}", flush=True)
    seconds = time.process_time() - began
    print(f"{last + 1 - first} worlds, {reasons.total()} exchanges in {seconds:.1f} s; {bad} broken")
    for reason, times in reasons.most_common():
        print(f"{times:8}  {reason}")
    return bad


def main(words: list[str]) -> int:
    if len(words) != 1:
        print(__doc__)
        return 2
    first, _, last = words[0].partition("-")
    return 1 if (count(int(first), int(last)) if last else tell(int(first))) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
