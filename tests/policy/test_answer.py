"""Failures become answers: small, the same in every dress, and never an echo."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import (
    CIRCUIT_OPEN,
    MAX_FORWARDS,
    NO_SERVER,
    QUEUE_FULL,
    REASONS,
    ROUTE_METHOD,
    ROUTE_NONE,
    TUNNEL_IDLE,
    ProxyError,
    Reason,
)
from proxy.message import Fields, RequestHead, ResponseHead
from proxy.policy.answer import answer, come_again, proxy_status


def asking(accept: bytes, target: bytes = b"/") -> RequestHead:
    return RequestHead(b"GET", target, b"a", 1, Fields([(b"Accept", accept)]))


BROWSER = asking(b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
PROGRAM = asking(b"application/json")


def test_a_terminal_gets_text() -> None:
    head, body = answer(ProxyError(ROUTE_NONE, "nothing for host b'evil'"), b"id-1", asking(b"*/*"))
    assert head == ResponseHead(
        404,
        b"Not Found",
        Fields(
            [
                (b"Content-Type", b"text/plain; charset=utf-8"),
                (b"Cache-Control", b"no-store"),
                (b"Proxy-Status", b'reverseproxy; error=destination_not_found; details="route.none"'),
            ]
        ),
    )
    assert body == b"404 Not Found\nNo route matches this host and path.\nreason: route.none\nrequest id: id-1\n"


def test_a_program_gets_a_problem() -> None:
    head, body = answer(ProxyError(NO_SERVER), b"id-1", PROGRAM)
    assert head.fields.get(b"content-type") == b"application/problem+json"
    assert json.loads(body) == {
        "title": "Service Unavailable",
        "status": 503,
        "detail": NO_SERVER.words,
        "reason": "upstream.none_available",
        "request_id": "id-1",
    }


def test_a_browser_gets_a_page() -> None:
    head, body = answer(ProxyError(ROUTE_NONE), b"id-1", BROWSER)
    assert head.fields.get(b"content-type") == b"text/html; charset=utf-8"
    assert b"default-src 'none'" in (head.fields.get(b"content-security-policy") or b"")
    assert b"<h1>404 Not Found</h1>" in body
    assert b"<code>route.none</code> &middot; <code>id-1</code>" in body


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda reason: reason.code)
def test_every_reason_can_be_told_in_every_dress(reason: Reason) -> None:
    for request in (BROWSER, PROGRAM, asking(b"*/*"), None):
        head, body = answer(ProxyError(reason, "a detail for the log"), b"id-1", request)
        assert 200 <= head.status <= 599
        assert head.reason
        assert b"a detail" not in body
        assert len(body) < 1024
        assert not {b"content-length", b"transfer-encoding", b"connection"} & set(head.fields.shape.places)
        if reason is not MAX_FORWARDS:
            assert reason.code.encode() in body
            assert reason.words.encode() in body
    # No escaping is done: nothing that needs it may ever be written into this table.
    assert not set(reason.words + reason.code + reason.kind) & set('<>&"\\\r\n')


def test_a_503_says_when_to_come_back() -> None:
    assert answer(ProxyError(QUEUE_FULL))[0].fields.get(b"retry-after") == b"1"
    assert answer(ProxyError(NO_SERVER))[0].fields.get(b"retry-after") == b"5"
    assert b"retry-after" not in answer(ProxyError(ROUTE_NONE))[0].fields


@pytest.mark.parametrize(("seconds", "said"), [(0.0, b"1"), (0.3, b"1"), (9.01, b"10"), (60.0, b"60")])
def test_who_knows_when_something_changes_says_so(seconds: float, said: bytes) -> None:
    head, _ = answer(ProxyError(CIRCUIT_OPEN, fields=come_again(seconds)))
    assert head.fields.all(b"retry-after") == [said]


def test_what_only_can_be_cut_is_still_answered_if_somebody_asks() -> None:
    assert answer(ProxyError(TUNNEL_IDLE))[0].status == 500


def test_a_request_that_ends_here_is_no_failure() -> None:
    head, body = answer(ProxyError(MAX_FORWARDS), b"id-1", BROWSER)
    assert (head.status, body, len(head.fields)) == (200, b"", 0)


def test_further_fields_can_be_said() -> None:
    head, _ = answer(ProxyError(ROUTE_METHOD), extra=[(b"Allow", b"GET, HEAD")])
    assert head.fields.get(b"allow") == b"GET, HEAD"
    assert head.status == 405


def test_our_name_stands_in_proxy_status() -> None:
    assert proxy_status(NO_SERVER, b"edge-1").startswith(b"edge-1; error=destination_unavailable;")


@given(st.binary(), st.binary(), st.text(), st.sampled_from(list(REASONS.values())))
def test_nothing_that_came_in_goes_out(value: bytes, request_id: bytes, detail: str, reason: Reason) -> None:
    mark = b"<m4rk>"
    for dress in (b"text/html", b"application/json", b""):
        request = RequestHead(
            mark + value, mark + value, mark, 1, Fields([(b"Accept", dress + mark), (mark + value, mark)])
        )
        head, body = answer(ProxyError(reason, mark.decode() + detail), mark + request_id, request)
        written = body + b"".join(name + value for name, value in head.fields) + head.reason
        assert mark not in written
        plain_head, plain_body = answer(ProxyError(reason), b"", asking(dress))
        assert (head, body) == (plain_head, plain_body)
