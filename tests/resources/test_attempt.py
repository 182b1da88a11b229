"""What comes of asking one server."""

from __future__ import annotations

from tests.support.playbook import GET, OK, playing


def test_an_attempt_names_the_server_that_answered() -> None:
    with playing(2) as play:
        client = play.client()
        client.says(GET)
        play.server().says(OK)
        client.hears(OK)
        [asked] = [server.name for server in play.servers if server.requests]
        assert play.record.server == asked
