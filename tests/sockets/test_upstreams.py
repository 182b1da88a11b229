"""Upstreams that stay up, with real servers on loopback that die, drag and come back."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sockets.origins import Origin, asked
from tests.sockets.stage import eventually, logged
from tests.support.origin import OriginConnection, ScriptedOrigin
from tests.support.ports import LOOPBACK
from tests.support.proxy import RunningProxy
from tests.support.raw import Answer

SERVERS = 3

Run = Callable[..., RunningProxy]


@pytest.fixture
def origins() -> Iterator[list[Origin]]:
    servers = [Origin(f"s{number}") for number in range(SERVERS)]
    yield servers
    for server in servers:
        server.stop()


def serve(run_proxy: Run, origins: list[Origin], upstream: str, more: str = "") -> RunningProxy:
    urls = ", ".join(f"{{url: '{origin.url}', name: {origin.name}}}" for origin in origins)
    text = f"upstreams: {{api: {{servers: [{urls}], {upstream}}}}}\nroutes: [{{path: /, upstream: api}}]\n{more}"
    return run_proxy(text)


def test_servers_take_turns(run_proxy: Run, origins: list[Origin]) -> None:
    proxy = serve(run_proxy, origins, "balance: round_robin")
    assert asked(proxy, 30) == {"s0": 10, "s1": 10, "s2": 10}


def test_a_hash_keeps_a_client_with_its_server(run_proxy: Run, origins: list[Origin]) -> None:
    proxy = serve(run_proxy, origins, "balance: {hash: 'header:X-User'}")
    with proxy.connect() as client:
        by_user = {user: {client.get(b"/", b"X-User: %d" % user).body for _ in range(3)} for user in range(30)}
    assert all(len(names) == 1 for names in by_user.values())
    assert len(set.union(*by_user.values())) == SERVERS


def test_probes_take_a_server_out_and_bring_it_back(run_proxy: Run, origins: list[Origin]) -> None:
    proxy = serve(run_proxy, origins, "health: {path: /healthz, interval: 200ms, timeout: 150ms, rise: 1, fall: 2}")
    eventually(lambda: proxy.log.count("unknown -> up") == SERVERS)
    origins[1].health = 500
    eventually(lambda: "server s1 failing -> down: status 500" in proxy.log)
    assert asked(proxy, 20) == {"s0": 10, "s2": 10}
    origins[1].health = 200
    eventually(lambda: "-> up: status 200" in proxy.log.partition("-> down")[2])
    assert asked(proxy, 30)["s1"] == 10


def test_a_server_that_dies_fails_no_request_that_may_be_repeated(run_proxy: Run, origins: list[Origin]) -> None:
    proxy = serve(run_proxy, origins, "ejection: {failures: 2, first: 1s}")
    assert len(asked(proxy, 9)) == SERVERS
    origins[0].stop()
    names = asked(proxy, 40)
    assert sum(names.values()) == 40
    assert "s0" not in names
    assert "server s0 in -> ejected: 2 failures in a row" in proxy.log
    assert any(line["attempts"] == 2 for line in proxy.access_log())
    origins[0].start()
    eventually(lambda: "server s0 ejected -> in" in proxy.log)
    assert asked(proxy, 30)["s0"] == 10


def test_a_backup_waits_for_its_time(run_proxy: Run, origins: list[Origin]) -> None:
    first, second = origins[:2]
    proxy = run_proxy(
        f"upstreams: {{api: {{servers: ['{first.url}', {{url: '{second.url}', backup: true}}], "
        "health: {path: /healthz, interval: 200ms, timeout: 150ms, rise: 1, fall: 1}}}\n"
        "routes: [{upstream: api}]\n"
    )
    eventually(lambda: proxy.log.count("unknown -> up") == 2)
    assert asked(proxy, 10) == {"s0": 10}
    first.health = 503
    eventually(lambda: "-> down" in proxy.log)
    assert asked(proxy, 10) == {"s1": 10}


def test_a_status_that_counts_as_failure_goes_to_another_server(run_proxy: Run, origins: list[Origin]) -> None:
    proxy = serve(run_proxy, origins, "retries: {count: 2, statuses: [503]}, ejection: false")
    origins[0].status = 503
    assert "s0" not in asked(proxy, 30)
    origins[1].status = origins[2].status = 503
    with proxy.connect() as client:
        assert client.get(b"/").status == 503
        before = sum(len(origin.seen) for origin in origins)
        assert client.request(b"POST", b"/", body=b"x").status == 503
        assert sum(len(origin.seen) for origin in origins) == before + 1, "POST is not repeated"


def test_a_cookie_keeps_a_client_and_its_server_does_not_see_it(run_proxy: Run, origins: list[Origin]) -> None:
    sticky = "sticky: {cookie: srv, key: '${KEY:-0123456789abcdef0123}'}"
    proxy = serve(run_proxy, origins, sticky)
    with proxy.connect() as client:
        first = client.get(b"/")
        crumb, _, attributes = (first.field(b"Set-Cookie") or b"").partition(b"; ")
        assert crumb.startswith(b"srv=")
        assert b"HttpOnly" in attributes
        assert b"Secure" not in attributes, "this client came over http"
        for _ in range(8):
            answer = client.get(b"/", b"Cookie: a=b; " + crumb)
            assert answer.body == first.body
            assert answer.field(b"Set-Cookie") is None
    home = next(origin for origin in origins if origin.name.encode() == first.body)
    assert home.cookies[1:] == ["a=b"] * 8
    other = serve(run_proxy, origins, sticky)
    with other.connect() as client:
        assert client.get(b"/", b"Cookie: " + crumb).body == first.body, "it survives a restart"
        home.stop()
        moved = client.get(b"/", b"Cookie: " + crumb)
        assert moved.status == 200
        assert moved.field(b"Set-Cookie") is not None


class Agent:
    """The agents of three servers, each on an address of its own: every connection is told a line."""

    def __init__(self) -> None:
        self.lines = {f"127.0.0.{number}": "100%" for number in (1, 2, 3)}
        self._listening = [socket.create_server((LOOPBACK, 0))]
        self.port = self._listening[0].getsockname()[1]
        self._listening += [socket.create_server((host, self.port)) for host in ("127.0.0.2", "127.0.0.3")]
        for listening in self._listening:
            threading.Thread(target=self._answer, args=[listening], daemon=True).start()

    def _answer(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection:
                    connection.sendall(self.lines[listening.getsockname()[0]].encode() + b"\n")

    def stop(self) -> None:
        for listening in self._listening:
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()


def test_agents_say_how_much_their_servers_do(run_proxy: Run) -> None:
    servers = [Origin(f"s{number}", f"127.0.0.{number + 1}") for number in range(3)]
    agent = Agent()
    try:
        proxy = serve(run_proxy, servers, f"agent: {{port: {agent.port}, interval: 200ms, timeout: 1s}}")
        assert set(asked(proxy, 30)) == {"s0", "s1", "s2"}
        agent.lines |= {"127.0.0.2": "drain #being deployed", "127.0.0.3": "down"}
        eventually(lambda: "being deployed" in proxy.log and "up -> down" in proxy.log)
        assert asked(proxy, 20) == {"s0": 20}
        agent.lines |= {"127.0.0.1": "50%", "127.0.0.2": "ready", "127.0.0.3": "up"}
        eventually(lambda: "drain -> ready" in proxy.log and "down -> up" in proxy.log)
        time.sleep(0.5)
        counts = asked(proxy, 50)
        assert counts["s0"] == pytest.approx(10, abs=1), counts
        assert counts["s1"] == pytest.approx(20, abs=1), counts
    finally:
        agent.stop()
        for server in servers:
            server.stop()


@pytest.mark.parametrize("way", ["learn", "route"])
def test_a_session_that_a_server_began_stays_with_it(run_proxy: Run, origins: list[Origin], way: str) -> None:
    proxy = serve(run_proxy, origins, f"sticky: {{{way}: sid}}")
    with proxy.connect() as client:
        for _ in range(SERVERS):
            first = client.get(b"/login")
            crumb = (first.field(b"Set-Cookie") or b"").partition(b";")[0]
            for _ in range(SERVERS + 1):
                answer = client.get(b"/", b"Cookie: a=b; " + crumb)
                assert (answer.body, answer.field(b"Set-Cookie")) == (first.body, None)
    assert all(origin.cookies[1].startswith("a=b; sid=") for origin in origins if origin.cookies[1]), "theirs, not ours"
    made_up = {client_body(proxy, b"Cookie: sid=made-up.nobody") for _ in range(SERVERS)}
    assert len(made_up) == SERVERS, "who makes one up takes turns"


def client_body(proxy: RunningProxy, field: bytes) -> bytes:
    with proxy.connect() as client:
        return client.get(b"/", field).body


def test_a_full_queue_is_a_503_that_says_when_to_come_again(run_proxy: Run, origins: list[Origin]) -> None:
    proxy = serve(run_proxy, origins[:1], "connections: 1, queue: {size: 1, wait: 300ms}")
    origins[0].delay = 1.0
    with proxy.connect() as working, proxy.connect() as waiting, proxy.connect() as refused:
        working.send(b"GET /working HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: origins[0].seen == ["/working"])
        waiting.send(b"GET /waiting HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.1)
        answer = refused.get(b"/refused")
        assert (answer.status, answer.field(b"Retry-After")) == (503, b"1")
        assert b"upstream.queue.full" in answer.body
        answer = waiting.read_answer()
        assert answer.status == 503
        assert b"upstream.queue.timeout" in answer.body
        assert working.read_answer().status == 200
    assert origins[0].seen == ["/working"]


def test_who_waits_gets_the_first_free_server(run_proxy: Run, origins: list[Origin]) -> None:
    proxy = serve(run_proxy, origins[:1], "connections: 1, queue: 10")
    origins[0].delay = 0.1
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(proxy.connect()) for _ in range(4)]
        for number, client in enumerate(clients):
            client.send(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
            time.sleep(0.02)
        assert [client.read_answer().status for client in clients] == [200] * 4
    assert origins[0].seen == ["/0", "/1", "/2", "/3"]


def test_a_server_that_came_back_starts_slowly(run_proxy: Run, origins: list[Origin]) -> None:
    health = "health: {path: /healthz, interval: 100ms, timeout: 80ms, rise: 1, fall: 1}, slow_start: 1h"
    proxy = serve(run_proxy, origins[:2], health)
    eventually(lambda: proxy.log.count("unknown -> up") == 2)
    origins[1].health = 500
    eventually(lambda: "server s1 failing -> down" in proxy.log or "server s1 up -> down" in proxy.log)
    origins[1].health = 200
    eventually(lambda: "server s1 down -> up" in proxy.log or "server s1 rising -> up" in proxy.log)
    names = asked(proxy, 66)
    assert 3 <= names["s1"] <= 10, "a tenth of its share, at first"


def test_a_second_server_overtakes_a_slow_one(run_proxy: Run, origins: list[Origin]) -> None:
    proxy = serve(run_proxy, origins[:2], "retries: {count: 1, hedge_after: 100ms}")
    origins[0].delay = 2.0
    began = time.monotonic()
    assert asked(proxy, 4) == {"s1": 4}
    assert time.monotonic() - began < 2.0


def test_one_try_has_its_time_and_all_of_them_have_theirs(run_proxy: Run, origins: list[Origin]) -> None:
    urls = ", ".join(f"'{origin.url}'" for origin in origins)
    same = f"servers: [{urls}], balance: first_available, ejection: false"
    proxy = run_proxy(
        "upstreams:\n"
        f"  each: {{{same}, retries: {{count: 2, per_try: 300ms}}}}\n"
        f"  all: {{{same}, retries: {{count: 2, per_try: 300ms, total: 500ms}}}}\n"
        "routes: [{path: /each, upstream: each}, {path: /all, upstream: all}]\n"
    )
    origins[0].delay = origins[1].delay = 5.0
    took, answer = timed(proxy, b"/each")
    assert (answer.status, answer.body) == (200, b"s2")
    assert 0.55 < took < 2.0
    assert logged(proxy, "/each")["attempts"] == 3
    origins[2].delay = 5.0
    took, answer = timed(proxy, b"/all")
    assert answer.status == 504
    assert 0.45 < took < 2.0
    line = logged(proxy, "/all")
    assert line["detail"] == "no answer in 0.5 s for all tries"
    assert line["attempts"] == 2, "it ends in the middle of the second"


def timed(proxy: RunningProxy, target: bytes) -> tuple[float, Answer]:
    """How long an answer takes, and the answer."""
    with proxy.connect() as client:
        began = time.monotonic()
        answer = client.get(target)
        return time.monotonic() - began, answer


def test_a_server_says_how_long_it_keeps_connections(run_proxy: Run) -> None:
    keeps = {"/two": b"timeout=2", "/none": b"timeout=0, max=5"}

    def converse(connection: OriginConnection) -> None:
        while head := connection.read_head():
            said = keeps[head.split(b" ")[1].decode()]
            connection.send(b"HTTP/1.1 200 OK\r\nKeep-Alive: %b\r\nContent-Length: 2\r\n\r\nok" % said)

    with ScriptedOrigin(converse) as origin:
        proxy = run_proxy(f"upstreams: {{api: {{servers: '{origin.url}'}}}}\nroutes: [{{upstream: api}}]\n")
        with proxy.connect() as client:
            assert [client.get(b"/two").status for _ in range(2)] == [200, 200]
            time.sleep(1.0)
            assert client.get(b"/two").status == 200
            assert len(origin.connections) == 1
            time.sleep(2.0)
            assert client.get(b"/two").status == 200
            assert len(origin.connections) == 2, "closed before the server would do it"
            assert [client.get(b"/none").status for _ in range(3)] == [200, 200, 200]
            assert len(origin.connections) == 4, "one that was kept, and two that are not"


def test_a_split_has_its_shares_and_keeps_who_is_known(run_proxy: Run, origins: list[Origin]) -> None:
    stable, canary = origins[:2]
    proxy = run_proxy(
        f"upstreams: {{stable: {{servers: '{stable.url}'}}, canary: {{servers: '{canary.url}'}}}}\n"
        "routes:\n"
        "  - {path: /lots, split: [{upstream: stable, weight: 3}, {upstream: canary, weight: 1}]}\n"
        "  - {path: /, split: {by: 'header:X-User', branches: [stable, canary]}}\n"
    )
    with proxy.connect() as client:
        lots = Counter(client.get(b"/lots").body for _ in range(200))
        assert 25 <= lots[b"s1"] <= 80
        for user in range(10):
            assert len({client.get(b"/", b"X-User: %d" % user).body for _ in range(3)}) == 1


def test_a_circuit_opens_and_closes(run_proxy: Run, origins: list[Origin]) -> None:
    breaker = "breaker: {minimum: 5, ratio: 50%, window: 10s, open: 300ms, trials: 1}, ejection: false, retries: 0"
    proxy = serve(run_proxy, origins[:1], breaker)
    origins[0].status = 502
    with proxy.connect() as client:
        assert [client.get(b"/").status for _ in range(5)] == [502] * 5
        answer = client.get(b"/")
        assert answer.status == 503
        assert b"upstream.circuit.open" in answer.body
        assert answer.field(b"Retry-After") == b"1"
        origins[0].status = 200
        time.sleep(0.4)
        assert client.get(b"/").status == 200
    assert "circuit closed -> open" in proxy.log
    assert "circuit half open -> closed" in proxy.log


def test_a_server_on_a_unix_socket_is_probed_and_used(run_proxy: Run, tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def answer() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nunix")

    threading.Thread(target=answer, daemon=True).start()
    proxy = run_proxy(
        f"upstreams: {{api: {{servers: 'unix:{path}', health: {{path: /, interval: 1s, timeout: 500ms}}}}}}\n"
        "routes: [{upstream: api}]\n"
    )
    eventually(lambda: "unknown -> up: status 200" in proxy.log)
    assert asked(proxy, 3) == {"unix": 3}
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
