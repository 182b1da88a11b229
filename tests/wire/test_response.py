"""From the bytes of a response's head to what it means; the case tables hold the rest."""

from __future__ import annotations

import pytest

from proxy.errors import RESPONSE_HEAD_TOO_LARGE, RESPONSE_INVALID, ProxyError
from proxy.wire.response import read_response


def test_a_head() -> None:
    head = read_response(b"HTTP/1.0 404 Not Found\r\nX: 1\r\nx: 2\r\n", 2)
    assert (head.status, head.reason, head.minor) == (404, b"Not Found", 0)
    assert head.fields.pairs == ((b"X", b"1"), (b"x", b"2"))


def test_a_head_without_fields() -> None:
    assert read_response(b"HTTP/1.1 200\r\n", 2).fields.pairs == ()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"HTTP/2 200\r\n", RESPONSE_INVALID),
        (b"HTTP/1.1 200 OK\r\nX 1\r\n", RESPONSE_INVALID),
        (b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 3, RESPONSE_HEAD_TOO_LARGE),
    ],
)
def test_no_head(raw: bytes, reason: object) -> None:
    with pytest.raises(ProxyError) as caught:
        read_response(raw, 2)
    assert caught.value.reason == reason
