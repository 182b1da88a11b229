"""The picture of all pools: values, of which two that are alike are equal."""

from __future__ import annotations

from proxy.upstream.state import PoolState, ServerState
from tests.support.playbook import GET, OK, playing

SERVER = ServerState("s1", "198.51.100.1:9001", "up", "", 1, 0, 0, 0, 0.0, 0, 0, None)


def test_pictures_are_compared_by_what_they_show() -> None:
    assert PoolState("api", (SERVER,), 0, 0, "", "") == PoolState("api", (SERVER,), 0, 0, "", "")
    assert PoolState("api", (SERVER,), 0, 0, "", "") != PoolState("api", (SERVER._replace(state="down"),), 0, 0, "", "")


def test_a_picture_does_not_change_when_the_pool_does() -> None:
    with playing() as play:
        before = play.pool.state()
        client = play.client()
        client.says(GET)
        play.server().says(OK)
        assert before.servers[0].requests == 0
        assert play.pool.state().servers[0].requests == 1
        assert before.servers[0].address == SERVER.address
