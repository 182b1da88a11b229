"""The tutorial runs: every step is started as its readers start it, and asked over real sockets."""

from __future__ import annotations

import ast
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"
STEPS = sorted(path.stem for path in TUTORIAL.glob("step[0-9][0-9]_*"))
# A generous bound for a machine that is busy with other things; nothing here takes a tenth of it.
PATIENCE_SECONDS = 20.0

Truth = TypeVar("Truth")


# ------------------------------------------------------------------------------------------ upstreams


class Answering(BaseHTTPRequestHandler):
    """Tells what it received, and over which connection."""

    protocol_version = "HTTP/1.1"
    server: Upstream

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        body = self._read_body()
        self.server.seen.append(self.path)
        if self.path == "/slow":
            self.server.released.wait(PATIENCE_SECONDS)
        if self.path == "/cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
            self.close_connection = True
        elif self.path == "/garbage":
            self.wfile.write(b"220 smtp.example ESMTP\r\n\r\n")
            self.close_connection = True
        elif self.path == "/until-close":
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\nall of it")
            self.close_connection = True
        elif self.path == "/chunked":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        else:
            self._tell(body)
        self.close_connection = self.close_connection or self.server.forgetful

    do_POST = do_HEAD = do_GET

    def _read_body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _tell(self, body: bytes) -> None:
        told = {
            "server": self.server.name,
            "connection": self.client_address[1],
            "path": self.path,
            "fields": [[name.lower(), value] for name, value in self.headers.items()],
            "body": body.decode("latin-1"),
        }
        answer = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)


class Upstream(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.name = name
        self.seen: list[str] = []
        self.released = threading.Event()
        self.forgetful = False  # hang up after each answer without having said so

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A proxy that hangs up on purpose is no news."""


@contextmanager
def running_upstream(name: str) -> Iterator[Upstream]:
    with Upstream(name) as upstream:
        thread = threading.Thread(target=upstream.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield upstream
        finally:
            upstream.released.set()
            upstream.shutdown()
            thread.join(PATIENCE_SECONDS)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running_upstream("one") as one:
        yield one


@pytest.fixture
def other() -> Iterator[Upstream]:
    with running_upstream("two") as two:
        yield two


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address that refuses: bound, so that nobody else takes it, and not listening."""
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


# ----------------------------------------------------------------------------------------------- steps


class Running:
    """A step in its own process; `port` is where it listens."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.output = folder / "output.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, cwd=folder, env=environment
            )
        self.port = 0

    def wait_until_listening(self) -> None:
        def port() -> int:
            said = re.search(r"listening on http://127\.0\.0\.1:(\d+)/|starting on (\d+)", self.text())
            if said is None and self.process.poll() is not None:
                pytest.fail(self.text())
            return int(said[1] or said[2]) if said else 0

        self.port = eventually(port)

    def text(self) -> str:
        return self.output.read_text()

    def end(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)


def eventually(question: Callable[[], Truth]) -> Truth:
    end = time.monotonic() + PATIENCE_SECONDS
    while not (answer := question()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return answer


class Start:
    """start("step04_story", "127.0.0.1:9000") runs a step; all that it started ends with the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.started: list[Running] = []

    def __call__(self, step: str, *arguments: str) -> Running:
        """A step that is told its port first: a free one."""
        return self.script(step, "0", *arguments)

    def script(self, step: str, *arguments: str) -> Running:
        return self.command([sys.executable, str(TUTORIAL / f"{step}.py"), *arguments], dict(os.environ))

    def command(self, command: list[str], environment: dict[str, str]) -> Running:
        folder = self._folder / f"run{len(self.started)}"
        folder.mkdir()
        running = Running(command, folder, environment)
        self.started.append(running)
        running.wait_until_listening()
        return running


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    start = Start(tmp_path)
    yield start
    for running in start.started:
        running.end()


class Client:
    """A client's connection."""

    def __init__(self, step: Running) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", step.port, timeout=PATIENCE_SECONDS)

    def ask(self, path: str = "/", method: str = "GET", **more: Any) -> http.client.HTTPResponse:
        self.connection.request(method, path, **more)
        return self.connection.getresponse()

    def told(self, path: str = "/", method: str = "GET", **more: Any) -> dict[str, Any]:
        response = self.ask(path, method, **more)
        body = response.read()
        assert response.status == 200, body
        told: dict[str, Any] = json.loads(body)
        return told

    def close(self) -> None:
        self.connection.close()


def told(step: Running, path: str = "/", method: str = "GET", **more: Any) -> dict[str, Any]:
    """One request on a connection of its own."""
    with closing(Client(step)) as client:
        return client.told(path, method, **more)


def outcome(step: Running, path: str = "/", method: str = "GET", **more: Any) -> tuple[int, str]:
    with closing(Client(step)) as client:
        response = client.ask(path, method, **more)
        return response.status, response.read().decode()


def raw(step: Running, request: bytes) -> bytes:
    """Everything that comes back until the proxy closes the connection."""
    with socket.create_connection(("127.0.0.1", step.port), PATIENCE_SECONDS) as client:
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(65536), b""))


