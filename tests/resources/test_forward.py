"""What of a request reaches a server, and what of its response comes back. (Who gets it: see the tests of the pool.)"""

from __future__ import annotations

import pytest

from proxy.gates.chain import Proceed
from proxy.message import BytesBody, Exchange, Fields, Response
from proxy.policy.forwarding import ForwardingPolicy
from tests.support.playbook import GET, OK, playing


def test_what_the_proxy_says_of_itself() -> None:
    with playing(forwarding=ForwardingPolicy(pseudonym=b"us")) as play:
        play.client().says(GET)
        assert play.server().takes_raw().split(b"\r\n") == [
            b"GET / HTTP/1.1",
            b"Host: a",
            b"X-Forwarded-For: 192.0.2.7",
            b"X-Real-IP: 192.0.2.7",
            b"X-Forwarded-Proto: http",
            b"X-Forwarded-Host: a",
            b"X-Forwarded-Port: 80",
            b"Via: 1.1 us",
            b"X-Request-ID: id-1",
            b"",
            b"",
        ]


def test_order_spelling_and_duplicates_are_kept() -> None:
    said = b"GET / HTTP/1.1\r\nHost: a\r\nx-B: 2\r\nX-A: 1\r\nx-b: 3\r\nCookie: a=b; c\r\n\r\n"
    with playing() as play:
        play.client().says(said)
        play.server().hears(said)


def test_what_ends_at_this_hop_does_not_travel_on() -> None:
    hop = b"Connection: keep-alive, X-A\r\nKeep-Alive: 5\r\nX-A: 1\r\nTE: gzip\r\nProxy: evil\r\nX_B: 2\r\n"
    with playing() as play:
        play.client().says(b"GET / HTTP/1.1\r\nHost: a\r\n" + hop + b"X-C: 3\r\n\r\n")
        play.server().hears(b"GET / HTTP/1.1\r\nHost: a\r\nX-C: 3\r\n\r\n")


def test_an_absolute_target_becomes_a_path_and_its_host_counts() -> None:
    with playing() as play:
        play.client().says(b"GET http://b/x?y HTTP/1.1\r\nHost: b\r\n\r\n")
        play.server().hears(b"GET /x?y HTTP/1.1\r\nHost: b\r\n\r\n")


def test_a_server_may_be_told_its_own_name() -> None:
    with playing(own_host=True) as play:
        play.client().says(GET)
        play.server().hears(b"GET / HTTP/1.1\r\nHost: 198.51.100.1:9001\r\n\r\n")


@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"OPTIONS", b"PROPFIND"])
def test_no_body_no_framing(method: bytes) -> None:
    said = method + b" / HTTP/1.1\r\nHost: a\r\n\r\n"
    with playing() as play:
        play.client().says(said)
        play.server().hears(said)


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"PATCH"])
def test_methods_that_expect_a_body_say_that_there_is_none(method: bytes) -> None:
    with playing() as play:
        play.client().says(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
        play.server().hears(method + b" / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")


def test_a_chunked_request_stays_chunked_with_its_trailers() -> None:
    with playing() as play:
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n")
        server = play.server()
        server.hears(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        client.says(b"0\r\nX-Sum: 1\r\n\r\n")
        server.hears(b"0\r\nX-Sum: 1\r\n\r\n")


def test_a_body_that_a_gate_replaced_is_framed_anew() -> None:
    async def gate(exchange: Exchange, proceed: Proceed) -> Response:
        exchange.body.stop()
        exchange.body = BytesBody(b"changed")
        return await proceed(exchange)

    with playing(gates=[gate]) as play:
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        server = play.server()
        server.hears(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nchanged")
        server.says(OK)
        client.hears(OK)


def test_a_field_with_a_line_end_that_a_gate_put_in_never_reaches_a_server() -> None:
    async def gate(exchange: Exchange, proceed: Proceed) -> Response:
        exchange.head = exchange.head._replace(fields=Fields([(b"Host", b"a"), (b"X", b"1\r\nY: 2")]))
        return await proceed(exchange)

    with playing(gates=[gate]) as play:
        client = play.client()
        client.says(GET)
        assert client.takes().startswith(b"HTTP/1.1 500 ")
        assert play.record.reason == "proxy.internal"


@pytest.mark.parametrize(
    ("answer", "heard"),
    [
        (
            b"HTTP/1.1 200 Fine\r\nServer: x\r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 Fine\r\nServer: x\r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            b"HTTP/1.1 200 OK\r\nConnection: X-A\r\nX-A: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: x\r\n\r\n",
            b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 9\r\n\r\n",
        ),
        (b"HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_what_comes_back(answer: bytes, heard: bytes) -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        play.server().says(answer)
        client.hears(heard)


def test_head_is_answered_with_the_length_that_get_would_have() -> None:
    with playing() as play:
        client = play.client()
        client.says(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        client.hears(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        client.says(GET)
        assert server.takes().count(b"HTTP/1.1\r\n") == 2
        server.says(OK)
        client.hears(OK)


def test_the_record_tells_the_way_and_the_times() -> None:
    with playing() as play:
        client = play.client()
        play.wait(1)
        client.says(GET)
        server = play.server()
        play.wait(2)
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        play.wait(3)
        server.says(b"ok")
        record = play.record
        assert (record.route, record.upstream, record.server, record.attempts) == ("route", "pool", "s1", 1)
        times = (record.began, record.sent_at, record.head_at, record.ended)
        assert [round(moment, 3) for moment in times] == [1.0, 1.0, 3.0, 6.0]
