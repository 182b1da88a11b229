"""Stories of servers that take their time, and of the second one that is asked then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from proxy.health.breaker import Breaker, BreakerPolicy, Circuit
from proxy.policy.retry import RetryPolicy
from tests.support.ends import End
from tests.support.playbook import GET, OK, Play, playing

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
SECONDS = 0.5


def dialed(play: Play) -> set[str]:
    """The servers that were connected to."""
    return {server.name for server, endpoint in zip(play.servers, play.endpoints, strict=True) if endpoint.dialed}


@contextmanager
def hedging(servers: int = 2, per_try: float = 0.0, retries: int = 1, minimum: int = 3) -> Iterator[Play]:
    retry = RetryPolicy(retries, frozenset({503}), hedge_after=SECONDS, per_try=per_try, minimum=minimum)
    with playing(servers, pool={"retry": retry}) as play:
        yield play


def test_a_server_that_answers_soon_is_asked_alone() -> None:
    with hedging() as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(OK)
        client.hears(OK)
        play.wait(SECONDS * 4)
        play.no_server()
        assert play.record.attempts == 1


def test_the_second_server_overtakes_the_first() -> None:
    with hedging() as play:
        client = play.client()
        client.says(GET)
        slow = play.server()
        slow.hears(GET)
        asked_second = next(name for name in ("s1", "s2") if name not in dialed(play))
        play.wait(SECONDS + 0.2)
        quick = play.server()
        quick.hears(GET)
        quick.says(OK)
        client.hears(OK)
        assert slow.was_cut
        assert play.record.server == asked_second
        assert play.record.attempts == 2
        assert play.pool.retrying == 0
        assert [server.failures for server in play.servers] == [0, 0]


def test_the_first_server_answers_after_all() -> None:
    with hedging() as play:
        client = play.client()
        client.says(GET)
        first = play.server()
        sent_at = play.clock.seconds()
        play.wait(SECONDS + 0.2)
        second = play.server()
        first.says(OK)
        client.hears(OK)
        assert second.was_cut
        assert play.record.sent_at == sent_at


@pytest.mark.parametrize("request_", [POST, GET.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\nhi")])
def test_what_may_not_be_sent_twice_at_once_is_not(request_: bytes) -> None:
    with hedging() as play:
        client = play.client()
        client.says(request_)
        server = play.server()
        play.wait(SECONDS * 4)
        play.no_server()
        server.says(OK)
        client.hears(OK)


def test_without_a_second_server_there_is_no_second_request() -> None:
    with hedging(servers=1) as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        play.wait(SECONDS * 4)
        play.no_server()
        server.says(OK)
        client.hears(OK)


def test_the_budget_for_retries_holds() -> None:
    with hedging(minimum=1) as play:
        clients = [play.client() for _ in range(3)]
        for client in clients:
            client.says(GET)
        servers = [play.server() for _ in clients]
        play.wait(SECONDS + 0.2)
        assert play.pool.retrying == 1
        hedge = play.server()
        play.no_server()
        for server in (hedge, *servers):
            if server.is_open:
                server.says(OK)
        for client in clients:
            client.hears(OK)
        assert play.pool.retrying == 0


def test_one_failure_leaves_the_other_a_chance() -> None:
    with hedging() as play:
        client = play.client()
        client.says(GET)
        first = play.server()
        play.wait(SECONDS + 0.2)
        second = play.server()
        first.leaves()
        client.hears_nothing()
        second.says(OK)
        client.hears(OK)
        assert play.record.attempts == 2


def test_two_failures_are_one_error() -> None:
    with hedging() as play:
        client = play.client()
        client.says(GET)
        play.wait(SECONDS + 0.2)
        for _ in range(2):
            play.server().leaves()
        play.turn()
        assert client.takes().startswith(b"HTTP/1.1 502 ")
        assert play.reasons == ["upstream.response.closed"]


BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbu"


def hedged(play: Play) -> tuple[End, End, End]:
    """A client, and the two servers that it waits for."""
    client = play.client()
    client.says(GET)
    first = play.server()
    play.wait(SECONDS + 0.2)
    return client, first, play.server()


def test_a_status_that_would_be_tried_again_does_not_overtake() -> None:
    with hedging() as play:
        client, first, second = hedged(play)
        second.says(BUSY)
        client.hears_nothing()
        first.says(OK)
        client.hears(OK)
        assert second.was_cut
        assert play.record.status == 200
        assert play.record.server == next(s.name for s in play.servers if not s.failures)


@pytest.mark.parametrize("late", [False, True])
def test_it_is_the_answer_if_nothing_better_comes(late: bool) -> None:
    with hedging(per_try=2.0) as play:
        client, first, second = hedged(play)
        second.says(BUSY)
        if late:
            play.wait(2.0)
            assert first.was_cut
        else:
            first.leaves()
        second.says(b"sy")
        client.hears(BUSY + b"sy")
        assert play.record.attempts == 2


def test_of_two_such_answers_the_later_one_counts() -> None:
    with hedging() as play:
        client, first, second = hedged(play)
        second.says(BUSY)
        first.says(BUSY + b"sy")
        client.hears(BUSY + b"sy")
        assert second.was_cut


def test_a_client_that_leaves_takes_the_kept_answer_with_it() -> None:
    with hedging() as play:
        client, first, second = hedged(play)
        second.says(BUSY)
        client.leaves()
        play.turn()
        assert first.was_cut
        assert second.was_cut


def test_a_client_that_leaves_takes_both_with_it() -> None:
    with hedging() as play:
        client = play.client()
        client.says(GET)
        play.wait(SECONDS + 0.2)
        servers = [play.server(), play.server()]
        client.leaves()
        play.turn()
        assert all(server.was_cut for server in servers)
        assert play.pool.retrying == 0


def test_one_try_has_its_own_deadline_and_another_server_a_try() -> None:
    with playing(2, pool={"retry": RetryPolicy(1, per_try=1.0)}) as play:
        client = play.client()
        client.says(GET)
        slow = play.server()
        play.wait(1.2)
        assert slow.was_cut
        server = play.server()
        server.hears(GET)
        server.says(OK)
        client.hears(OK)
        assert sorted(server.failures for server in play.servers) == [0, 1]


def test_a_request_that_a_server_may_have_seen_is_not_repeated_though_late() -> None:
    with playing(2, pool={"retry": RetryPolicy(1, per_try=1.0)}) as play:
        play.wait(0.1)  # a record's time of 0 is none
        client = play.client()
        client.says(POST)
        play.wait(1.2)
        play.server()
        play.no_server()
        assert client.takes().startswith(b"HTTP/1.1 504 ")
        assert play.reasons == ["upstream.response.timeout"]


@pytest.mark.parametrize("request_", [GET, POST])
def test_a_server_that_cannot_be_reached_in_time_for_one_try_is_to_blame(request_: bytes) -> None:
    with playing(2, pool={"retry": RetryPolicy(1, per_try=1.0)}) as play:
        for endpoint in play.endpoints:
            endpoint.silent = True
        client = play.client()
        client.says(request_)
        [silent] = [endpoint for endpoint in play.endpoints if endpoint.dialed]
        [other] = [endpoint for endpoint in play.endpoints if not endpoint.dialed]
        other.silent = False
        play.wait(1.2)
        assert silent.given_up == 1
        server = play.server()
        server.hears(request_)
        server.says(OK)
        client.hears(OK)
        to_blame = play.servers[play.endpoints.index(silent)]
        assert [server.failures for server in play.servers if server is not to_blame] == [0]
        assert to_blame.failures == 1


def test_a_try_that_only_waited_for_its_turn_speaks_against_nobody() -> None:
    with playing(1, server={"connections": 1}, pool={"retry": RetryPolicy(1, per_try=1.0)}) as play:
        first, second = play.client(), play.client()
        first.says(GET)
        play.server().says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12")
        second.says(GET)
        play.wait(1.2)
        assert second.takes().startswith(b"HTTP/1.1 503 ")
        assert play.reasons == ["upstream.queue.timeout"]
        assert play.servers[0].failures == 0


def test_a_client_that_leaves_while_a_server_is_dialed_blames_nobody() -> None:
    with playing(1, pool={"retry": RetryPolicy(1, per_try=1.0)}) as play:
        play.endpoint.silent = True
        client = play.client()
        client.says(GET)
        client.leaves()
        assert play.endpoint.given_up == 1
        assert play.servers[0].failures == 0


def test_all_tries_together_have_a_deadline() -> None:
    with playing(5, pool={"retry": RetryPolicy(4, per_try=1.0, total=2.5)}) as play:
        client = play.client()
        client.says(GET)
        play.wait(2.8)
        assert client.takes().startswith(b"HTTP/1.1 504 ")
        assert play.record.attempts == 3
        assert play.pool.retrying == 0
        assert all(play.server().was_cut for _ in range(3))


def test_a_total_deadline_that_is_not_reached_changes_nothing() -> None:
    with playing(2, pool={"retry": RetryPolicy(1, total=2.5)}) as play:
        client = play.client()
        client.says(GET)
        server = play.server()
        server.says(OK)
        client.hears(OK)
        play.wait(5.0)
        assert play.reasons == [""]


def test_a_total_deadline_ends_the_wait_for_a_connection_as_well() -> None:
    with playing(1, pool={"retry": RetryPolicy(1, total=2.0)}) as play:
        play.endpoint.silent = True
        client = play.client()
        client.says(GET)
        play.wait(2.2)
        assert client.takes().startswith(b"HTTP/1.1 504 ")
        assert play.endpoint.given_up == 1
        assert play.in_flight == 0
        assert play.servers[0].failures == 1


@pytest.mark.parametrize("retry", [{}, {"per_try": 1.5}, {"hedge_after": 0.5}])
def test_whoever_is_asked_when_the_time_for_all_tries_is_over_has_failed(retry: dict[str, float]) -> None:
    with playing(2, pool={"retry": RetryPolicy(1, total=2.0, **retry)}) as play:
        client = play.client()
        client.says(GET)
        play.wait(2.3)
        assert client.takes().startswith(b"HTTP/1.1 504 ")
        asked = sum(endpoint.dialed for endpoint in play.endpoints)
        assert asked == (2 if retry else 1)
        assert sum(server.failures for server in play.servers) == asked


def test_a_client_that_leaves_blames_nobody_though_two_are_asked() -> None:
    with playing(2, pool={"retry": RetryPolicy(1, total=2.0, hedge_after=0.5)}) as play:
        client = play.client()
        client.says(GET)
        play.wait(1.0)
        client.leaves()
        play.turn()
        assert all(play.server().was_cut for _ in range(2))
        assert [server.failures for server in play.servers] == [0, 0]


def test_where_nobody_was_asked_in_the_time_for_all_tries_it_was_the_queue() -> None:
    with playing(1, server={"connections": 1}, pool={"retry": RetryPolicy(1, total=2.0), "queue_seconds": 5.0}) as play:
        play.pool.breaker = Breaker(BreakerPolicy(ratio=0.5, minimum=1))
        first, second = play.client(), play.client()
        first.says(GET)
        play.server().says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        second.says(GET)
        play.wait(2.3)
        assert second.takes().startswith(b"HTTP/1.1 503 ")
        assert play.reasons == ["upstream.queue.timeout"]
        assert play.pool.breaker.state is Circuit.CLOSED
