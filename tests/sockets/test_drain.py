"""A server is taken out and put back while the proxy runs; and the whole proxy comes to its end when it is asked to."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sockets.stage import eventually
from tests.sockets.test_reload import Living
from tests.support.control import ask
from tests.support.origin import OriginConnection, ScriptedOrigin
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ProcessPark, RunningProcess
from tests.support.proxy import console_script
from tests.support.raw import RawClient

Run = Callable[..., RunningProcess]


@pytest.fixture
def living(park: ProcessPark) -> Iterator[Living]:
    living = Living(park)
    yield living
    living.process.stop()
    living.process.assert_no_traceback()


@pytest.fixture
def command(park: ProcessPark, living: Living) -> Run:
    """`command("drain", "api")` runs a command about the proxy and waits for its end."""

    def run(name: str, *words: str) -> RunningProcess:
        done = park.start(console_script("reverseproxy"), name, *words, "--admin", f"unix:{living.socket}")
        done.wait_for_exit(20)
        return done

    return run


class Origins:
    """Two servers that say their number, after `go_on`."""

    def __init__(self, run_origin: Callable[..., ScriptedOrigin]) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.servers = [run_origin(self._converse(number)) for number in b"12"]
        self.urls = [server.url for server in self.servers]

    def _converse(self, number: int) -> Callable[[OriginConnection], None]:
        def converse(connection: OriginConnection) -> None:
            while connection.read_head():
                self.go_on.wait(20)
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%c" % number)

        return converse


@pytest.fixture
def origins(run_origin: Callable[..., ScriptedOrigin]) -> Origins:
    return Origins(run_origin)


TEXT = "access_log: false\nupstreams: {api: {servers: ['%s', {url: '%s', weight: %d}]%s}}\nroutes: [{upstream: api}]\n"


def states(living: Living) -> list[str]:
    return [server["state"] for server in living.status()["upstreams"][0]["servers"]]


def answers(living: Living) -> set[bytes]:
    return {living.get() for _ in range(8)}


def test_a_server_is_taken_out_and_put_back(living: Living, origins: Origins, command: Run) -> None:
    first, second = origins.urls
    living.write(TEXT % (first, second, 1, ""))
    living.start()
    assert answers(living) == {b"1", b"2"}
    origins.go_on.clear()
    with RawClient(living.port) as one, RawClient(living.port) as other:
        for client in (one, other):
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        in_flight = lambda: [one["in_flight"] for one in living.status()["upstreams"][0]["servers"]]  # noqa: E731
        eventually(lambda: in_flight() == [1, 1])
        drained = command("drain", "api", first)
        assert drained.wait_for_exit() == 0, drained.log
        assert "draining" in drained.log
        assert states(living) == ["draining", "up"]
        late = command("drain", "api", first, "--wait", "0.3")
        assert late.wait_for_exit() == 1
        assert "still under way after 0.3 s" in late.log
        origins.go_on.set()
        assert {one.read_answer().body, other.read_answer().body} == {b"1", b"2"}
    assert command("drain", "api", first, "--wait", "5").wait_for_exit() == 0
    assert states(living) == ["drained", "up"]
    assert living.status()["upstreams"][0]["servers"][0]["idle"] == 0
    assert answers(living) == {b"2"}
    assert "used -> drained: by hand" in living.log

    explained = ask(living.socket, "POST", "/explain", {"method": "GET", "url": "/"})[1]
    assert [(server["state"], server["why"]) for server in explained["upstreams"][0]["servers"]] == [
        ("drained", "by hand"),
        ("up", ""),
    ]
    assert command("undrain", "api", first).wait_for_exit() == 0
    assert states(living) == ["up", "up"]
    assert answers(living) == {b"1", b"2"}


def test_it_stays_out_over_reloads_until_it_is_removed(living: Living, origins: Origins, command: Run) -> None:
    first, second = origins.urls
    living.write(TEXT % (first, second, 1, ""))
    living.start()
    command("drain", "api", second.removeprefix("http://"))
    for weight, more in ((1, ", queue: {size: 7}"), (3, ""), (3, ", health: {tcp: true, interval: 200ms}")):
        living.write(TEXT % (first, second, weight, more))
        assert living.reload()[0] == 200
        eventually(lambda: states(living) == ["up", "drained"])
        assert answers(living) == {b"1"}
    living.write(f"access_log: false\nupstreams: {{api: {{servers: ['{first}']}}}}\nroutes: [{{upstream: api}}]\n")
    assert living.reload()[0] == 200
    living.write(TEXT % (first, second, 1, ""))
    assert living.reload()[0] == 200
    assert states(living) == ["up", "up"]
    assert answers(living) == {b"1", b"2"}


def test_clients_that_stick_move_on(living: Living, origins: Origins, command: Run) -> None:
    living.write(TEXT % (*origins.urls, 1, ", sticky: {cookie: s, key: 0123456789abcdef0123}"))
    living.start()
    with RawClient(living.port) as client:
        answer = client.get(b"/")
        cookie = dict(answer.fields)[b"Set-Cookie"].split(b";")[0]
        ask_again = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: %b\r\n\r\n" % cookie
        client.send(ask_again)
        assert client.read_answer().body == answer.body
        command("drain", "api", origins.urls[int(answer.body) - 1])
        client.send(ask_again)
        assert client.read_answer().body != answer.body


def test_of_an_upstream_that_is_all_out_nobody_waits(living: Living, origins: Origins, command: Run) -> None:
    living.write(TEXT % (*origins.urls, 1, ""))
    living.start()
    done = command("drain", "api", "--json")
    assert "api has no server left: its requests are answered with 503" in done.log
    said: dict[str, Any] = json.loads(done.log[: done.log.rindex("}") + 1])
    assert [server["state"] for server in said["servers"]] == ["drained", "drained"]
    with RawClient(living.port) as client:
        assert client.get(b"/").status == 503
    assert command("undrain", "api").wait_for_exit() == 0
    assert answers(living) == {b"1", b"2"}


def test_what_is_not_there_is_said(living: Living, origins: Origins, command: Run) -> None:
    living.write(TEXT % (*origins.urls, 1, ""))
    living.start()
    done = command("drain", "apo")
    assert done.wait_for_exit() == 1
    assert "there is no upstream `apo`; there are: api" in done.log
    done = command("drain", "api", "nobody")
    assert done.wait_for_exit() == 1
    assert f"no server `nobody`; it has: {', '.join(origins.urls)}" in done.log


def test_the_whole_proxy_comes_to_its_end(living: Living, origins: Origins, command: Run) -> None:
    living.write(TEXT % (*origins.urls, 1, ""))
    living.start()
    origins.go_on.clear()
    with RawClient(living.port) as client, RawClient(living.port) as idle:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: any(one["in_flight"] for one in living.status()["upstreams"][0]["servers"]))
        done = command("drain", "--wait", "0.5")
        assert done.wait_for_exit() == 1, "one exchange is not over"
        assert "2 connections are open" in done.log
        assert living.status()["state"] == "draining"
        assert ask(living.socket, "POST", "/drain")[0] == 409
        assert idle.is_closed()
        with pytest.raises(ConnectionRefusedError):
            RawClient(living.port)
        origins.go_on.set()
        assert client.read_answer().status == 200
    assert living.process.wait_for_exit(10) in (0, -signal.SIGTERM)
    assert not living.socket.exists()


def test_over_tcp_it_needs_the_token(park: ProcessPark, living: Living, origins: Origins) -> None:
    port = free_port()
    text = f"admin: {{listen: 'tcp:{port}:interface={LOOPBACK}', token: token-0123456789abcdef}}\n"
    living.config.write_text(text + f"listen: [{living.endpoint()}]\n" + TEXT % (*origins.urls, 1, ""))
    twistd = [console_script("twistd"), "-n", "--pidfile=", "reverseproxy", "--config", living.config]
    process = living._process = park.start(*twistd, cwd=living.folder)
    process.wait_for_text("for admin")
    words = ("drain", "api", "--admin", f"tcp:{LOOPBACK}:{port}")
    refused = park.start(console_script("reverseproxy"), *words)
    assert refused.wait_for_exit() == 1
    assert "changing needs the UNIX socket or `Authorization: Bearer TOKEN`" in refused.log
    assert answers(living) == {b"1", b"2"}
    done = park.start(console_script("reverseproxy"), *words[:2], "--config", living.config)
    assert done.wait_for_exit() == 0, done.log
    with RawClient(living.port) as client:
        assert client.get(b"/").status == 503