def values(answer: dict[str, Any], name: str) -> list[str]:
    return [value for key, value in answer["fields"] if key == name]


HEADS_AND_LATER = ["step02_heads", "step03_deadline", "step04_story", "step05_pool", "step06_flow", "step07_servers"]


# --------------------------------------------------------------------------------------- 1: a splice


def test_step_1_carries_bytes_unchanged(start: Start, upstream: Upstream) -> None:
    answer = told(start("step01_splice", upstream.address), "/hello?x=1", "POST", body=b"abc")
    assert (answer["path"], answer["body"]) == ("/hello?x=1", "abc")
    assert values(answer, "via") == []


def test_step_1_hangs_up_when_nobody_answers(start: Start, nobody: str) -> None:
    step = start("step01_splice", nobody)
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        outcome(step)


# ---------------------------------------------------------------------------------- 2: heads, framing


def test_step_2_keeps_the_clients_connection_alive(start: Start, upstream: Upstream) -> None:
    with closing(Client(start("step02_heads", upstream.address))) as client:
        first = client.told("/first")
        socket_of_first = client.connection.sock
        second = client.told("/second")
        assert client.connection.sock is socket_of_first is not None
    assert first["connection"] != second["connection"], "the pool is an idea of a later step"


@pytest.mark.parametrize("step", HEADS_AND_LATER)
def test_heads_are_rewritten_for_the_next_hop(start: Start, upstream: Upstream, step: str) -> None:
    sent = {
        "Connection": "X-Secret, content-length",
        "X-Secret": "1",
        "TE": "trailers",
        "Proxy": "http://evil.example",
        "X-Forwarded-For": "6.6.6.6",
        "X-Kept": "yes",
    }
    answer = told(start(step, upstream.address), "/", "POST", body=b"four", headers=sent)
    assert [values(answer, name) for name in ("x-secret", "te", "proxy")] == [[], [], []]
    assert values(answer, "x-forwarded-for") == ["127.0.0.1"]
    assert values(answer, "x-kept") == ["yes"]
    assert values(answer, "via") == ["1.1 tutorial"]
    assert answer["body"] == "four"


@pytest.mark.parametrize("step", HEADS_AND_LATER)
def test_bodies_of_every_framing_pass(start: Start, upstream: Upstream, step: str) -> None:
    running = start(step, upstream.address)
    with closing(Client(running)) as client:
        assert client.told("/", "POST", body=b"x" * 200_000)["body"] == "x" * 200_000
        assert client.told("/", "POST", body=iter([b"a", b"bc"]), encode_chunked=True)["body"] == "abc"
        assert client.ask("/chunked").read() == b"abc"
        assert client.ask("/until-close").read() == b"all of it"
        head = client.ask("/", "HEAD")
        assert int(head.headers["Content-Length"]) > 0
        assert head.read() == b""
        assert client.told("/after")["path"] == "/after"


