"""The exchange: what rooms pass to each other while a request is under way."""

from __future__ import annotations

from proxy.message import EMPTY, Exchange, Fields, Peer, RequestHead, Response, ResponseHead
from proxy.message.deadlines import DEFAULT
from proxy.observe import ExchangeRecord

HEAD = RequestHead(b"GET", b"/x?y", b"example.com", 1, Fields())


def made(client: str = "") -> Exchange:
    record = ExchangeRecord(0.0, 0.0)
    return Exchange(HEAD, b"/x", EMPTY, Peer("192.0.2.1", 1234), record, lambda head: None, client=client)


def test_the_client_is_who_is_connected_unless_somebody_trusted_says_otherwise() -> None:
    assert made().client == "192.0.2.1"
    assert made("203.0.113.9").client == "203.0.113.9"


def test_an_exchange_begins_without_a_route_and_with_the_usual_deadlines() -> None:
    exchange = made()
    assert exchange.route is None
    assert exchange.deadlines is DEFAULT
    exchange.route = "api"
    assert made().route is None, "nothing is shared between exchanges"


def test_who_asked_for_what_is_in_the_repr() -> None:
    assert repr(made()) == "<Exchange b'GET' b'example.com' b'/x?y' from 192.0.2.1>"


def test_a_response_has_no_body_and_no_tunnel_unless_it_is_given_one() -> None:
    response = Response(ResponseHead(204, b"No Content", Fields()))
    assert response.body is EMPTY
    assert response.tunnel is None
