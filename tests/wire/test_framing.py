"""Where bodies end; the case tables hold the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import REQUEST_FRAMING, RESPONSE_INVALID, ProxyError
from proxy.message import Fields, RequestHead, ResponseHead
from proxy.wire import CHUNKED, UNTIL_CLOSE, request_body_length, response_body_length
from proxy.wire.framing import MAX_LENGTH

LENGTHS = st.integers(0, MAX_LENGTH)


def request(*pairs: tuple[bytes, bytes], minor: int = 1) -> RequestHead:
    return RequestHead(b"POST", b"/", b"a", minor, Fields(pairs))


def response(*pairs: tuple[bytes, bytes], status: int = 200, minor: int = 1) -> ResponseHead:
    return ResponseHead(status, b"", Fields(pairs), minor)


@given(LENGTHS)
def test_a_length_is_what_it_says(length: int) -> None:
    field = (b"CONTENT-length", b"%d" % length)
    assert request_body_length(request(field)) == length
    assert response_body_length(response(field), b"GET") == length
    assert response_body_length(response(field, field), b"GET") == length


@pytest.mark.parametrize("length", [MAX_LENGTH + 1, 2**64, 2**64 + 5])
def test_a_length_that_others_would_wrap_is_none(length: int) -> None:
    field = (b"Content-Length", b"%d" % length)
    with pytest.raises(ProxyError) as caught:
        request_body_length(request(field))
    assert caught.value.reason == REQUEST_FRAMING
    with pytest.raises(ProxyError) as caught:
        response_body_length(response(field), b"GET")
    assert caught.value.reason == RESPONSE_INVALID


@given(st.text(max_size=8))
def test_only_ascii_digits_are_a_length(text: str) -> None:
    head = request((b"Content-Length", text.encode()))
    if text.encode().isdigit():  # of bytes: the ten of ASCII
        assert request_body_length(head) == int(text)
    else:
        with pytest.raises(ProxyError):
            request_body_length(head)


def test_chunks() -> None:
    field = (b"Transfer-Encoding", b"chunked")
    assert request_body_length(request(field)) == CHUNKED
    assert response_body_length(response(field), b"GET") == CHUNKED


def test_silence_means_nothing_from_a_client_and_everything_from_a_server() -> None:
    assert request_body_length(request()) == 0
    assert response_body_length(response(), b"GET") == UNTIL_CLOSE


@pytest.mark.parametrize(
    ("status", "method"), [(100, b"GET"), (101, b"GET"), (199, b"GET"), (204, b"GET"), (304, b"GET"), (200, b"HEAD")]
)
@pytest.mark.parametrize("pairs", [(), ((b"Content-Length", b"5"),), ((b"Transfer-Encoding", b"chunked"),)])
def test_some_responses_have_no_body_whatever_they_say(
    status: int, method: bytes, pairs: tuple[tuple[bytes, bytes], ...]
) -> None:
    assert response_body_length(response(*pairs, status=status), method) == 0


def test_even_those_must_not_say_nonsense() -> None:
    with pytest.raises(ProxyError):
        response_body_length(response((b"Content-Length", b"5x"), status=204), b"GET")