def test_step_2_serves_an_http_1_0_client_without_chunks(start: Start, upstream: Upstream) -> None:
    answer = raw(start("step02_heads", upstream.address), b"GET /chunked HTTP/1.0\r\nHost: a\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"abc"
    assert b"Transfer-Encoding" not in head
    assert b"Connection: close" in head


def test_step_2_answers_pipelined_requests_in_order(start: Start, upstream: Upstream) -> None:
    requests = b"GET /until-close HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /chunked HTTP/1.0\r\nHost: a\r\n\r\n"
    answer = raw(start("step02_heads", upstream.address), b"".join(requests))
    assert answer.index(b"all of it") < answer.index(b"abc")


REFUSED = {
    "length and chunked": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "signed length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
    "chunked in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked by another name": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "space before the colon": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "folded field": b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\nContent-Length: 5\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "absolute form": b"GET http://other/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
    "endless head": b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000,
}


@pytest.mark.parametrize("step", ["step02_heads", "step06_flow"])
def test_what_could_be_read_in_two_ways_is_refused(start: Start, upstream: Upstream, step: str) -> None:
    running = start(step, upstream.address)
    for story, request in REFUSED.items():
        assert re.match(rb"HTTP/1\.1 (400|431|501) ", raw(running, request)), story
    assert upstream.seen == []


@pytest.mark.parametrize("step", HEADS_AND_LATER)
def test_a_cut_response_is_never_ended_cleanly(start: Start, upstream: Upstream, step: str) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        outcome(start(step, upstream.address), "/cut")


@pytest.mark.parametrize("step", HEADS_AND_LATER)
def test_what_a_server_does_wrong_is_a_502(start: Start, upstream: Upstream, nobody: str, step: str) -> None:
    assert outcome(start(step, upstream.address), "/garbage")[0] == 502
    assert outcome(start(step, nobody))[0] == 502


# ------------------------------------------------------------------------------------------ 3: time


@pytest.mark.parametrize("step", ["step03_deadline", "step04_story", "step05_pool", "step06_flow"])
def test_every_wait_ends(start: Start, upstream: Upstream, step: str) -> None:
    running = start(step, upstream.address, "0.3")
    assert outcome(running, "/slow")[0] == 504
    assert raw(running, b"GET / HTT").startswith(b"HTTP/1.1 408 ")
    assert raw(running, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel").startswith(b"HTTP/1.1 408 ")
    assert raw(running, b"") == b""  # idle: closed without a word


@pytest.mark.parametrize("step", ["step03_deadline", "step04_story", "step05_pool", "step06_flow"])
def test_a_connection_that_is_never_made_is_given_up(start: Start, step: str) -> None:
    with closing(socket.socket()) as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(full.getsockname())  # more than the backlog: the kernel ignores the next one
        running = start(step, f"127.0.0.1:{full.getsockname()[1]}", "0.3")
        assert outcome(running)[0] in (502, 504)
        for client in waiting:
            client.close()


# ----------------------------------------------------------------------------------------- 4: a story


def test_step_4_names_what_went_wrong(start: Start, upstream: Upstream, nobody: str) -> None:
    running = start("step04_story", upstream.address, "0.3")
    assert outcome(running, "/garbage") == (502, "502 upstream.response.invalid\n")
    assert outcome(running, "/slow") == (504, "504 upstream.response.timeout\n")
    assert outcome(start("step04_story", nobody)) == (502, "502 upstream.connect.failed\n")


def test_step_4_a_fault_in_the_middle_of_a_body_ends_the_story(start: Start, upstream: Upstream) -> None:
    running = start("step04_story", upstream.address)
    with socket.create_connection(("127.0.0.1", running.port), PATIENCE_SECONDS) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        time.sleep(0.2)
        client.sendall(b"so much for chunks\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"400 client.request.invalid\n")
    assert upstream.seen == []


# ------------------------------------------------------------------------------------------ 5: a pool


def test_step_5_uses_the_servers_connection_again(start: Start, upstream: Upstream) -> None:
    running = start("step05_pool", upstream.address)
    connections = {told(running, f"/{number}")["connection"] for number in range(5)}
    assert len(connections) == 1


def test_step_5_asks_again_when_a_pooled_connection_was_dead(start: Start, upstream: Upstream) -> None:
    upstream.forgetful = True
    running = start("step05_pool", upstream.address)
    connections = [told(running, f"/{number}")["connection"] for number in range(20)]
    assert len(set(connections)) == 20


def test_step_5_never_reuses_a_connection_with_bytes_left_over(start: Start) -> None:
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    accepted: list[socket.socket] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                accepted.append(connection)
                connection.recv(65536)
                connection.sendall(good + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        running = start("step05_pool", f"127.0.0.1:{listener.getsockname()[1]}")
        assert [outcome(running), outcome(running)] == [(200, "hi"), (200, "hi")]
        thread.join(PATIENCE_SECONDS)
    assert len(accepted) == 2
    for connection in accepted:
        connection.close()


# ------------------------------------------------------------------------------------ 6: back-pressure

# Far more than the kernel keeps for two loopback connections, little enough to send in a moment.
MUCH_BYTES = 48 * 1024 * 1024
PIECE = b"x" * 65536


def send_much(connection: socket.socket, sent: list[int]) -> None:
    for _ in range(MUCH_BYTES // len(PIECE)):
        connection.sendall(PIECE)
        sent[0] += len(PIECE)


def count_until_standstill(sent: list[int]) -> int:
    """How many bytes were taken by the time that no more were taken for half a second."""
    last = -1
    while sent[0] != last:
        last = sent[0]
        time.sleep(0.5)
    return last


@pytest.mark.parametrize(("step", "paused"), [("step05_pool", False), ("step06_flow", True)])
def test_step_6_a_slow_client_pauses_the_server(start: Start, step: str, paused: bool) -> None:
    sent = [0]
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MUCH_BYTES)
                send_much(connection, sent)

        threading.Thread(target=serve, daemon=True).start()
        running = start(step, f"127.0.0.1:{listener.getsockname()[1]}")
        with closing(Client(running)) as client:
            response = client.ask()
            assert (count_until_standstill(sent) < MUCH_BYTES) == paused
            assert len(response.read()) == MUCH_BYTES


@pytest.mark.parametrize(("step", "paused"), [("step05_pool", False), ("step06_flow", True)])
def test_step_6_a_slow_server_pauses_the_client(start: Start, step: str, paused: bool) -> None:
    sent = [0]
    go_on = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            go_on.wait(PATIENCE_SECONDS)
            with connection, connection.makefile("rb") as stream:
                while stream.readline() != b"\r\n":
                    pass
                size = len(stream.read(MUCH_BYTES))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%d" % size)

        threading.Thread(target=serve, daemon=True).start()
        running = start(step, f"127.0.0.1:{listener.getsockname()[1]}")
        with socket.create_connection(("127.0.0.1", running.port), PATIENCE_SECONDS) as client:
            client.sendall(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % MUCH_BYTES)
            sender = threading.Thread(target=send_much, args=(client, sent), daemon=True)
            sender.start()
            assert (count_until_standstill(sent) < MUCH_BYTES) == paused
            go_on.set()
            sender.join(PATIENCE_SECONDS)
            assert client.recv(65536).endswith(b"%d" % MUCH_BYTES)


# ----------------------------------------------------------------------------------- 7: several servers


def test_step_7_takes_turns(start: Start, upstream: Upstream, other: Upstream) -> None:
    running = start("step07_servers", upstream.address, other.address)
    assert [told(running)["server"] for _ in range(4)] == ["one", "two", "one", "two"]


def test_step_7_passes_over_a_server_that_refuses(start: Start, upstream: Upstream, nobody: str) -> None:
    running = start("step07_servers", nobody, upstream.address)
    assert [told(running, "/", "POST", body=b"abc")["body"] for _ in range(4)] == ["abc"] * 4


# ------------------------------------------------------------------------------------------- 8: a tree


def test_step_8_mounts_upstreams_in_a_tree(start: Start, upstream: Upstream, other: Upstream) -> None:
    running = start("step08_tree", f"shop={upstream.address}", f"blog={other.address}")
    assert told(running, "/shop/cart?x=%2F")["path"] == "/shop/cart?x=%2F"
    assert told(running, "/blog")["server"] == "two"
    assert outcome(running, "/")[1].startswith("Mounted here: shop=")
    assert outcome(running, "/shopping") == (404, "404 route.none\n")


@pytest.mark.parametrize("step", ["step08_tree", "step09_router"])
def test_paths_that_two_programs_resolve_differently_are_refused(start: Start, upstream: Upstream, step: str) -> None:
    running = start(step, f"shop={upstream.address}" if step == "step08_tree" else f"/shop={upstream.address}")
    for path in ("/shop/../x", "/shop/%2e%2E/x", "/shop/..;/x", "/shop//x", "/shop/a%2fb", "/shop/a\\b", "/shop/%zz"):
        assert outcome(running, path) == (400, "400 client.request.invalid\n"), path
    assert told(running, "/%73hop/x")["path"] == "/%73hop/x"
    assert upstream.seen == ["/%73hop/x"]


# ----------------------------------------------------------------------------------------- 9: a router


def test_step_9_the_most_specific_route_wins(start: Start, upstream: Upstream, other: Upstream) -> None:
    running = start("step09_router", f"/api={upstream.address}", f"/api/v2={other.address}", f"a.test/={other.address}")
    assert told(running, "/api")["server"] == "one"
    assert told(running, "/api/v1")["server"] == "one"
    assert told(running, "/api/v2/x")["server"] == "two"
    assert told(running, "/api/v1", headers={"Host": "A.test.:8080"})["server"] == "two"
    assert outcome(running, "/apix") == (404, "404 route.none\n")


# -------------------------------------------------------------------------------------------- 10: YAML

ROUTES = """\
listen: tcp:0:interface=127.0.0.1
upstreams: {{web: ["{one}"], api: ["{two}"]}}
routes:
  - {{upstream: web}}
  - {{path: /api, upstream: api}}
"""

FAULTY = """\
listen: tcp:0
timeout: soon
upstreams: {web: [localhost], api: []}
rutes: []
routes:
  - {path: api, upstream: web}
  - {upstraem: web}
  - {upstream: wob}
"""

FAULTS = """\
faulty.yaml:4:1: error: unknown key 'rutes'; did you mean 'routes'?
faulty.yaml:3:19: error: expected HOST:PORT
faulty.yaml:3:36: error: an upstream needs at least one server
faulty.yaml:6:12: error: a path begins with '/'
faulty.yaml:7:6: error: unknown key 'upstraem'; did you mean 'upstream'?
faulty.yaml:7:5: error: a route needs an 'upstream'
faulty.yaml:8:16: error: there is no upstream 'wob'
faulty.yaml:2:10: error: expected a number of seconds, found 'soon'
"""


@pytest.fixture
def routes(tmp_path: Path, upstream: Upstream, other: Upstream) -> str:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES.format(one=upstream.address, two=other.address))
    return str(path)


@pytest.mark.parametrize("step", ["step10_yaml", "step11_service"])
def test_step_10_serves_what_the_file_says(start: Start, routes: str, step: str) -> None:
    running = start.script(step, routes)
    assert [told(running, path)["server"] for path in ("/", "/api/x", "/apix")] == ["one", "two", "one"]


@pytest.mark.parametrize("step", ["step10_yaml", "step11_service"])
def test_step_10_tells_all_that_is_wrong_with_a_file(tmp_path: Path, step: str) -> None:
    (tmp_path / "faulty.yaml").write_text(FAULTY)
    command = [sys.executable, str(TUTORIAL / f"{step}.py"), "faulty.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", FAULTS)


def test_the_sample_file_is_valid() -> None:
    check = "import sys, step10_yaml; print(step10_yaml.read_config(sys.stdin.read(), 'routes.yaml').listen)"
    with (TUTORIAL / "routes.yaml").open() as sample:
        command = [sys.executable, "-c", check]
        done = subprocess.run(command, stdin=sample, cwd=TUTORIAL, capture_output=True, timeout=PATIENCE_SECONDS)
    assert done.stdout == b"tcp:8080:interface=127.0.0.1\n", done.stderr


# ----------------------------------------------------------------------------------------- 11: a service


def refuses(running: Running) -> bool:
    """Nobody listens any more. (Just before, the kernel may still accept, and then resets.)"""
    try:
        socket.create_connection(("127.0.0.1", running.port), PATIENCE_SECONDS).close()
    except (ConnectionRefusedError, ConnectionResetError):  # the second where it closed just then
        return True
    return False


def assert_stops_after_the_exchange_under_way(running: Running, upstream: Upstream) -> None:
    with closing(Client(running)) as client, closing(Client(running)) as idle:
        idle.told("/")
        client.connection.request("GET", "/slow")
        eventually(lambda: "/slow" in upstream.seen)
        running.process.send_signal(signal.SIGTERM)
        assert idle.connection.sock.recv(1) == b""
        eventually(lambda: refuses(running))
        assert running.process.poll() is None
        upstream.released.set()
        assert json.loads(client.connection.getresponse().read())["path"] == "/slow"
    # twistd dies of the signal that stopped it, once everything is stopped; a script returns.
    assert running.process.wait(PATIENCE_SECONDS) in (0, -signal.SIGTERM)


def test_step_11_stops_after_the_exchange_under_way(start: Start, upstream: Upstream, routes: str) -> None:
    assert_stops_after_the_exchange_under_way(start.script("step11_service", routes), upstream)


# ------------------------------------------------------------------------------------------ 12: a plugin


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, str]:
    """An environment in which twistd finds a copy of the plugin (it writes a cache beside it)."""
    copy = shutil.copytree(TUTORIAL / "step12_plugin", tmp_path / "plugin")
    return {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}


TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]


def test_step_12_is_a_command_of_twistd(start: Start, plugin: dict[str, str], routes: str, upstream: Upstream) -> None:
    running = start.command([*TWISTD, "-n", "--pidfile=", "evolved", "--config", routes], plugin)
    assert [told(running, path)["server"] for path in ("/", "/api/x")] == ["one", "two"]
    connections = {told(running, f"/{number}")["connection"] for number in range(3)}
    assert len(connections) == 1
    assert_stops_after_the_exchange_under_way(running, upstream)


def test_step_12_is_listed_and_reports_a_bad_file_in_one_line(tmp_path: Path, plugin: dict[str, str]) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*TWISTD, *arguments], cwd=tmp_path, env=plugin, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )

    assert "The reverse proxy of the tutorial." in run("--help").stdout
    (tmp_path / "faulty.yaml").write_text(FAULTY)
    done = run("-n", "--pidfile=", "evolved", "--config", "faulty.yaml")
    assert (done.returncode, done.stderr) == (1, FAULTS)


