"""One server: what is counted, what is kept, and for how long."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import ClientFactory

from proxy.health.ejection import Ejection, EjectionPolicy
from proxy.health.threshold import Threshold
from proxy.limits import UPSTREAM_IDLE_SECONDS
from proxy.message import Deadlines
from proxy.upstream.factory import ProxyClientFactory
from proxy.upstream.pool import Pool
from tests.support.playbook import GET, OK, Play, playing


def test_it_is_a_client_factory_of_twisted() -> None:
    with playing() as play:
        [server] = play.servers
        assert isinstance(server, ClientFactory)


def test_an_exchange_counts_from_its_dial_to_the_last_byte_of_its_response() -> None:
    with playing() as play:
        [server] = play.servers
        play.endpoint.silent = True
        waiting = play.client()
        waiting.says(GET)
        assert server.in_flight == 1
        waiting.leaves()
        assert server.in_flight == 0
        play.endpoint.silent = False
        client = play.client()
        client.says(GET)
        end = play.server()
        assert server.in_flight == 1
        end.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        assert server.in_flight == 1
        end.says(b"k")
        assert server.in_flight == 0
        assert (server.state().requests, server.state().idle) == (2, 1)


def test_an_exchange_whose_dial_fails_is_not_counted_any_more() -> None:
    with playing() as play:
        play.endpoint.error = ConnectionRefusedError()
        play.client().says(GET)
        assert play.in_flight == 0
        assert play.servers[0].state().failures == 2, "it was tried once more"


def test_the_connection_that_was_used_last_is_used_next() -> None:
    with playing() as play:
        clients = [play.client() for _ in range(3)]
        for client in clients:
            client.says(GET)
        ends = [play.server() for _ in clients]
        for end in ends:
            end.hears(GET)
            end.says(OK)
        clients[0].says(GET)
        ends[2].hears(GET)
        ends[2].says(OK)
        clients[0].says(GET)
        ends[2].hears(GET)


def test_in_quiet_times_the_others_grow_old_and_close() -> None:
    with playing() as play:
        clients = [play.client() for _ in range(3)]
        for client in clients:
            client.says(GET)
        ends = [play.server() for _ in clients]
        for end in ends:
            end.says(OK)
        for _ in range(5):
            play.wait(UPSTREAM_IDLE_SECONDS / 2)
            clients[0].says(GET)
            ends[2].says(OK)
        assert [end.is_open for end in ends] == [False, False, True]


def test_a_server_that_says_how_long_it_keeps_connections_is_believed() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        end = play.server()
        end.says(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 2\r\n\r\nok")
        play.wait(2)
        assert end.closed is not None
        assert b"Keep-Alive" not in client.takes()


def test_a_server_that_keeps_no_connection_is_believed_as_well() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        end = play.server()
        end.says(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\nContent-Length: 2\r\n\r\nok")
        play.turn()
        assert end.closed is not None, "0 s are not for ever"
        assert play.in_flight == 0


def test_a_server_that_fails_again_and_again_is_remembered_for_it() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET * 4)
        server = play.server()
        for status in (b"502", b"503", b"504", b"200"):
            server.says(b"HTTP/1.1 %b X\r\nContent-Length: 0\r\n\r\n" % status)
        assert play.servers[0].failures == 3


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"


def watched(play: Play, failures: int = 3) -> Ejection:
    """Passive health for the first of two servers, the only one that is used."""
    ejection = play.servers[0].condition.ejection = Ejection(EjectionPolicy(failures))
    play.servers[1].place(1, 1)
    play.pool.replace(tuple(play.servers))
    return ejection


@pytest.mark.parametrize("how", ["closes", "stops", "babbles"])
def test_responses_that_break_off_in_their_bodies_are_failures(how: str) -> None:
    said = HALF if how != "babbles" else b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
    with playing(2, deadlines=Deadlines(response_idle=5.0)) as play:
        ejection = watched(play)
        for count in (1, 2, 3):
            client = play.client()
            client.says(GET)
            end = play.server()
            end.says(said)
            assert ejection.failures == 0, "so far all is well"
            if how == "closes":
                end.leaves()
            elif how == "stops":
                play.wait(5.5)
            else:
                end.says(b"oh no\r\n")
            assert client.was_cut
            assert play.servers[0].failures == count
        assert ejection.ejected


def test_one_whole_response_breaks_the_row() -> None:
    with playing(2) as play:
        ejection = watched(play)
        for said in (HALF, HALF, OK, HALF):
            play.client().says(GET)
            end = play.server()
            end.says(said)
            end.leaves()
        assert (play.servers[0].failures, ejection.failures) == (3, 1)


def test_a_server_is_not_to_blame_for_a_client_that_leaves_in_the_middle() -> None:
    with playing(2) as play:
        watched(play)
        client = play.client()
        client.says(GET)
        play.server().says(HALF)
        client.leaves()
        play.turn()
        assert play.servers[0].failures == 0


@pytest.mark.parametrize("server_leaves", [False, True])
def test_nor_for_one_that_does_not_read(server_leaves: bool) -> None:
    with playing(2, deadlines=Deadlines(write_stall=60.0)) as play:
        watched(play)
        client = play.client()
        client.stops_reading()
        client.says(GET)
        server = play.server()
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + b"x" * 300_000)
        if server_leaves:  # tired of it
            server.leaves()
            client.reads_again()
            play.wait(1.0)
            assert play.reasons == ["upstream.response.truncated"]
        else:
            play.wait(61.0)
            assert play.reasons == ["client.write.timeout"]
        assert play.servers[0].failures == 0


def test_nor_for_one_that_does_not_send_what_its_response_waits_for() -> None:
    with playing(2, deadlines=Deadlines(response_idle=5.0, body_idle=60.0)) as play:
        watched(play)
        client = play.client()
        client.says(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        play.server().says(HALF)
        play.wait(5.5)
        assert play.reasons == ["upstream.response.idle"]
        assert play.servers[0].failures == 0


def test_closing_it_closes_what_is_idle_now_and_the_rest_when_it_is_done() -> None:
    with playing() as play:
        one, two = play.client(), play.client()
        one.says(GET)
        two.says(GET)
        idle, busy = play.server(), play.server()
        idle.says(OK)
        [server] = play.servers
        server.close()
        play.turn()
        assert idle.closed is not None
        assert not server.available
        busy.says(OK)
        two.hears(OK)
        assert busy.closed is not None
        assert server.state().state == "draining"


def test_draining_it_does_the_same_until_it_is_put_back() -> None:
    with playing() as play:
        one, two = play.client(), play.client()
        one.says(GET)
        two.says(GET)
        idle, busy = play.server(), play.server()
        idle.says(OK)
        [server] = play.servers
        server.drain()
        play.turn()
        assert idle.closed is not None
        assert server.state().state == "draining"
        busy.says(OK)
        two.hears(OK)
        assert busy.closed is not None
        assert (server.state().state, server.available, server.has_room) == ("drained", False, False)
        server.drain(False)
        assert (server.state().state, server.available, server.has_room) == ("up", True, True)
        one.says(GET)
        play.server().says(OK)


def test_its_picture_says_what_is_behind_it() -> None:
    with playing() as play:
        [server] = play.servers
        client = play.client()
        client.says(GET)
        play.wait(2.0)
        play.server().says(OK)
        play.wait(60.0)
        assert server.state().latency_ms == 2000.0, "it took 2 s the last time, however long ago that was"
        assert server.state().probed_seconds is None
        server.condition.threshold = Threshold()
        server.probed(True, "status 200")
        play.wait(3.0)
        assert (server.state().why, server.state().probed_seconds) == ("status 200", 3.0)
        server.place(0, 0)
        assert (server.state().state, server.state().why) == ("draining", "weight 0")


def becomes(play: Play, **numbers: Any) -> None:
    """A reload that changes numbers of the only server."""
    [server] = play.servers
    made = ProxyClientFactory(server.plan._replace(**numbers), play.endpoint, play.alarm)
    play.pool.become(Pool("pool", [made], play.alarm, play.pool.plan))
    assert play.pool.servers == (server,)
    assert not made.has_room


def test_a_reload_that_changes_numbers_keeps_what_is_known_and_under_way() -> None:
    with playing(server={"connections": 2}) as play:
        clients = [play.client() for _ in range(4)]
        for client in clients:
            client.says(GET)
        [server], ends = play.servers, [play.server(), play.server()]
        server.failures = 7
        becomes(play, connections=3, weight=5)
        play.turn()
        ends.append(play.server())
        play.no_server()
        assert (server.in_flight, server.weight, server.failures) == (3, 5, 7)
        becomes(play, connections=1)
        for end in ends[:2]:
            end.says(OK)
            assert end.takes() == GET, "nobody gets what is too much already"
        ends[2].says(OK)
        assert ends[2].takes() == GET * 2
        assert server.in_flight == 1


def test_idle_connections_that_are_too_many_after_a_reload_are_closed() -> None:
    with playing() as play:
        clients = [play.client() for _ in range(3)]
        for client in clients:
            client.says(GET)
        ends = [play.server() for _ in clients]
        for end in ends:
            end.says(OK)
        becomes(play, idle_connections=1)
        play.turn()
        assert [end.is_open for end in ends] == [False, False, True]


def test_the_state_is_in_the_repr() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        assert repr(play.servers[0]).endswith(" 1 in flight, 0 idle>")
        play.server().says(OK)
        assert repr(play.servers[0]).endswith(" 0 in flight, 1 idle>")
