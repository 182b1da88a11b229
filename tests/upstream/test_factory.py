"""One server: what is counted, what is kept, and for how long."""

from __future__ import annotations

from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import ClientFactory

from proxy.health.threshold import Threshold
from proxy.limits import UPSTREAM_IDLE_SECONDS
from tests.support.playbook import GET, OK, playing


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


def test_the_state_is_in_the_repr() -> None:
    with playing() as play:
        client = play.client()
        client.says(GET)
        assert repr(play.servers[0]).endswith(" 1 in flight, 0 idle>")
        play.server().says(OK)
        assert repr(play.servers[0]).endswith(" 0 in flight, 1 idle>")
