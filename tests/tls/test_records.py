"""One whole record is known as such; everything else is followed to its end."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.tls.records import RecordWalk


def record(size: int) -> bytes:
    return b"\x17\x03\x03" + size.to_bytes(2, "big") + bytes(size)


def test_one_record_at_a_time() -> None:
    walk = RecordWalk()
    assert [walk.is_one(record(size)) for size in (1, 300, 16640)] == [True] * 3


def test_two_are_not_one_and_the_next_is_one_again() -> None:
    walk = RecordWalk()
    assert not walk.is_one(record(5) + record(7))
    assert walk.is_one(record(3))


def test_a_record_in_pieces_is_none() -> None:
    whole = record(20)
    for cut in range(1, len(whole)):
        walk = RecordWalk()
        assert not walk.is_one(whole[:cut])
        assert not walk.is_one(whole[cut:])
        assert walk.is_one(record(3))


def test_an_empty_record_is_followed() -> None:
    walk = RecordWalk()
    assert not walk.is_one(record(0))
    assert walk.is_one(record(1))


@given(st.lists(st.integers(1, 50), min_size=1), st.lists(st.integers(1, 60), min_size=1))
def test_whatever_the_pieces_it_never_takes_part_of_a_record_for_one(sizes: list[int], cuts: list[int]) -> None:
    stream = b"".join(map(record, sizes))
    ends = [0]
    for size in sizes:
        ends.append(ends[-1] + 5 + size)
    walk, at = RecordWalk(), 0
    while at < len(stream):
        piece = stream[at : at + cuts[at % len(cuts)]]
        whole = at in ends and at + len(piece) == next(end for end in ends if end > at)
        assert walk.is_one(piece) is whole
        at += len(piece)
