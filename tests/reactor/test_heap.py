"""Freed memory stays with the process."""

import subprocess
import sys

import pytest

# What a busy proxy does: in each turn some reads, all of them gone before the next.
_TURNS = """
import resource, sys
from proxy.reactor.heap import keep_freed_memory
if "keep" in sys.argv and not keep_freed_memory():
    sys.exit("no mallopt here")
begun = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for turn in range(100):
    reads = [b"x" * 69632 for _ in range(16)]
    del reads
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begun)
"""


def page_faults(*words: str) -> int:
    done = subprocess.run([sys.executable, "-c", _TURNS, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(done.stderr)
    return int(done.stdout)


def test_what_a_turn_has_read_costs_no_page_faults_in_the_next() -> None:
    assert page_faults("keep") < 2000 < page_faults()  # 16 reads are 272 pages
