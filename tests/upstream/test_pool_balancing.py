"""Stories of pools whose servers are not all alike: drained ones, backups, panics, sticky clients, names that come."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.balance.catalog import tiers
from proxy.balance.sticky import StickyCookie, derive_key
from proxy.health.condition import Condition
from proxy.health.threshold import Health, Threshold
from proxy.message import Deadlines
from tests.support.ends import End
from tests.support.playbook import GET, OK, Play, playing


def ask(play: Play, extra: bytes = b"") -> End:
    client = play.client()
    client.says(GET.replace(b"\r\n\r\n", b"\r\n" + extra + b"\r\n") if extra else GET)
    return client


def dialed(play: Play) -> list[int]:
    return [endpoint.dialed for endpoint in play.endpoints]


def reshape(play: Play, **shapes: Any) -> None:
    """Give servers (s1=...) other weights or priorities, and let the balancers see it."""
    for name, changes in shapes.items():
        server = next(one for one in play.servers if one.name == name)
        for attribute, value in changes.items():
            setattr(server, attribute, value)
    play.pool.replace(tuple(play.servers))


def test_a_server_without_weight_gets_nothing_new() -> None:
    with playing(2) as play:
        reshape(play, s1={"weight": 0})
        for _ in range(4):
            ask(play)
        assert dialed(play) == [0, 4]


def test_room_at_a_drained_server_is_room_for_nobody() -> None:
    with playing(2, server={"connections": 1}) as play:
        first = ask(play)
        drained, other = play.servers if dialed(play) == [1, 0] else reversed(play.servers)
        second = ask(play)
        of_drained, of_other = play.server(), play.server()
        reshape(play, **{drained.name: {"weight": 0}})
        waiting, later = ask(play), ask(play)
        of_drained.says(OK)
        first.hears(OK)
        assert of_drained.takes() == GET, "its own request, and no other"
        of_other.says(OK)
        second.hears(OK)
        assert of_other.takes() == GET * 2
        of_other.says(OK)
        waiting.hears(OK)
        later.hears_nothing()
        assert other.in_flight == 1


def test_a_backup_is_used_while_nobody_else_can() -> None:
    with playing(2) as play:
        reshape(play, s2={"priority": 1})
        ask(play)
        assert dialed(play) == [1, 0]
        play.servers[0].condition.usable = False
        ask(play)
        assert dialed(play) == [1, 1]


def test_a_backup_helps_out_when_the_first_are_full() -> None:
    with playing(2, server={"connections": 1}) as play:
        reshape(play, s2={"priority": 1})
        ask(play)
        ask(play)
        assert dialed(play) == [1, 1]


@pytest.mark.parametrize("panic", [None, 0.0, 0.5])
def test_panic_is_for_those_who_ask_for_it(panic: float | None) -> None:
    with playing(2) as play:
        play.pool._choice = tiers(panic=panic)
        for server in play.servers:
            server.condition = Condition(Threshold(initial=Health.DOWN))
        client = ask(play)
        if panic is None:
            assert client.takes().startswith(b"HTTP/1.1 503 ")
            assert play.reasons == ["upstream.none_available"]
        else:
            play.server().says(OK)
            client.hears(OK)


@pytest.mark.parametrize("panic", [None, 0.0])
def test_in_a_panic_what_one_server_did_not_answer_goes_to_one_that_seems_bad(panic: float | None) -> None:
    with playing(2, deadlines=Deadlines(response_head=1.0)) as play:
        play.pool._choice = tiers(panic=panic)
        play.servers[1].condition = Condition(Threshold(initial=Health.DOWN))
        client = ask(play)
        play.wait(1.3)
        assert dialed(play) == [1, 0 if panic is None else 1]
        if panic is None:
            assert client.takes().startswith(b"HTTP/1.1 504 ")
        else:
            play.server()
            play.server().says(OK)
            client.hears(OK)


def test_in_a_panic_full_servers_are_waited_for() -> None:
    with playing(1, server={"connections": 1}) as play:
        play.pool._choice = tiers(panic=0.0)
        play.servers[0].condition = Condition(Threshold(initial=Health.DOWN))
        first, second = ask(play), ask(play)
        server = play.server()
        server.says(OK)
        first.hears(OK)
        second.hears_nothing()


def test_a_sticky_client_reaches_its_server_though_it_drains() -> None:
    with playing(3) as play:
        sticky = StickyCookie(derive_key(b"k"), "pool", b"srv", secure=False)
        play.pool.sticky = sticky
        play.pool.guarded = True
        reshape(play, s2={"weight": 0})
        token = sticky.token(play.servers[1])
        client = ask(play, b"Cookie: srv=%b; a=b\r\n" % token)
        assert dialed(play) == [0, 1, 0]
        server = play.server()
        heard = server.takes_raw()
        assert b"srv=" not in heard
        assert b"Cookie: a=b\r\n" in heard
        server.says(OK)
        client.hears(OK)


def test_who_does_not_stick_yet_is_told_where() -> None:
    with playing(2) as play:
        play.pool.sticky = StickyCookie(derive_key(b"k"), "pool", b"srv")
        play.pool.guarded = True
        client = ask(play, b"Cookie: srv=made-up\r\n")
        play.server().says(OK)
        heard = client.takes()
        assert b"\r\nSet-Cookie: srv=" in heard
        assert b"Secure" not in heard, "the client came over http"
