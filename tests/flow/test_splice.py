"""Stories of tunnels: what happens after a 101, until both sides have had their say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from proxy.limits import WINDOW_BYTES
from proxy.message import Deadlines
from tests.support.ends import End
from tests.support.playbook import OK, Play, playing

ASK = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SENT = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
YES = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
PASSED_ON = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


@contextmanager
def tunnel(**asked: Any) -> Iterator[tuple[Play, End, End]]:
    """A play in which both sides have left HTTP."""
    with playing(upgrades=[b"websocket"], **asked) as play:
        client = play.client()
        client.says(ASK)
        server = play.server()
        server.hears(SENT)
        server.says(YES)
        client.hears(PASSED_ON)
        yield play, client, server


def test_bytes_go_both_ways_as_they_come() -> None:
    with tunnel() as (play, client, server):
        client.says(b"\x81\x05hello")
        server.hears(b"\x81\x05hello")
        server.says(b"\x00GET / HTTP/1.1\r\n\r\n")
        client.hears(b"\x00GET / HTTP/1.1\r\n\r\n")
        assert not play.records, "the exchange lasts as long as the tunnel"
        client.leaves()
        assert (play.record.status, play.record.bytes_in, play.record.bytes_out) == (101, 7, 19)


def test_what_either_side_said_too_early_is_not_lost() -> None:
    with playing(upgrades=[b"websocket"]) as play:
        client = play.client()
        client.says(ASK + b"client first")
        server = play.server()
        server.hears(SENT)
        server.says(YES + b"server first")
        client.hears(PASSED_ON + b"server first")
        server.hears(b"client first")


# The table of half-closes (proxy.wire.tunnel), as seen from outside: who has said all it has to say, and who still can.


def test_a_client_that_has_said_everything_still_hears_the_rest() -> None:
    with tunnel() as (play, client, server):
        client.says(b"question")
        client.half_closes()
        server.hears(b"question")
        assert server.eof
        assert server.closed is None
        server.says(b"answer")
        client.hears(b"answer")
        server.half_closes()
        assert client.was_closed
        assert server.was_closed
        assert play.record.reason == ""


def test_a_server_that_has_said_everything_still_hears_the_rest() -> None:
    with tunnel() as (play, client, server):
        server.half_closes()
        assert client.eof
        assert client.closed is None
        client.says(b"thanks")
        server.hears(b"thanks")
        client.half_closes()
        assert client.was_closed
        assert server.was_closed
        assert play.record.reason == ""


@pytest.mark.parametrize("who", ["client", "server"])
@pytest.mark.parametrize("before", ["nobody", "client", "server"])
def test_when_one_side_is_lost_the_other_is_closed(who: str, before: str) -> None:
    with tunnel() as (play, client, server):
        if before != "nobody":
            (client if before == "client" else server).half_closes()
        lost, other = (client, server) if who == "client" else (server, client)
        lost.leaves()
        assert other.was_closed
        assert len(play.records) == 1


def test_a_tunnel_in_which_nothing_moves_is_closed() -> None:
    with tunnel(deadlines=Deadlines(tunnel_idle=600)) as (play, client, server):
        for _ in range(3):
            play.wait(590)
            client.says(b"ping")
            play.wait(590)
            server.says(b"pong")
        play.wait(590)
        assert client.is_open
        play.wait(20)
        assert client.was_closed
        assert server.was_closed
        assert play.record.reason == "tunnel.idle"


@pytest.mark.parametrize("slow", ["client", "server"])
def test_a_side_that_does_not_read_holds_the_other_back(slow: str) -> None:
    with tunnel() as (_, client, server):
        reader, writer = (client, server) if slow == "client" else (server, client)
        reader.stops_reading()
        writer.says(b"x" * 20 * WINDOW_BYTES)
        assert not writer.is_read
        assert reader.pending <= 2 * WINDOW_BYTES
        reader.reads_again()
        reader.hears(b"x" * 20 * WINDOW_BYTES)
        assert writer.is_read


@pytest.mark.parametrize("slow", ["client", "server"])
def test_a_side_that_never_reads_its_last_bytes_is_cut_in_the_end(slow: str) -> None:
    with tunnel() as (play, client, server):
        reader, writer = (client, server) if slow == "client" else (server, client)
        reader.stops_reading()
        writer.says(b"x" * 1000)
        writer.leaves()
        assert reader.closed is None
        play.wait(61)
        assert reader.was_cut


def test_a_side_that_reads_slowly_gets_everything_before_the_end() -> None:
    with tunnel() as (_, client, server):
        client.stops_reading()
        server.says(b"x" * 20 * WINDOW_BYTES)
        server.half_closes()
        client.reads_again()
        client.hears(b"x" * 20 * WINDOW_BYTES)
        assert client.eof


def test_draining_leaves_a_tunnel_alone() -> None:
    with tunnel() as (play, client, server):
        play.site.drain(lambda: None)
        client.says(b"still here")
        server.hears(b"still here")


# --- what becomes of upgrades that are none ---------------------------------------------------------------------


def test_an_upgrade_that_the_route_does_not_allow_goes_nowhere() -> None:
    with playing() as play:
        client = play.client()
        client.says(ASK)
        assert client.takes().startswith(b"HTTP/1.1 403 ")
        assert play.record.reason == "client.request.upgrade"
        play.no_server()


def test_a_server_may_decline_and_the_connection_stays_http() -> None:
    with playing(upgrades=[b"websocket"]) as play:
        client = play.client()
        client.says(ASK)
        server = play.server()
        server.says(OK)
        client.hears(OK)
        assert server.is_open


@pytest.mark.parametrize(
    "answer",
    [
        YES.replace(b"websocket", b"h2c"),
        YES.replace(b"Connection: Upgrade\r\n", b""),
        YES.replace(b"Upgrade: websocket\r\n", b""),
    ],
)
def test_a_switch_to_something_else_is_a_bad_gateway(answer: bytes) -> None:
    with playing(upgrades=[b"websocket"]) as play:
        client = play.client()
        client.says(ASK)
        server = play.server()
        server.says(answer)
        assert client.takes().startswith(b"HTTP/1.1 502 ")
        assert server.was_cut
        assert play.record.reason == "upstream.response.upgrade"


def test_h2c_is_never_passed_on() -> None:
    with playing(upgrades=[b"*"]) as play:
        client = play.client()
        ask = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
        client.says(b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % ask)
        play.server().hears(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
