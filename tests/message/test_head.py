"""Heads are values."""

from __future__ import annotations

import pytest

from proxy.message import Fields, RequestHead, ResponseHead


def test_heads_are_compared_by_what_they_say() -> None:
    assert RequestHead(b"GET", b"/", b"a", 1, Fields()) == RequestHead(b"GET", b"/", b"a", 1, Fields())
    assert RequestHead(b"GET", b"/", b"a", 1, Fields()) != RequestHead(b"get", b"/", b"a", 1, Fields())


def test_a_changed_head_is_another_one() -> None:
    head = RequestHead(b"GET", b"/", b"a", 1, Fields())
    assert head._replace(target=b"/x").target == b"/x"
    assert head.target == b"/"
    with pytest.raises(AttributeError):
        head.target = b"/x"  # type: ignore[misc] # this is what must not work


def test_a_response_speaks_http_1_1_unless_it_says_otherwise() -> None:
    assert ResponseHead(200, b"OK", Fields()).minor == 1
