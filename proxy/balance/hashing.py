"""One hash for everything that must come out the same in every process and after every restart."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from struct import iter_unpack

#: One more than the largest value of `stable_hash`.
SPACE = 1 << 64


def stable_hash(data: bytes, salt: bytes = b"") -> int:
    """A number from 0 to `SPACE` - 1, evenly spread. `salt` (16 bytes at most) makes a different hash of it."""
    return int.from_bytes(blake2b(data, digest_size=8, salt=salt).digest(), "big")


def stable_hashes(data: bytes, count: int) -> Iterator[int]:
    """`count` such numbers, the first ones the same whatever the count."""
    return islice(_stream(data), count)


def _stream(data: bytes) -> Iterator[int]:
    """Eight numbers at a time, for that is what one hash of full length gives."""
    number = 0
    while True:
        digest = blake2b(data, salt=number.to_bytes(8, "big")).digest()
        yield from (value for (value,) in iter_unpack(">Q", digest))
        number += 1
