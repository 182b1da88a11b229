"""The names of a head, apart from their values."""

from __future__ import annotations

import pytest

from proxy.message import shape
from proxy.message.shape import SHAPE_BYTES, Shape, shape_of


def test_the_same_names_have_one_shape_whatever_their_values() -> None:
    first = shape_of([(b"Host", b"a"), (b"X-A", b"1")])
    assert shape_of([(b"Host", b"b"), (b"X-A", b"2")]) is first
    assert shape_of([(b"host", b"a"), (b"X-A", b"1")]) is not first
    assert shape_of([(b"X-A", b"1"), (b"Host", b"a")]) is not first


def test_places_are_found_by_lower_case_names() -> None:
    found = Shape((b"X-A", b"Host", b"x-a"))
    assert found.places == {b"x-a": (0, 2), b"host": (1,)}
    assert repr(found) == "Shape(b'X-A, Host, x-a')"


@pytest.mark.parametrize("name", [b"Connection", b"content-length", b"Expect", b"TE", b"Transfer-Encoding", b"VIA"])
def test_a_shape_is_plain_where_nothing_in_it_needs_thought(name: bytes) -> None:
    assert Shape((b"Host", b"Cookie")).plain
    assert not Shape((b"Host", name, b"Cookie")).plain


def test_who_invents_names_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shape, "SHAPES_REMEMBERED", 8)
    known = shape_of([(b"Host", b"a")])
    for number in range(100):
        shape_of([(b"x%d" % number, b"")])
        assert len(shape._shapes) <= 8
    assert shape_of([(b"Host", b"a")]).places == known.places


def test_a_long_shape_is_not_remembered() -> None:
    pairs = [(b"x" * (SHAPE_BYTES + 1), b"")]
    assert not shape_of(pairs).remembered
    assert shape_of(pairs) is not shape_of(pairs)
