"""What goes on of a response head, and that it is remembered for the same head only."""

from __future__ import annotations

import pytest

from proxy.errors import ProxyError
from proxy.message import Fields, ResponseHead
from proxy.upstream.passed_on import PassedOn


def head(*pairs: tuple[bytes, bytes]) -> ResponseHead:
    return ResponseHead(200, b"OK", Fields(pairs))


def test_what_ends_at_this_hop_does_not_go_on() -> None:
    given = head((b"Connection", b"X-Hop"), (b"X-Hop", b"1"), (b"ETag", b"a"), (b"Content-Length", b"3"))
    passed = PassedOn()(given)
    assert passed.fields.pairs == ((b"ETag", b"a"),)
    assert (passed.status, passed.reason) == (200, b"OK")


def test_the_same_head_has_the_same_answer_and_another_another() -> None:
    passed_on = PassedOn()
    one, other = head((b"ETag", b"a")), head((b"ETag", b"b"))
    assert passed_on(one) is passed_on(one)
    assert passed_on(other).fields.get(b"etag") == b"b"
    assert passed_on(one).fields.get(b"etag") == b"a"


def test_a_head_that_may_not_go_on_is_not_remembered() -> None:
    passed_on = PassedOn()
    bad = head((b"Connection", b", ".join(b"x%d" % number for number in range(1000))))
    for _ in range(2):
        with pytest.raises(ProxyError):
            passed_on(bad)
