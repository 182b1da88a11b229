"""Stories of an upstream: who gets which server, who waits, and who tries again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.error import ConnectionRefusedError, TimeoutError

from proxy.health.agent import Agent, Mode, Report
from proxy.health.breaker import Breaker, BreakerPolicy, Circuit
from proxy.health.ejection import Ejection, EjectionPolicy
from proxy.health.threshold import Threshold
from proxy.limits import REPLAY_BYTES
from proxy.message import Deadlines
from proxy.policy.retry import RetryPolicy
from tests.support.ends import End
from tests.support.playbook import GET, OK, Play, playing

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"


def status_of(heard: bytes) -> int:
    return int(heard.split(b" ", 2)[1])


def asking(play: Play, count: int) -> list[End]:
    """So many clients, each with a request."""
    clients = [play.client() for _ in range(count)]
    for client in clients:
        client.says(GET)
    return clients


def test_servers_take_turns() -> None:
    with playing(3) as play:
        asking(play, 6)
        assert [endpoint.dialed for endpoint in play.endpoints] == [2, 2, 2]


def test_a_connection_is_used_again_for_another_client() -> None:
    with playing() as play:
        [first] = asking(play, 1)
        server = play.server()
        server.hears(GET)
        server.says(OK)
        first.hears(OK)
        [second] = asking(play, 1)
        play.no_server()
        server.hears(GET)
        server.says(OK)
        second.hears(OK)
        assert [record.reused for record in play.records] == [False, True]


def test_as_many_connections_as_there_are_requests_at_once() -> None:
    with playing() as play:
        clients = asking(play, 8)
        servers = [play.server() for _ in clients]
        for server in servers:
            server.says(OK)
        for client in clients:
            client.hears(OK)
            client.says(GET)
        play.no_server()
        for server in servers:
            server.says(OK)
        assert len(play.records) == 16


def test_no_more_idle_connections_are_kept_than_may_be() -> None:
    with playing(server={"idle_connections": 2}) as play:
        asking(play, 4)
        servers = [play.server() for _ in range(4)]
        for server in servers:
            server.says(OK)
        assert [server.is_open for server in servers] == [True, True, True, True]
        play.wait(0.7)
        assert [server.is_open for server in servers] == [True, True, False, False]


def test_a_server_that_cannot_be_reached_is_named() -> None:
    with playing(2) as play:
        for endpoint in play.endpoints:
            endpoint.error = ConnectionRefusedError()
        asking(play, 1)
        assert (play.record.server, play.record.reason) == ("s2", "upstream.connect.refused")


def test_a_client_that_left_during_a_dial_is_logged_with_its_server() -> None:
    with playing() as play:
        play.endpoint.silent = True
        [client] = asking(play, 1)
        client.leaves()
        assert (play.record.server, play.record.reason) == ("s1", "client.closed")


def test_an_exchange_waits_for_a_connection_no_longer_than_its_own_route_does() -> None:
    with playing(deadlines=Deadlines(connect=0.3), pool={"retry": RetryPolicy(0)}) as play:
        play.endpoint.silent = True
        [client] = asking(play, 1)
        play.wait(0.2)
        client.hears_nothing()
        play.wait(0.2)
        assert status_of(client.takes()) == 504
        assert (play.record.reason, play.record.detail) == (
            "upstream.connect.timeout",
            "198.51.100.1:9001: no connection in 0.3 s",
        )
        assert (play.endpoint.given_up, play.servers[0].failures, play.in_flight) == (1, 1, 0)


def test_a_connection_that_is_there_in_time_is_used_as_any_other() -> None:
    with playing(deadlines=Deadlines(connect=0.3)) as play:
        [client] = asking(play, 1)
        server = play.server()
        play.wait(1.0)
        server.says(OK)
        client.hears(OK)
        assert play.servers[0].failures == 0


def test_a_client_that_leaves_gives_up_such_a_dial_as_well() -> None:
    with playing(deadlines=Deadlines(connect=0.3)) as play:
        play.endpoint.silent = True
        [client] = asking(play, 1)
        client.leaves()
        play.turn()
        assert (play.endpoint.given_up, play.servers[0].failures, play.in_flight) == (1, 0, 0)
        assert play.record.reason == "client.closed"


# --- the cap, and the queue behind it ---------------------------------------------------------------------------


def test_whoever_finds_no_room_waits_for_its_turn() -> None:
    with playing(server={"connections": 1}) as play:
        clients = asking(play, 3)
        server = play.server()
        play.no_server()
        for client in clients:
            server.hears(GET)
            server.says(OK)
            client.hears(OK)
        assert play.reasons == ["", "", ""]


def test_each_server_has_its_own_cap() -> None:
    with playing(2, server={"connections": 1}) as play:
        clients = asking(play, 3)
        one, two = play.server(), play.server()
        play.no_server()
        two.says(OK)
        clients[1].hears(OK)
        two.says(OK)
        clients[2].hears(OK)
        one.says(OK)
        clients[0].hears(OK)


def test_a_queue_that_is_full_takes_nobody() -> None:
    with playing(server={"connections": 1}, pool={"queue": 1}) as play:
        clients = asking(play, 3)
        assert status_of(clients[2].takes()) == 503
        assert play.record.reason == "upstream.queue.full"
        clients[1].hears_nothing()


def test_no_queue_at_all() -> None:
    with playing(server={"connections": 1}, pool={"queue": 0}) as play:
        clients = asking(play, 2)
        heard = clients[1].takes()
        assert status_of(heard) == 503
        assert b"Retry-After: 1\r\n" in heard


def test_nobody_waits_for_ever() -> None:
    with playing(server={"connections": 1}, pool={"queue_seconds": 5.0}) as play:
        clients = asking(play, 2)
        play.wait(4.9)
        clients[1].hears_nothing()
        play.wait(0.5)
        assert status_of(clients[1].takes()) == 503
        assert play.record.reason == "upstream.queue.timeout"
        server = play.server()
        server.says(OK)
        clients[0].hears(OK)
        clients[1].says(GET)
        server.says(OK)
        clients[1].hears(OK)


def test_a_place_becomes_free_when_a_connection_cannot_be_made() -> None:
    with playing(server={"connections": 1}, pool={"retry": RetryPolicy(retries=0)}) as play:
        play.endpoint.silent = True
        clients = asking(play, 2)
        play.endpoint.silent = False
        clients[0].leaves()
        server = play.server()
        server.says(OK)
        clients[1].hears(OK)


def test_a_place_becomes_free_when_a_server_closes() -> None:
    with playing(server={"connections": 1}, pool={"retry": RetryPolicy(retries=0)}) as play:
        clients = asking(play, 2)
        play.server().leaves()
        assert status_of(clients[0].takes()) == 502
        play.server().says(OK)
        clients[1].hears(OK)


def _taken_out_by_hand(play: Play) -> Callable[[], None]:
    play.servers[1].drain()
    return lambda: play.servers[1].drain(False)


def _ejected(play: Play) -> Callable[[], None]:
    server = play.servers[1]
    server.condition.ejection = Ejection(EjectionPolicy(1, first_seconds=3.0))
    server.refused("refused")
    return lambda: play.wait(3.2)


def _down(play: Play) -> Callable[[], None]:
    server = play.servers[1]
    server.condition.threshold = Threshold(rise=1)
    server.probed(False, "refused")
    return lambda: server.probed(True, "status 200")


def _drained_by_its_agent(play: Play) -> Callable[[], None]:
    server = play.servers[1]
    server.condition.agent = Agent()
    server.reported(Report(mode=Mode.DRAIN))
    return lambda: server.reported(Report(mode=Mode.READY))


def _without_share(play: Play) -> Callable[[], None]:
    server = play.servers[1]
    server.condition.agent = Agent()
    server.reported(Report(share=0.0))
    return lambda: server.reported(Report(share=1.0))


def _allowed_more(play: Play) -> Callable[[], None]:
    server = play.servers[0]
    server.condition.agent = Agent()
    play.pool.replace(play.servers[:1])
    return lambda: server.reported(Report(connections=4))


@pytest.mark.parametrize(
    "story", [_taken_out_by_hand, _ejected, _down, _drained_by_its_agent, _without_share, _allowed_more]
)
def test_as_many_as_fit_are_let_in_and_in_order(story: Callable[[Play], Callable[[], None]]) -> None:
    with playing(2, server={"connections": 2}) as play:
        comes_back = story(play)
        clients = [play.client() for _ in range(5)]
        for number, client in enumerate(clients):
            client.says(GET.replace(b"/", b"/%d" % number, 1))
        servers = [play.server(), play.server()]
        play.no_server()
        comes_back()
        play.turn()
        servers += [play.server(), play.server()]
        play.no_server()
        assert [server.takes()[:6] for server in servers] == [b"GET /%d" % number for number in range(4)]
        servers[3].says(OK)
        assert servers[3].takes()[:6] == b"GET /4"


def test_whoever_is_sent_away_from_a_room_leaves_it_to_the_next() -> None:
    with playing(server={"connections": 1}, pool={"retry": RetryPolicy(retries=0)}) as play:
        clients = asking(play, 4)
        play.endpoint.error = ConnectionRefusedError()
        play.server().leaves()
        play.turn()
        play.wait(0.1)
        assert [status_of(client.takes()) for client in clients] == [502] * 4
        assert play.reasons[1:] == ["upstream.connect.refused"] * 3


def test_a_server_of_weight_0_takes_nothing() -> None:
    with playing(server={"weight": 0}) as play:
        [client] = asking(play, 1)
        heard = client.takes()
        assert status_of(heard) == 503
        assert b"Retry-After: 5\r\n" in heard
        assert play.record.reason == "upstream.none_available"


# --- trying again -----------------------------------------------------------------------------------------------


def test_whoever_cannot_reach_one_server_is_sent_to_another() -> None:
    with playing(2) as play:
        play.endpoints[0].error = ConnectionRefusedError()
        clients = [play.client(), play.client()]
        for client in clients:  # at least one of the two finds the closed door first
            client.says(POST)
        for client in clients:
            server = play.server()
            server.hears(POST)
            server.says(OK)
            client.hears(OK)
        assert 2 in {record.attempts for record in play.records}
        assert {record.server for record in play.records} == {"s2"}


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ConnectionRefusedError(), 502, "upstream.connect.refused"),
        (TimeoutError(), 504, "upstream.connect.timeout"),
        (OSError("no route"), 502, "upstream.connect.failed"),
    ],
)
def test_when_no_server_can_be_reached_the_last_one_tells_why(error: Exception, status: int, reason: str) -> None:
    with playing(2) as play:
        for endpoint in play.endpoints:
            endpoint.error = error
        [client] = asking(play, 1)
        assert status_of(client.takes()) == status
        assert (play.record.attempts, play.record.reason) == (2, reason)


def test_retries_may_be_turned_off() -> None:
    with playing(2, pool={"retry": RetryPolicy(retries=0)}) as play:
        for endpoint in play.endpoints:
            endpoint.error = ConnectionRefusedError()
        [client] = asking(play, 1)
        assert status_of(client.takes()) == 502
        assert play.record.attempts == 1


def test_after_a_failure_only_a_new_connection_will_do() -> None:
    # What killed one idle connection (a restart, a firewall) has mostly killed them all.
    with playing() as play:
        asking(play, 3)
        servers = [play.server() for _ in range(3)]
        for server in servers:
            server.says(OK)
        [client] = asking(play, 1)
        [used] = [server for server in servers if server.takes().count(b"GET") == 2]
        used.leaves()
        other = play.server()
        other.hears(GET)
        other.says(OK)
        client.hears(OK)


def test_a_body_that_is_too_large_to_keep_is_not_sent_twice() -> None:
    size = REPLAY_BYTES + 1
    with playing() as play:
        client = play.client()
        client.says(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        server = play.server()
        client.says(b"x" * size)
        server.leaves()
        play.no_server()
        assert status_of(client.takes()) == 502


def test_a_body_that_is_still_arriving_goes_out_again_from_its_beginning() -> None:
    with playing() as play:
        client = play.client()
        client.says(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
        play.server().leaves()
        other = play.server()
        client.says(b"def")
        assert other.takes().endswith(b"\r\n\r\nabcdef")
        other.says(OK)
        client.hears(OK)
        assert play.record.bytes_in == 6


def test_a_status_that_the_operator_does_not_want_to_see_is_tried_elsewhere() -> None:
    with playing(2, pool={"retry": RetryPolicy(statuses=frozenset({503}))}) as play:
        [client] = asking(play, 1)
        play.server().says(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")
        play.server().says(OK)
        client.hears(OK)
        assert play.record.attempts == 2


def test_retries_have_a_budget() -> None:
    # Three retries are always possible; where everything fails, ten requests must not become twenty.
    with playing(2, pool={"retry": RetryPolicy(share=0.2, minimum=3)}) as play:
        clients = asking(play, 10)
        for _ in clients:
            play.server().leaves()
        assert sum(endpoint.dialed for endpoint in play.endpoints) == 13
        assert play.pool.retrying == 3
        for _ in range(3):
            play.server().says(OK)
        assert play.pool.retrying == 0
        assert sorted(status_of(client.takes()) for client in clients) == [200] * 3 + [502] * 7


# --- the circuit ------------------------------------------------------------------------------------------------


def with_breaker(play: Play) -> Breaker:
    """One that a single failure opens."""
    breaker = play.pool.breaker = Breaker(BreakerPolicy(ratio=0.5, minimum=1))
    play.pool.guarded = True
    return breaker


CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (CHUNKED + b"oh no\r\n", "client.request.framing"),
        (CHUNKED + b"40\r\n" + b"x" * 64 + b"\r\n", "limit.body"),
        (CHUNKED + b"2\r\nh", "client.body.timeout"),
    ],
)
def test_what_a_client_does_opens_no_circuit(said: bytes, reason: str) -> None:
    with playing(body_limit=50) as play:
        breaker = with_breaker(play)
        play.client().says(said)
        play.wait(70.0)
        assert play.reasons == [reason]
        assert breaker.state is Circuit.CLOSED


def test_what_we_refuse_ourselves_opens_no_circuit() -> None:
    with playing(server={"connections": 1}, pool={"queue": 1, "queue_seconds": 5.0}) as play:
        breaker = with_breaker(play)
        clients = asking(play, 3)
        play.wait(5.5)
        assert play.reasons == ["upstream.queue.full", "upstream.queue.timeout"]
        assert breaker.state is Circuit.CLOSED
        play.server().says(OK)
        clients[0].hears(OK)
        play.pool.replace(())
        asking(play, 1)
        assert play.reasons[-1] == "upstream.none_available"
        assert breaker.state is Circuit.CLOSED


def test_what_the_upstream_does_opens_it() -> None:
    with playing(pool={"retry": RetryPolicy(retries=0)}) as play:
        breaker = with_breaker(play)
        asking(play, 1)
        play.server().leaves()
        assert breaker.state is Circuit.OPEN
        asking(play, 1)
        assert play.reasons == ["upstream.response.closed", "upstream.circuit.open"]


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha"


@pytest.mark.parametrize("at_once", [True, False])
def test_half_an_answer_counts_as_failed(at_once: bool) -> None:
    with playing() as play:
        breaker = with_breaker(play)
        breaker._policy = BreakerPolicy(ratio=1.0, minimum=2)
        for opened in (False, True):
            [client] = asking(play, 1)
            server = play.server()
            server.says(HALF)
            if not at_once:
                assert client.takes().endswith(b"ha")
                play.wait(1.0)
            server.leaves()
            play.turn()
            assert (breaker.state is Circuit.OPEN) is opened
        assert play.reasons == ["upstream.response.truncated"] * 2


def test_what_a_client_does_not_take_counts_for_nothing() -> None:
    with playing() as play:
        breaker = with_breaker(play)
        [client] = asking(play, 1)
        play.server().says(HALF)
        client.leaves()
        play.turn()
        assert breaker.state is Circuit.CLOSED


# --- servers come and go ----------------------------------------------------------------------------------------


def test_a_server_that_is_taken_out_finishes_what_it_has_begun() -> None:
    with playing(2) as play:
        clients = asking(play, 2)
        [[first], [second]] = [endpoint.ends for endpoint in play.endpoints]
        play.pool.replace(play.servers[1:])
        first.says(OK)
        assert first.closed is not None, "and is not kept"
        second.says(OK)
        for client in clients:
            client.hears(OK)
            client.says(GET)
            second.says(OK)
            client.hears(OK)
        assert [endpoint.dialed for endpoint in play.endpoints] == [1, 1]


def test_idle_connections_of_a_server_that_is_taken_out_close() -> None:
    with playing(2) as play:
        asking(play, 2)
        [[first], [second]] = [endpoint.ends for endpoint in play.endpoints]
        first.says(OK)
        second.says(OK)
        play.pool.replace(play.servers[1:])
        play.turn()
        assert first.closed is not None
        assert second.is_open


def test_an_open_circuit_says_when_it_will_try_again() -> None:
    with playing() as play:
        play.pool.breaker = Breaker(BreakerPolicy(minimum=1, open_seconds=10.0))
        play.pool.guarded = True
        play.endpoint.error = ConnectionRefusedError()
        asking(play, 1)
        play.wait(2.5)
        [client] = asking(play, 1)
        heard = client.takes()
        assert status_of(heard) == 503
        assert b"Retry-After: 8\r\n" in heard
        assert play.reasons[1] == "upstream.circuit.open"


def test_the_picture_shows_those_who_are_gone_until_they_are_done() -> None:
    with playing(2) as play:
        asking(play, 2)
        [[first], [second]] = [endpoint.ends for endpoint in play.endpoints]
        play.pool.replace(play.servers[1:])
        shown = [(server.name, server.state, server.why, server.in_flight) for server in play.pool.state().servers]
        assert shown == [("s2", "up", "", 1), ("s1", "draining", "taken out", 1)]
        first.says(OK)
        second.says(OK)
        assert [server.name for server in play.pool.state().servers] == ["s2"]


def test_the_picture_of_the_pool() -> None:
    with playing(2, server={"connections": 1}) as play:
        asking(play, 3)
        state = play.pool.state()
        assert (state.name, state.queued, state.retrying, state.circuit) == ("pool", 1, 0, "")
        assert [(server.name, server.in_flight, server.idle) for server in state.servers] == [
            ("s1", 1, 0),
            ("s2", 1, 0),
        ]
        assert "1 waiting" in repr(play.pool)