def definitions(path: Path) -> dict[str, str]:
    """Each class and function of a file, as text without positions and comments."""
    return {
        node.name: ast.dump(node)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_step_12_holds_what_the_steps_taught_and_nothing_else() -> None:
    taught = {name: text for step in STEPS[:-1] for name, text in definitions(TUTORIAL / f"{step}.py").items()}
    rooms = {path.stem: definitions(path) for path in (TUTORIAL / "step12_plugin" / "evolved").glob("*.py")}
    assert (TUTORIAL / "http1.py").read_text() == (TUTORIAL / "step12_plugin" / "evolved" / "wire.py").read_text()
    moved = {name: text for room in rooms.keys() - {"wire", "tap"} for name, text in rooms[room].items()}
    different = sorted(name for name, text in moved.items() if taught.get(name) != text)
    assert different == ["upstream_of"], "only the default timeout is gone: the configuration has it"
    assert sorted(rooms["tap"]) == ["Options", "makeService"]


# ------------------------------------------------------------------------------------------- the pages


def test_every_step_has_a_page_that_the_index_links() -> None:
    index = (TUTORIAL / "README.md").read_text()
    pages = sorted(path.name for path in TUTORIAL.glob("[0-9][0-9]-*.md"))
    assert [page[:2] for page in pages] == [step.removeprefix("step")[:2] for step in STEPS]
    assert [page for page in pages if f"]({page})" not in index] == []
    for page, step in zip(pages, STEPS, strict=True):
        assert step in (TUTORIAL / page).read_text(), f"{page} does not name {step}"


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in TUTORIAL.glob("*.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links {target}"


def test_code_on_the_pages_is_code_of_the_steps() -> None:
    """Every Python block on a page stands, line for line, in its step; `...` stands for what is left out."""
    for page, step in zip(sorted(TUTORIAL.glob("[0-9][0-9]-*.md")), STEPS, strict=True):
        sources = [TUTORIAL / f"{step}.py"] if (TUTORIAL / f"{step}.py").exists() else (TUTORIAL / step).rglob("*.py")
        lines = {line.strip() for path in [*sources, TUTORIAL / "http1.py"] for line in path.read_text().splitlines()}
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            unknown = [line for line in block.splitlines() if line.strip() not in lines | {"", "..."}]
            assert unknown == [], f"{page.name}"


@pytest.mark.slow
def test_the_tutorial_is_typed() -> None:
    options = ["--config-file", str(TUTORIAL / "mypy.ini")]
    for folder, files in ((TUTORIAL, "*.py"), (TUTORIAL / "step12_plugin", "evolved/*.py")):
        command = [sys.executable, "-m", "mypy", *options, *map(str, sorted(folder.glob(files)))]
        environment = {**os.environ, "MYPYPATH": str(folder)}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, done.stdout
