"""Which requests may leave HTTP, and which answers end it."""

from __future__ import annotations

import pytest

from proxy import limits
from proxy.errors import REQUEST_UPGRADE, RESPONSE_UPGRADE, ProxyError
from proxy.message import Fields, RequestHead, ResponseHead
from proxy.policy.upgrade import ANY, asked_protocols, permitted, switched

NOMINATED = (b"Connection", b"keep-alive, Upgrade")


def asking(*pairs: tuple[bytes, bytes], minor: int = 1) -> tuple[bytes, ...]:
    return asked_protocols(RequestHead(b"GET", b"/", b"a", minor, Fields(pairs)))


def test_a_websocket_is_asked_for() -> None:
    assert asking(NOMINATED, (b"Upgrade", b"websocket")) == (b"websocket",)
    assert asking(NOMINATED, (b"Upgrade", b"foo/2, WebSocket"), (b"upgrade", b"bar")) == (
        b"foo/2",
        b"WebSocket",
        b"bar",
    )


@pytest.mark.parametrize("protocol", [b"h2c", b"H2C", b"h2", b"TLS/1.0", b"tls/1.2,HTTP/2.0", b"HTTP/3.0", b", ,"])
def test_some_protocols_are_never_passed_on(protocol: bytes) -> None:
    assert asking(NOMINATED, (b"Upgrade", protocol)) == ()
    assert asking(NOMINATED, (b"Upgrade", b"websocket, " + protocol)) == (b"websocket",)


@pytest.mark.parametrize(
    "pairs",
    [
        [(b"Upgrade", b"websocket")],
        [(b"Upgrade", b"websocket"), (b"Connection", b"close")],
        [NOMINATED],
        [NOMINATED, (b"Upgrade", b"websocket"), (b"Content-Length", b"37")],
        [NOMINATED, (b"Upgrade", b"websocket"), (b"Transfer-Encoding", b"chunked")],
    ],
    ids=["not nominated", "other nomination", "no protocol", "with a body", "with a chunked body"],
)
def test_an_upgrade_that_is_not_properly_asked_for_is_none(pairs: list[tuple[bytes, bytes]]) -> None:
    assert asking(*pairs) == ()


def test_an_empty_body_is_no_body() -> None:
    assert asking(NOMINATED, (b"Upgrade", b"websocket"), (b"Content-Length", b"0")) == (b"websocket",)


def test_http_1_0_cannot_upgrade() -> None:
    assert asking(NOMINATED, (b"Upgrade", b"websocket"), minor=0) == ()


def test_too_many_options_are_refused() -> None:
    many = b",".join(b"x%d" % n for n in range(limits.CONNECTION_OPTIONS + 1))
    with pytest.raises(ProxyError):
        asking((b"Connection", many), (b"Upgrade", b"websocket"))


def test_the_route_decides() -> None:
    assert permitted((), ()) == b""
    assert permitted((b"WebSocket",), (b"websocket",)) == b"WebSocket"
    assert permitted((b"foo/2", b"websocket"), (b"websocket",)) == b"websocket"
    assert permitted((b"foo/2", b"websocket"), (ANY,)) == b"foo/2, websocket"
    for allowed in ((), (b"foo",)):
        with pytest.raises(ProxyError) as caught:
            permitted((b"websocket",), allowed)
        assert caught.value.reason is REQUEST_UPGRADE


def answering(*pairs: tuple[bytes, bytes]) -> ResponseHead:
    return ResponseHead(101, b"Switching Protocols", Fields(pairs))


def test_a_101_is_believed_where_it_answers_what_was_asked() -> None:
    agreed = answering(NOMINATED, (b"Upgrade", b"WebSocket"))
    assert switched(b"websocket", agreed) == b"WebSocket"
    assert switched(b"foo/2, websocket", agreed) == b"WebSocket"


@pytest.mark.parametrize(
    ("asked", "pairs"),
    [
        (b"", [NOMINATED, (b"Upgrade", b"foo")]),
        (b"", [NOMINATED, (b"Upgrade", b"")]),
        (b"websocket", [NOMINATED, (b"Upgrade", b"foo")]),
        (b"websocket", [NOMINATED, (b"Upgrade", b"websocket, foo")]),
        (b"websocket", [NOMINATED]),
        (b"websocket", [(b"Upgrade", b"websocket")]),
    ],
    ids=["unasked", "unasked and empty", "another", "two", "none", "not nominated"],
)
def test_any_other_101_is_an_error(asked: bytes, pairs: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(ProxyError) as caught:
        switched(asked, answering(*pairs))
    assert caught.value.reason is RESPONSE_UPGRADE
