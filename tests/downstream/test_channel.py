"""Stories of one client's connection: what it may do, how long it may take, and what is left when it goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import directlyProvides

from proxy.errors import BODY_TIMEOUT, HEAD_TIMEOUT
from proxy.gates.chain import Proceed
from proxy.limits import HALF_CLOSED_SECONDS, LINGER_SECONDS, WINDOW_BYTES
from proxy.message import BytesBody, Deadlines, Exchange, Fields, Response, ResponseHead
from proxy.tls.contexts import CertificateFiles, server_context
from proxy.tls.keyring import HostPlan, Keyring
from proxy.tls.policies import policy
from proxy.tls.server import TlsServer
from tests.support.authority import Authority, Issued
from tests.support.ends import End
from tests.support.playbook import GET, OK, Play, playing
from tests.tls.peers import ADDRESS, Client, client_context

POST_HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
BIG = 40 * WINDOW_BYTES


async def hello(exchange: Exchange) -> Response:
    """A target that answers by itself, at once."""
    return Response(ResponseHead(200, b"OK", Fields()), BytesBody(b"hello"))


def refused(client_heard: bytes, status: int, code: str) -> None:
    """What a client hears whose request fails: a small page that names the reason, and the end."""
    head, _, body = client_heard.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    assert b"Connection: close" in head
    assert b"reason: %b\n" % code.encode() in body


# --- the plain way ----------------------------------------------------------------------------------------------


def test_a_request_goes_out_and_its_response_comes_back() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.hears(GET)
        client.hears_nothing()
        server.says(OK)
        client.hears(OK)
        assert play.record.status == 200
        assert (play.record.bytes_in, play.record.bytes_out) == (0, 2)
        assert (play.record.reason, play.record.upstream, play.record.server) == ("", "pool", "s1")


@pytest.mark.parametrize("piece", [1, 2, 7])
def test_the_cuts_between_reads_change_nothing(piece: int) -> None:
    with playing() as play:
        client = play.client()
        client.says(POST_HEAD + b"0123456789", piece)
        server = play.server()
        server.hears(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789")
        server.says(OK, piece)
        client.hears(OK)
        client.says(GET, piece)
        server.hears(GET)
        server.says(OK)
        client.hears(OK)


def test_pipelined_requests_are_answered_in_their_order_one_at_a_time() -> None:
    with playing() as play:
        client = play.client()
        client.says(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(3)))
        server = play.server()
        for n in range(3):
            server.hears(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n)
            client.hears_nothing()
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % n
            server.says(answer)
            client.hears(answer)
        play.no_server()
        assert [record.target for record in play.records] == [b"/0", b"/1", b"/2"]


def test_a_body_is_followed_by_the_next_request() -> None:
    with playing() as play:
        client = play.client()
        client.says(POST_HEAD + b"0123456789" + GET)
        server = play.server()
        assert server.takes().endswith(b"0123456789")
        server.says(OK)
        server.hears(GET)
        server.says(OK)
        client.hears(OK + OK)


def test_after_connection_close_nothing_more_is_read() -> None:
    with playing() as play:
        client = play.client()
        client.says(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET)
        play.server().says(OK)
        client.hears(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        play.wait(LINGER_SECONDS + 1)
        assert client.closed is not None
        assert len(play.records) == 1


def test_http_1_0_keeps_its_connection_only_where_it_asks_to() -> None:
    with playing() as play:
        client = play.client()
        client.says(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
        server = play.server()
        server.says(OK)
        client.hears(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok")
        client.says(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        server.says(OK)
        client.hears(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        assert client.was_closed


def test_a_connection_has_so_many_requests_and_no_more() -> None:
    with playing(site={"requests_per_connection": 2}) as play:
        client = play.client()
        client.says(GET + GET + GET)
        server = play.server()
        server.says(OK)
        client.hears(OK)
        server.says(OK)
        assert b"Connection: close\r\n" in client.takes()
        play.wait(LINGER_SECONDS + 1)
        assert client.closed is not None
        assert len(play.records) == 2


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400, "client.request.host"),
        (b"GET /\r\n\r\n", 400, "client.request.invalid"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 17000 + b"\r\n\r\n", 431, "limit.head"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400, "client.request.framing"),
    ],
)
def test_what_is_not_understood_is_refused_and_the_connection_closes(said: bytes, status: int, code: str) -> None:
    with playing(target=hello) as play:
        client = play.client()
        client.says(said)
        refused(client.takes(), status, code)
        assert play.record.reason == code
        client.says(GET)
        client.hears_nothing()
        play.wait(LINGER_SECONDS + 1)
        assert client.closed is not None


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        (b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 404, "route.none"),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 501, "client.request.method"),
        (b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "client.request.path"),
    ],
)
def test_what_is_understood_and_refused_is_an_answer_like_any_other(said: bytes, status: int, code: str) -> None:
    with playing() as play:
        client = play.client()
        client.says(said)
        heard = client.takes()
        assert heard.startswith(b"HTTP/1.1 %d " % status)
        assert b"reason: %b\n" % code.encode() in heard
        client.says(GET)
        play.server().says(OK)
        client.hears(OK)
        assert play.reasons == [code, ""]


def test_a_broken_chunk_ends_the_request_that_is_under_way() -> None:
    with playing() as play:
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        server = play.server()
        client.says(b"zz\r\n")
        assert server.was_cut, "the server must not take half a body for a whole one"
        refused(client.takes(), 400, play.record.reason)


def test_a_body_that_is_announced_too_large_is_never_read() -> None:
    with playing(body_limit=9) as play:
        client = play.client()
        client.says(POST_HEAD)
        refused(client.takes(), 413, "limit.body")
        play.no_server()


def test_a_chunked_body_that_turns_out_too_large_is_cut_off() -> None:
    with playing(body_limit=9) as play:
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n")
        server = play.server()
        client.says(b"8\r\n01234567\r\n")
        assert server.was_cut
        refused(client.takes(), 413, "limit.body")


def test_a_gate_that_raises_is_an_internal_error_that_says_nothing_to_the_client() -> None:
    async def gate(exchange: Exchange, proceed: Proceed) -> Response:
        raise ZeroDivisionError("secret")

    with playing(gates=[gate]) as play:
        client = play.client()
        client.says(GET)
        heard = client.takes()
        assert heard.startswith(b"HTTP/1.1 500 ")
        assert b"secret" not in heard
        assert play.record.reason == "proxy.internal"
        assert len(play.errors) == 1
        play.errors.clear()


def test_a_response_that_cannot_be_written_leaves_nothing_behind() -> None:
    async def gate(exchange: Exchange, proceed: Proceed) -> Response:
        response = await proceed(exchange)
        head = response.head._replace(fields=Fields([(b"X", b"a\r\nb: c")]))
        return response._replace(head=head)

    with playing(gates=[gate]) as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12")
        assert client.takes().startswith(b"HTTP/1.1 500 ")
        assert server.was_cut


# --- deadlines: each state has its own --------------------------------------------------------------------------


def test_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    with playing(deadlines=Deadlines(request_head=10)) as play:
        client = play.client()
        play.wait(9.9)
        assert client.is_open
        play.wait(LINGER_SECONDS + 1)
        client.hears_nothing()
        assert client.closed is not None
        assert not play.records


def test_a_head_has_ten_seconds_however_often_a_byte_comes() -> None:
    with playing(deadlines=Deadlines(request_head=10)) as play:
        client = play.client()
        client.says(b"GET / HT")
        for byte in b"TP/1.1\r\n":
            play.wait(1.1)
            client.says(bytes([byte]))
        play.wait(2)
        refused(client.takes(), 408, HEAD_TIMEOUT.code)
        play.wait(LINGER_SECONDS + 1)
        assert client.closed is not None


def test_an_idle_connection_is_closed() -> None:
    with playing(deadlines=Deadlines(keep_alive=75), target=hello) as play:
        client = play.client()
        client.says(GET)
        client.takes()
        play.wait(74.9)
        assert client.is_open
        play.wait(1)
        client.hears_nothing()
        assert client.eof or client.was_closed


def test_a_body_that_stops_arriving() -> None:
    with playing(deadlines=Deadlines(body_idle=60)) as play:
        client = play.client()
        client.says(POST_HEAD + b"01234")
        server = play.server()
        play.wait(59)
        client.says(b"5")
        play.wait(59)
        client.hears_nothing()
        play.wait(2)
        refused(client.takes(), 408, BODY_TIMEOUT.code)
        assert server.was_cut


def test_the_pace_of_the_body_is_forgotten_once_it_is_complete() -> None:
    # The answer may take as long as the route allows, however the body came.
    with playing(deadlines=Deadlines(body_idle=60, response_head=300)) as play:
        client = play.client()
        client.says(POST_HEAD + b"01234")
        client.says(b"56789")
        server = play.server()
        play.wait(299)
        client.hears_nothing()
        assert client.is_open
        server.says(OK)
        client.hears(OK)


def test_a_client_that_stops_reading_is_cut_and_its_server_let_go() -> None:
    with playing(deadlines=Deadlines(write_stall=60)) as play:
        client = play.client()
        client.stops_reading()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG + b"x" * BIG)
        play.wait(59)
        assert client.is_open
        play.wait(2)
        assert client.was_cut
        assert server.was_cut
        assert play.reasons == ["client.write.timeout"]


def test_a_client_that_sends_and_never_reads_from_a_server_that_echoes_is_cut() -> None:
    # Both directions are full, and each side waits for the other: somebody must be watching.
    with playing(deadlines=Deadlines(write_stall=60, body_idle=60)) as play:
        client = play.client()
        client.stops_reading()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % BIG)
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        server.says(b"x" * 4 * WINDOW_BYTES)
        server.stops_reading()
        client.says(b"x" * 4 * WINDOW_BYTES)
        assert not client.is_read
        assert not server.is_read
        play.wait(130)
        assert client.was_cut
        assert server.was_cut


def test_a_last_response_that_nobody_reads_does_not_hold_the_connection_for_ever() -> None:
    with playing(target=hello, deadlines=Deadlines(write_stall=60)) as play:
        client = play.client()
        client.stops_reading()
        client.says(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        play.wait(61)
        assert client.was_cut


# --- back-pressure ----------------------------------------------------------------------------------------------


def test_a_slow_client_holds_its_server_back_at_one_window() -> None:
    with playing() as play:
        client = play.client()
        client.stops_reading()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        server.says(b"x" * BIG)
        assert not server.is_read
        assert client.pending <= 2 * WINDOW_BYTES
        client.reads_again()
        heard = len(client.takes())
        assert heard > BIG
        assert server.is_read
        assert play.record.bytes_out == BIG


def test_a_slow_server_holds_its_client_back() -> None:
    with playing() as play:
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % BIG)
        server = play.server()
        server.stops_reading()
        client.says(b"x" * BIG)
        assert not client.is_read
        assert server.pending <= 2 * WINDOW_BYTES
        server.reads_again()
        assert server.takes().endswith(b"x" * BIG)
        server.says(OK)
        client.hears(OK)
        assert play.record.bytes_in == BIG


def test_a_body_waits_until_somebody_wants_it() -> None:
    with playing() as play:
        play.endpoint.silent = True
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % BIG + b"x" * BIG)
        assert not client.is_read
        client.leaves()
        assert play.endpoint.given_up == 1


def test_requests_are_not_begun_while_the_client_reads_no_responses() -> None:
    begun = []

    async def large(exchange: Exchange) -> Response:
        begun.append(exchange)
        return Response(ResponseHead(200, b"OK", Fields()), BytesBody(b"x" * 2 * WINDOW_BYTES))

    with playing(target=large) as play:
        client = play.client()
        client.stops_reading()
        client.says(GET * 100)
        assert len(begun) == 1
        client.reads_again()
        assert len(begun) == 100


def test_a_client_that_pipelines_more_than_a_window_is_not_read_meanwhile() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        client.says(GET * 3000)
        assert not client.is_read
        server.says(OK)
        client.hears(OK)


# --- the request body is not wanted, or not yet -----------------------------------------------------------------


def test_expect_100_continue_goes_all_the_way() -> None:
    with playing() as play:
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        server = play.server()
        assert b"Expect: 100-continue\r\n" in server.takes()
        client.hears_nothing()
        server.says(b"HTTP/1.1 100 Continue\r\n\r\n")
        client.hears(b"HTTP/1.1 100 Continue\r\n\r\n")
        client.says(b"ok")
        server.hears(b"ok")
        server.says(OK)
        client.hears(OK)


def test_hints_are_passed_on_without_what_ends_at_this_hop() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: X\r\nX: 1\r\n\r\n")
        client.hears(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        server.says(OK)
        client.hears(OK)


def test_a_client_that_speaks_http_1_0_gets_no_hints() -> None:
    with playing() as play:
        client = play.client()
        client.says(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        server = play.server()
        server.says(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        client.hears_nothing()
        server.says(OK)
        assert client.takes().startswith(b"HTTP/1.1 200 OK")


def test_an_early_answer_reaches_a_client_that_still_sends() -> None:
    with playing() as play:
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n0123456789")
        server = play.server()
        server.says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        client.hears(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        assert client.eof
        assert client.closed is None, "closing now would reset the connection, and the answer with it"
        client.says(b"more of the body")
        client.half_closes()
        assert client.was_closed
        assert server.closed is not None, "a connection with half a request on it is not kept"


def test_a_client_that_never_stops_sending_is_not_listened_to_for_long() -> None:
    with playing(body_limit=9) as play:
        client = play.client()
        client.says(POST_HEAD)
        refused(client.takes(), 413, "limit.body")
        for _ in range(30):
            client.says(b"x" * 100)
            play.wait(LINGER_SECONDS / 10)
        assert client.closed is not None


def test_a_body_that_nobody_reads_does_not_become_the_next_request() -> None:
    with playing(target=hello) as play:
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(GET) + GET)
        assert client.takes().count(b"HTTP/1.1 200 OK") == 1
        assert len(play.records) == 1


# --- the client is gone: in each state, nothing is left (see Play.curtain) --------------------------------------


@pytest.mark.parametrize(
    "said", [b"", b"GET / HT", GET, POST_HEAD, POST_HEAD + b"01234", POST_HEAD + b"0123456789", GET + GET]
)
@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12"]
)
def test_a_client_that_leaves_takes_its_request_with_it(said: bytes, answer: bytes) -> None:
    with playing() as play:
        client = play.client()
        client.says(said)
        server = play.server() if play.in_flight else None
        if server is not None and answer:
            server.says(answer)
        client.leaves()
        assert play.in_flight == 0
        assert play.reasons == (["client.closed"] if server is not None else [])
        assert server is None or server.was_cut


def test_a_client_that_leaves_while_a_connection_is_made() -> None:
    with playing() as play:
        play.endpoint.silent = True
        client = play.client()
        client.says(GET)
        client.leaves()
        assert play.endpoint.given_up == 1
        assert (play.record.status, play.record.reason) == (499, "client.closed")


def test_a_client_that_leaves_while_it_waits_in_the_queue() -> None:
    with playing(server={"connections": 1}) as play:
        first, second, third = play.client(), play.client(), play.client()
        for client in (first, second, third):
            client.says(GET)
        second.leaves()
        server = play.server()
        server.takes()
        server.says(OK)
        server.hears(GET)
        server.says(OK)
        third.hears(OK)
        assert sorted(play.reasons) == ["", "", "client.closed"]


def test_a_client_that_leaves_while_a_gate_thinks() -> None:
    told: list[object] = []

    async def gate(exchange: Exchange, proceed: Proceed) -> Response:
        thinking: Deferred[None] = Deferred(told.append)
        await thinking
        return await proceed(exchange)

    with playing(gates=[gate]) as play:
        client = play.client()
        client.says(GET)
        client.leaves()
        assert len(told) == 1
        play.no_server()


def test_a_client_that_leaves_while_it_is_held_back() -> None:
    with playing() as play:
        client = play.client()
        client.stops_reading()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        server.says(b"x" * BIG)
        client.leaves()
        assert server.was_cut


def test_a_client_that_leaves_while_its_last_response_lingers() -> None:
    with playing(body_limit=9) as play:
        client = play.client()
        client.says(POST_HEAD)
        client.leaves()
        assert play.reasons == ["limit.body"]


def test_a_client_that_sends_nothing_more_gets_its_answer() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        client.half_closes()
        play.wait(HALF_CLOSED_SECONDS / 2)
        assert not server.was_cut
        server.says(OK)
        client.hears(OK)
        assert client.was_closed, "it said that no other request comes"
        assert play.reasons == [""]


def test_so_do_those_that_sent_several_requests() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET + GET)
        client.half_closes()
        server = play.server()
        server.says(OK)
        client.hears(OK)
        assert client.closed is None
        server.says(OK)
        client.hears(OK)
        assert client.was_closed
        assert play.reasons == ["", ""]


def test_but_it_may_be_gone_and_is_not_waited_for_long() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        client.half_closes()
        play.wait(HALF_CLOSED_SECONDS + 0.3)
        assert server.was_cut
        assert play.reasons == ["client.closed"]


def test_while_something_comes_it_is_waited_for() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        client.half_closes()
        for _ in range(5):
            server.says(b"x")
            play.wait(HALF_CLOSED_SECONDS * 0.9)
        assert not server.was_cut
        play.wait(HALF_CLOSED_SECONDS * 2.2)
        assert server.was_cut
        assert client.was_cut, "what it has got must not look whole"
        assert play.reasons == ["client.closed"]


def test_half_a_request_is_answered_by_nobody() -> None:
    with playing() as play:
        client = play.client()
        client.says(POST_HEAD)
        server = play.server()
        client.half_closes()
        assert server.was_cut
        assert play.reasons == ["client.closed"]


# --- the end of the proxy ---------------------------------------------------------------------------------------


def drained(play: Play) -> list[str]:
    """Drain; tells when everybody has gone."""
    told: list[str] = []
    play.site.drain(lambda: told.append("empty"))
    play.turn()
    return told


def test_draining_closes_idle_connections_at_once() -> None:
    with playing(target=hello) as play:
        fresh, used = play.client(), play.client()
        used.says(GET)
        used.takes()
        told = drained(play)
        play.wait(LINGER_SECONDS + 1)
        assert fresh.closed is not None
        assert used.closed is not None
        assert told == ["empty"]


def test_draining_lets_an_exchange_end_and_says_that_it_is_the_last() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        told = drained(play)
        assert told == []
        server.says(OK)
        client.hears(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        assert client.was_closed
        assert told == ["empty"]


def test_the_state_is_in_the_repr() -> None:
    with playing() as play:
        client = play.client()
        [channel] = play.site.channels
        assert "idle 192.0.2.7 request 0" in repr(channel)
        client.says(b"GET / HT")
        assert "head" in repr(channel)
        client.says(b"TP/1.1\r\nHost: a\r\n\r\n")
        assert "exchange 192.0.2.7 request 1" in repr(channel)
        play.server().says(OK)
        assert "idle" in repr(channel)
        client.leaves()
        assert "closed" in repr(channel)


# --- one connection for each request ----------------------------------------------------------------------------

CLOSING = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def test_a_client_that_comes_again_meets_a_reader_that_knows_it() -> None:
    with playing(target=hello) as play:
        for number in range(3):
            play.client().says(CLOSING)
            play.turn()
            assert len(play.site._spare) == 1
            assert len(play.records) == number + 1
        [(reader, visitor)] = play.site._spare
        play.client().says(CLOSING.replace(b"Host: a", b"Host: b"))
        play.turn()
        assert play.site._spare[0][0] is reader
        assert play.site._spare[0][1] is visitor
        assert [record.host for record in play.records] == [b"a", b"a", b"a", b"b"]


def test_two_at_a_time_have_a_reader_each() -> None:
    with playing() as play:
        first, second = play.client(), play.client()
        first.says(CLOSING)
        first_server = play.server()
        second.says(b"GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        second_server = play.server()
        first_server.says(OK)
        play.turn()
        third = play.client()
        third.says(b"GET /third HTT")
        second_server.says(OK)
        play.turn()
        third.says(b"P/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        play.turn()
        assert [record.target for record in play.records] == [b"/", b"/second"]
        assert first_server.heard.count(b"GET /third ") + second_server.heard.count(b"GET /third ") == 1


def test_a_reload_leaves_no_reader_behind_that_obeys_other_limits() -> None:
    with playing(target=hello) as play:
        staying = play.client()
        staying.says(GET)
        play.client().says(CLOSING)
        play.turn()
        assert play.site._spare
        play.site.limits = play.site.limits._replace(head_bytes=1000)
        play.site._spare.clear()
        staying.says(CLOSING)
        play.turn()
        assert not play.site._spare


# --- over TLS ---------------------------------------------------------------------------------------------------


def ours(play: Play, issued: Issued) -> Any:
    """A connection by our own stream."""
    plan = HostPlan((CertificateFiles(issued.cert, issued.key),))
    keyring = Keyring([plan], policy("intermediate"), [b"http/1.1"], play.alarm)
    return TlsServer(keyring, play.alarm, (b"http/1.1",), 10.0).stream(play.site, None)


def twisteds(play: Play, issued: Issued) -> Any:
    """One by the transport that Twisted's own TLS endpoints have."""
    files = [CertificateFiles(issued.cert, issued.key)]
    context = server_context(files, policy("intermediate"), None, [b"http/1.1"])
    contexts = SimpleNamespace(getContext=lambda: context)
    directlyProvides(contexts, IOpenSSLContextFactory)
    return TLSMemoryBIOFactory(contexts, False, play.site, clock=play.clock).buildProtocol(ADDRESS)


@pytest.mark.parametrize("accept", [ours, twisteds])
def test_the_end_of_a_connection_is_said_over_tls_though_a_producer_was_registered(
    tmp_path: Path, accept: Callable[[Play, Issued], Any]
) -> None:
    """Twisted's transport does not say close_notify while a producer is registered: clients would wait for ever."""
    authority = Authority(tmp_path)
    with playing() as play:
        end = End(play.clock, ADDRESS)
        end.joins(accept(play, authority.issue("a.test")))
        client = Client(end, client_context(authority.ca), "a.test", None).shake()
        client.says(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert end.transport._producer is not None
        play.server().says(OK)
        assert client.hears().endswith(b"\r\n\r\nok")
        play.turn()
        client.flush()
        assert client.tls.read() == b""  # close_notify: without it, this would want more
        assert end.transport._producer is None
        client.end.leaves()
