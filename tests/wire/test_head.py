"""Field lines, and what can be said of a head before it ends."""

from __future__ import annotations

import pytest

from proxy.errors import REQUEST_INVALID, TOO_MANY_FIELDS, ProxyError
from proxy.message import Fields
from proxy.wire.head import keeps_alive, read_fields, refuse_stray


def fields(block: bytes, limit: int = 10) -> tuple[tuple[bytes, bytes], ...]:
    return read_fields(block, limit, REQUEST_INVALID, TOO_MANY_FIELDS).pairs


def test_names_and_order_and_duplicates_are_kept() -> None:
    assert fields(b"b: 1\r\nA:2\r\nB:\t3\r\nb: \r\n") == ((b"b", b"1"), (b"A", b"2"), (b"B", b"3"), (b"b", b""))


def test_no_line_is_no_field() -> None:
    assert fields(b"") == ()


@pytest.mark.parametrize("value", [b"1 ", b"1\t", b"1 \t ", b" ", b"\t", b"1 2 "])
def test_white_space_behind_a_value_is_not_part_of_it(value: bytes) -> None:
    assert fields(b"A: a\r\nX: " + value + b"\r\nB: b\r\n") == ((b"A", b"a"), (b"X", value.strip()), (b"B", b"b"))


@pytest.mark.parametrize("line", [b"x", b"x y: 1", b" x: 1", b"x:1\r", b"\r\nx: 1", b"x: 1\ny: 2", b"y z: 1\nx: 1"])
def test_one_bad_line_spoils_the_block(line: bytes) -> None:
    for block in (line + b"\r\nB: b\r\n", b"A: a \r\n" + line + b"\r\n"):
        with pytest.raises(ProxyError) as caught:
            fields(block)
        assert caught.value.reason == REQUEST_INVALID


def test_the_bad_line_is_named_for_the_log() -> None:
    with pytest.raises(ProxyError) as caught:
        fields(b"A: a\r\nX : 1\r\nB: b\r\n")
    assert "X : 1" in caught.value.detail


def test_too_many_fields() -> None:
    assert len(fields(b"A: a\r\n" * 10)) == 10
    with pytest.raises(ProxyError) as caught:
        fields(b"A: a\r\n" * 11)
    assert caught.value.reason == TOO_MANY_FIELDS


@pytest.mark.parametrize("data", [b"", b"a", b"a\r", b"\r", b"a\r\n", b"a\r\nb\r", b"a\tb\xff"])
def test_nothing_stray(data: bytes) -> None:
    refuse_stray(data, 0, len(data), REQUEST_INVALID)


@pytest.mark.parametrize("data", [b"\n", b"a\n", b"a\rb", b"\r\r", b"a\0", b"\x7f", b"a\r\n\n"])
def test_stray_bytes(data: bytes) -> None:
    with pytest.raises(ProxyError):
        refuse_stray(data, 0, len(data), REQUEST_INVALID)


def test_a_line_end_may_be_split_at_either_edge() -> None:
    refuse_stray(b"a\r\nb\r\n", 2, 5, REQUEST_INVALID)


@pytest.mark.parametrize(
    ("values", "in_11", "in_10"),
    [
        ([], True, False),
        ([b"keep-alive"], True, True),
        ([b"Keep-Alive"], True, True),
        ([b"keep-alive, x"], True, True),
        ([b"close"], False, False),
        ([b"x,CLOSE"], False, False),
        ([b"keep-alive", b"close"], False, False),
        ([b"upgrade"], True, False),
        ([b""], True, False),
        ([b"keep-alive;x"], True, False),
    ],
)
def test_keep_alive(values: list[bytes], in_11: bool, in_10: bool) -> None:
    connection = Fields((b"Connection", value) for value in values)
    assert keeps_alive(connection, 1) is in_11
    assert keeps_alive(connection, 0) is in_10
