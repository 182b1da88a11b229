"""Stories of one connection to a server: what it believes, how long it waits, and when it is kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone

from proxy.gates.chain import Proceed
from proxy.limits import UPSTREAM_IDLE_SECONDS, WINDOW_BYTES
from proxy.message import Deadlines, Exchange, Response
from tests.support.ends import End
from tests.support.playbook import GET, OK, playing

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
BIG = 40 * WINDOW_BYTES


def status_of(heard: bytes) -> int:
    return int(heard.split(b" ", 2)[1])


# --- kept, or not -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (OK, True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", False),
        (OK + b"and more", False),
        (OK + OK, False),
    ],
)
def test_a_connection_is_kept_only_if_nothing_about_it_is_in_doubt(answer: bytes, kept: bool) -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(answer)
        assert status_of(client.takes()) in (200, 204, 304)
        assert server.is_open is kept
        client.says(GET)
        if kept:
            play.no_server()
            assert server.takes() == GET + GET
        else:
            play.server().hears(GET)


def test_a_word_that_nobody_asked_for_poisons_an_idle_connection() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(OK)
        server.says(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        client.hears(OK)
        client.says(GET)
        other = play.server()
        other.says(OK)
        client.hears(OK)
        assert server.closed is not None


def test_an_idle_connection_is_closed_before_the_server_does_it() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(OK)
        play.wait(UPSTREAM_IDLE_SECONDS - 0.1)
        assert server.is_open
        play.wait(0.5)
        assert server.closed is not None


def test_a_connection_whose_whole_response_is_here_is_free_before_the_client_has_taken_it() -> None:
    with playing() as play:
        slow, client = play.client(), play.client()
        slow.stops_reading()
        slow.says(GET)
        server = play.server()
        server.says(OK)
        client.says(GET)
        play.no_server()
        server.says(OK)
        client.hears(OK)
        slow.reads_again()
        slow.hears(OK)


@pytest.mark.parametrize("goodbye", [End.half_closes, End.leaves])
def test_an_idle_connection_that_the_server_closes_is_never_seen_by_a_client(goodbye: Callable[[End], None]) -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(OK)
        goodbye(server)
        client.hears(OK)
        client.says(POST)
        play.server().says(OK)
        client.hears(OK)
        assert play.reasons == ["", ""]


# --- the race with the server's idle timeout --------------------------------------------------------------------


def test_a_get_that_meets_a_closing_connection_goes_out_again_on_a_new_one() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(OK)
        client.says(GET)
        server.leaves()
        other = play.server()
        other.hears(GET)
        other.says(OK)
        client.hears(OK + OK)
        assert play.records[1].attempts == 2


def test_a_post_that_meets_a_closing_connection_is_not_sent_twice() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(OK)
        client.hears(OK)
        client.says(POST)
        server.leaves()
        play.no_server()
        assert status_of(client.takes()) == 502
        assert play.reasons == ["", "upstream.response.closed"]


def test_a_put_with_a_small_body_is_sent_twice_in_full() -> None:
    put = POST.replace(b"POST", b"PUT")
    with playing() as play:
        client = play.client()
        client.says(put)
        server = play.server()
        server.hears(put)
        server.leaves()
        other = play.server()
        other.hears(put)
        other.says(OK)
        client.hears(OK)


def test_a_second_failure_is_told() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        play.server().leaves()
        play.server().leaves()
        play.no_server()
        assert status_of(client.takes()) == 502
        assert (play.record.attempts, play.record.reason) == (2, "upstream.response.closed")


def test_nothing_is_repeated_once_an_interim_response_was_passed_on() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        server.leaves()
        play.no_server()
        assert b"HTTP/1.1 502 " in client.takes()


# --- what a server may do wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "upstream.response.invalid"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "upstream.response.invalid"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000 + b"\r\n\r\n", "upstream.response.head_too_large"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "upstream.response.upgrade"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 17, "upstream.response.invalid"),
        (b"HTTP/1.1 200 OK\r\nConnection: " + b"a, " * 40 + b"a\r\n\r\n", "upstream.response.invalid"),
    ],
)
def test_what_is_no_response_is_a_bad_gateway(answer: bytes, code: str) -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(answer)
        play.wait(1)
        assert b"HTTP/1.1 502 " in client.takes()
        assert server.was_cut
        assert play.record.reason == code
        client.says(GET)
        play.server().says(OK)
        client.hears(OK)


@pytest.mark.parametrize(
    ("begun", "code"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12", "upstream.response.truncated"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n12\r\n", "upstream.response.truncated"),
    ],
)
def test_half_a_body_is_never_passed_off_as_a_whole_one(begun: bytes, code: str) -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(begun)
        server.leaves(ConnectionDone())
        assert client.was_cut
        assert (play.record.status, play.record.reason) == (200, code)


def test_half_a_body_that_never_began_to_leave_is_a_bad_gateway() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nContent-Le")
        server.leaves(ConnectionDone())
        assert status_of(client.takes()) == 502
        assert play.record.reason == "upstream.response.truncated"


def test_a_body_without_length_ends_with_its_connection() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\n\r\nhel")
        server.says(b"lo")
        server.half_closes()
        client.hears(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")
        assert client.is_open
        assert play.record.bytes_out == 5


def test_a_reset_is_no_end_of_a_body() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\n\r\nhel")
        server.leaves()
        assert client.was_cut


# --- deadlines --------------------------------------------------------------------------------------------------


def test_a_server_that_does_not_answer() -> None:
    with playing(deadlines=Deadlines(response_head=60)) as play:
        client = play.client()
        client.says(POST)
        server = play.server()
        play.wait(59.9)
        client.hears_nothing()
        play.wait(1)
        assert status_of(client.takes()) == 504
        assert server.was_cut
        assert play.record.reason == "upstream.response.timeout"


def test_a_get_that_was_not_answered_in_time_may_be_tried_once_more() -> None:
    with playing(2, deadlines=Deadlines(response_head=60)) as play:
        client = play.client()
        client.says(GET)
        play.server()
        play.wait(61)
        play.server().says(OK)
        client.hears(OK)
        assert play.record.attempts == 2


def test_but_not_by_the_server_that_did_not_answer() -> None:
    with playing(deadlines=Deadlines(response_head=60)) as play:
        client = play.client()
        client.says(GET)
        play.server()
        play.wait(61)
        assert client.takes().startswith(b"HTTP/1.1 504 ")
        assert play.record.attempts == 1


def test_a_server_that_stops_in_the_middle_of_its_body() -> None:
    with playing(deadlines=Deadlines(response_idle=60)) as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1")
        play.wait(59)
        server.says(b"2")
        play.wait(59)
        assert client.is_open
        play.wait(2)
        assert client.was_cut
        assert server.was_cut
        assert play.record.reason == "upstream.response.idle"


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n:)\r\n"


def test_events_may_be_as_rare_as_they_are() -> None:
    with playing(deadlines=Deadlines(response_idle=60)) as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(EVENTS)
        play.wait(3600)
        assert client.is_open
        server.says(b"0\r\n\r\n")
        assert client.takes().endswith(b"2\r\n:)\r\n0\r\n\r\n")
        client.says(GET)
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1")
        play.wait(62)
        assert play.reasons == ["", "upstream.response.idle"], "the next response is no stream"


def test_events_have_the_deadline_that_was_asked_for() -> None:
    with playing(deadlines=Deadlines(response_idle=60, stream_idle=90)) as play:
        client = play.client()
        client.says(GET)
        play.server().says(EVENTS)
        play.wait(89)
        assert client.is_open
        play.wait(2)
        assert play.record.reason == "upstream.response.idle"


def test_a_server_is_not_blamed_while_its_client_holds_it_back() -> None:
    with playing(deadlines=Deadlines(response_idle=10, write_stall=60)) as play:
        client = play.client()
        client.stops_reading()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        server.says(b"x" * BIG)
        play.wait(50)
        assert client.is_open
        client.reads_again()
        assert len(client.takes()) > BIG
        assert play.reasons == [""]


def test_a_server_that_stops_taking_the_request_has_a_deadline_too() -> None:
    with playing(deadlines=Deadlines(response_head=60, body_idle=60)) as play:
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % BIG)
        server = play.server()
        server.stops_reading()
        client.says(b"x" * BIG)
        assert not client.is_read
        play.wait(59)
        client.hears_nothing()
        play.wait(2)
        assert status_of(client.takes()) == 504
        assert server.was_cut


def test_a_server_has_time_as_long_as_the_client_still_sends() -> None:
    with playing(deadlines=Deadlines(response_head=10, body_idle=60)) as play:
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        server = play.server()
        for _ in range(5):
            play.wait(30)
            client.says(b"x")
        play.wait(9)
        server.says(OK)
        client.hears(OK)


# --- the server is gone while others have not finished ----------------------------------------------------------


def test_a_server_that_is_done_and_gone_while_its_client_is_slow() -> None:
    # The end was read, the client was not there yet: it gets everything, and then the end.
    for length in (b"Content-Length: %d" % BIG, b"X: y"):
        with playing() as play:
            client = play.client()
            client.stops_reading()
            client.says(GET)
            server = play.server()
            server.says(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % length)
            server.says(b"x" * BIG)
            server.half_closes()
            play.wait(1)
            client.reads_again()
            heard = client.takes()
            assert heard.count(b"x") >= BIG
            assert play.reasons == [""]


def test_a_server_that_is_lost_while_its_client_is_slow() -> None:
    with playing() as play:
        client = play.client()
        client.stops_reading()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        server.says(b"x" * 4 * WINDOW_BYTES)
        server.leaves()
        client.reads_again()
        assert client.was_cut
        assert play.reasons == ["upstream.response.truncated"]


def test_a_server_that_is_lost_while_the_request_still_arrives() -> None:
    with playing() as play:
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")
        server = play.server()
        server.leaves()
        assert status_of(client.takes()) == 502
        client.says(b"56789")
        client.hears_nothing()
        assert play.reasons == ["upstream.response.closed"]


def test_a_server_that_answers_early_and_takes_no_more_is_let_go() -> None:
    with playing() as play:
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % BIG)
        server = play.server()
        server.stops_reading()
        client.says(b"x" * BIG)
        server.says(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        assert status_of(client.takes()) == 413
        play.wait(61)
        assert server.closed is not None


def test_a_request_that_cannot_be_written_gives_its_connection_back() -> None:
    async def gate(exchange: Exchange, proceed: Proceed) -> Response:
        exchange.head = exchange.head._replace(target=b"/a b")
        return await proceed(exchange)

    with playing(gates=[gate]) as play:
        client = play.client()
        client.says(GET)
        assert status_of(client.takes()) == 500
        assert play.in_flight == 0


def test_an_upgrade_that_is_lost_while_a_gate_thinks_is_over_at_once() -> None:
    thinking: Deferred[None] = Deferred()

    async def gate(exchange: Exchange, proceed: Proceed) -> Response:
        response = await proceed(exchange)
        await thinking
        return response

    with playing(gates=[gate], upgrades=[b"websocket"]) as play:
        client = play.client()
        client.says(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        server = play.server()
        server.says(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        server.leaves()
        thinking.callback(None)
        play.wait(61)
        assert client.closed is not None


def test_the_state_is_in_the_repr() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        connection = server.transport.protocol
        assert repr(connection) == "<UpstreamConnection waiting 1 served>"
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        assert "body" in repr(connection)
        server.says(b"k")
        assert "idle" in repr(connection)
        server.leaves()
        assert "closed" in repr(connection)


def test_a_client_that_leaves_while_a_gate_looks_at_the_response() -> None:
    async def gate(exchange: Exchange, proceed: Proceed) -> Response:
        response = await proceed(exchange)
        await Deferred()
        return response

    with playing(gates=[gate], deadlines=Deadlines(response_idle=60)) as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12")
        client.leaves()
        play.wait(61)
        assert server.was_cut, "nobody will ever take this body"
        assert play.in_flight == 0


def test_a_gate_that_looks_at_the_response_for_too_long() -> None:
    thinking: Deferred[None] = Deferred()

    async def gate(exchange: Exchange, proceed: Proceed) -> Response:
        response = await proceed(exchange)
        await thinking
        return response

    with playing(gates=[gate], deadlines=Deadlines(response_idle=60)) as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12")
        play.wait(61)
        assert server.was_cut
        thinking.callback(None)
        play.turn()
        assert status_of(client.takes()) == 504
        assert play.record.reason == "upstream.response.idle"
