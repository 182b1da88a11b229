"""A canary gets its share, and keeps whom it got."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.balance.split import Split
from tests.balance.fleet import about


def test_lots_and_keys_fall_as_weights_say() -> None:
    split, random = Split([95, 5]), Random(1)
    low, high = about(0.05)
    assert low <= Counter(split.choose(None, random) for _ in range(6000))[1] / 6000 <= high
    assert low <= Counter(split.choose(b"user-%d" % n, random) for n in range(6000))[1] / 6000 <= high


@given(st.binary(), st.lists(st.integers(0, 100), min_size=1, max_size=5).filter(any))
def test_a_key_stays_and_never_falls_on_a_branch_of_weight_0(key: bytes, weights: list[int]) -> None:
    split = Split(weights)
    place = split.choose(key, Random(1))
    assert split.choose(key, Random(2)) == place
    assert weights[place] > 0
    assert weights[split.choose(None, Random(3))] > 0


def test_a_growing_canary_only_gains() -> None:
    random = Random(1)
    keys = [b"user-%d" % n for n in range(3000)]
    small = {key for key in keys if Split([95, 5]).choose(key, random) == 1}
    large = {key for key in keys if Split([4, 1]).choose(key, random) == 1}
    assert small < large


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1]])
def test_mistakes(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="a split needs"):
        Split(weights)
