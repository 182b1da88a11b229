"""A hash that is the same everywhere and for ever: these numbers may not change between versions."""

from __future__ import annotations

from proxy.balance.hashing import SPACE, stable_hash, stable_hashes


def test_the_numbers_are_the_ones_they_have_always_been() -> None:
    assert stable_hash(b"") == 0xE4A6A0577479B2B4
    assert stable_hash(b"user-1") == 0x9AAC5A8621EAE188
    assert list(stable_hashes(b"10.0.0.1:80", 2)) == [0x955A62442D1515E0, 0x4C13A5968AFF4135]


def test_a_longer_series_begins_like_a_shorter_one() -> None:
    assert list(stable_hashes(b"a", 100))[:37] == list(stable_hashes(b"a", 37))


def test_numbers_are_spread_evenly() -> None:
    tenths = [0] * 10
    for number in range(10_000):
        tenths[stable_hash(b"%d" % number) * 10 // SPACE] += 1
    assert all(880 <= tenth <= 1120 for tenth in tenths)


def test_salt_makes_another_hash() -> None:
    assert stable_hash(b"a", b"x") != stable_hash(b"a", b"y")
