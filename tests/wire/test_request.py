"""From the bytes of a request's head to what it means; the case tables hold the rest."""

from __future__ import annotations

import pytest

from proxy.errors import REQUEST_HOST, ProxyError
from proxy.wire.request import read_request, read_request_line


@pytest.mark.parametrize(
    ("line", "understood"),
    [
        (b"GET /a?b HTTP/1.1", (b"GET", b"/a?b", None, 1)),
        (b"GET http://b:1/a?b HTTP/1.0", (b"GET", b"/a?b", b"b:1", 0)),
        (b"OPTIONS * HTTP/1.7", (b"OPTIONS", b"*", None, 1)),
        (b"OPTIONS http://b HTTP/1.1", (b"OPTIONS", b"*", b"b", 1)),
    ],
)
def test_request_lines(line: bytes, understood: tuple[bytes, bytes, bytes | None, int]) -> None:
    before, after = b"xyz", b"Host: a\r\n"
    got = read_request_line(before + line + b"\r\n" + after, len(before))
    assert got[:4] == understood
    assert got.end == len(before) + len(line) + 2


def test_the_authority_of_the_target_replaces_host_where_it_stood() -> None:
    head = read_request(b"GET", b"/", b"b", 1, b"X: 1\r\nhOST: a\r\nY: 2\r\n", 10)
    assert head.host == b"b"
    assert head.fields.pairs == ((b"X", b"1"), (b"hOST", b"b"), (b"Y", b"2"))


def test_the_authority_of_the_target_becomes_host_where_none_stood() -> None:
    head = read_request(b"GET", b"/", b"b", 0, b"X: 1\r\n", 10)
    assert head.fields.pairs == ((b"Host", b"b"), (b"X", b"1"))


def test_host_and_the_field_host_never_differ() -> None:
    for authority in (None, b"b"):
        head = read_request(b"GET", b"/", authority, 1, b"Host: a\r\n", 10)
        assert head.fields.all(b"host") == [head.host]


def test_host_is_judged_even_where_it_does_not_count() -> None:
    with pytest.raises(ProxyError) as caught:
        read_request(b"GET", b"/", b"b", 1, b"Host: a b\r\n", 10)
    assert caught.value.reason == REQUEST_HOST
