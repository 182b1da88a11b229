"""Header fields: a value that keeps order, spelling and duplicates."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.message import Fields

FIELDS = Fields([(b"Host", b"a"), (b"X-A", b"1"), (b"x-a", b"2"), (b"Accept", b"Text/HTML, ,b ,\t*/*")])

names = st.text("abAB-", min_size=1, max_size=3).map(str.encode)
pairs = st.lists(st.tuples(names, st.binary(max_size=3)), max_size=8)


def test_a_name_is_found_in_every_spelling() -> None:
    assert FIELDS.get(b"x-a") == b"1"
    assert FIELDS.all(b"x-a") == [b"1", b"2"]
    assert b"host" in FIELDS
    assert b"x-b" not in FIELDS
    assert FIELDS.get(b"x-b") is None
    assert FIELDS.all(b"x-b") == []


def test_members_of_a_list_are_lower_case_and_never_empty() -> None:
    assert FIELDS.tokens(b"accept") == [b"text/html", b"b", b"*/*"]
    assert FIELDS.tokens(b"x-a") == [b"1", b"2"]
    assert FIELDS.tokens(b"none") == []


def test_a_change_makes_other_fields() -> None:
    assert FIELDS.replaced(b"X-A", b"3").pairs == (FIELDS.pairs[0], FIELDS.pairs[3], (b"X-A", b"3"))
    assert FIELDS.without((b"x-a", b"host")).pairs == (FIELDS.pairs[3],)
    assert FIELDS.added((b"X-A", b"3")).all(b"x-a") == [b"1", b"2", b"3"]
    assert FIELDS.all(b"x-a") == [b"1", b"2"]


def test_equal_fields_are_one_value() -> None:
    again = Fields(FIELDS.pairs)
    assert again == FIELDS
    assert hash(again) == hash(FIELDS)
    assert again != Fields()
    assert again != FIELDS.pairs
    assert repr(Fields([(b"a", b"b")])) == "Fields([(b'a', b'b')])"


@given(pairs)
def test_order_and_duplicates_are_kept(pairs: list[tuple[bytes, bytes]]) -> None:
    fields = Fields(pairs)
    assert list(fields) == pairs
    assert len(fields) == len(pairs)
    for name, _ in pairs:
        assert fields.all(name.lower()) == [value for other, value in pairs if other.lower() == name.lower()]


@given(pairs, names)
def test_what_is_taken_out_is_gone_and_nothing_else(pairs: list[tuple[bytes, bytes]], name: bytes) -> None:
    left = Fields(pairs).without((name.lower(),))
    assert name.lower() not in left
    assert list(left) == [pair for pair in pairs if pair[0].lower() != name.lower()]
