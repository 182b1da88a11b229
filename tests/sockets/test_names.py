"""Upstreams whose servers are names, with a name server on loopback that knows what a test tells it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.names import dns

from tests.sockets.origins import Origin, asked
from tests.sockets.stage import eventually
from tests.support.control import ask
from tests.support.ports import LOOPBACK, free_port
from tests.support.proxy import RunningProxy

Run = Callable[..., RunningProxy]


class NameServer:
    """A name server on loopback; what it knows may change.

    @ivar addresses: of every name that is asked for; None for a name server that is silent.
    @ivar services: of every service: priority, weight, port and host of each server.
    """

    def __init__(self, *addresses: str) -> None:
        self.addresses: tuple[str, ...] | None = addresses
        self.services: tuple[tuple[int, int, int, str], ...] = ()
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, peer = self._socket.recvfrom(4096)
                self.asked += 1
                if self.addresses is not None:
                    self._socket.sendto(self._answer(data), peer)

    def _answer(self, data: bytes) -> bytes:
        message: Any = dns.Message()
        message.fromStr(data)
        message.answer = 1
        [query] = message.queries
        if query.type == dns.A:
            message.answers = [
                dns.RRHeader(query.name.name, dns.A, ttl=0, payload=dns.Record_A(address, 0))
                for address in self.addresses or ()
            ]
        if query.type == dns.SRV:
            message.answers = [
                dns.RRHeader(query.name.name, dns.SRV, ttl=0, payload=dns.Record_SRV(*service, ttl=0))
                for service in self.services
            ]
        if not self.addresses:
            message.rCode = dns.ENAME
        return bytes(message.toStr())


@pytest.fixture
def named() -> Iterator[tuple[NameServer, list[Origin]]]:
    """Two servers on one port of two loopback addresses, and a name server that knows the first."""
    port = free_port()
    origins = [Origin("two", "127.0.0.2", port), Origin("three", "127.0.0.3", port)]
    server = NameServer("127.0.0.2")
    yield server, origins
    server.close()
    for origin in origins:
        origin.stop()


def named_proxy(run_proxy: Run, server: NameServer, port: int, more: str = "") -> RunningProxy:
    return run_proxy(
        f"resolver: {{servers: '{LOOPBACK}:{server.port}', min_ttl: 300ms, max_ttl: 300ms, timeout: 1s}}\n"
        f"upstreams: {{api: {{servers: 'http://api.test:{port}'}}}}\n"
        f"routes: [{{upstream: api}}]\n{more}"
    )


def test_servers_come_and_go_with_their_name(run_proxy: Run, named: tuple[NameServer, list[Origin]]) -> None:
    server, origins = named
    proxy = named_proxy(run_proxy, server, origins[0].port)
    assert asked(proxy, 4) == {"two": 4}
    server.addresses = ("127.0.0.3", "127.0.0.2")
    eventually(lambda: "api.test@127.0.0.3" in proxy.log)
    assert asked(proxy, 10) == {"two": 5, "three": 5}
    server.addresses = ("127.0.0.3",)
    eventually(lambda: "is no longer behind api.test" in proxy.log)
    assert asked(proxy, 4) == {"three": 4}
    server.addresses = None
    eventually(lambda: "what is known holds" in proxy.log, 10.0)
    assert asked(proxy, 4) == {"three": 4}
    assert "DNSDatagramProtocol" not in proxy.log, "no line for each question"


def test_a_name_that_does_not_resolve_yet(
    run_proxy: Run, named: tuple[NameServer, list[Origin]], tmp_path: Path
) -> None:
    server, origins = named
    server.addresses = ()
    socket_path = tmp_path / "control.sock"
    proxy = named_proxy(run_proxy, server, origins[0].port, f"admin: unix:{socket_path}\n")
    with proxy.connect() as client:
        answer = client.get(b"/")
        assert answer.status == 503
        assert b"upstream.name.unresolved" in answer.body
        assert answer.field(b"Retry-After") is not None
        assert "asking again" in proxy.log
        [upstream] = ask(socket_path, "GET", "/status")[1]["upstreams"]
        assert (upstream["servers"], upstream["unresolved"]) == ([], "api.test has no address")
        server.addresses = ("127.0.0.2",)
        eventually(lambda: "api.test@127.0.0.2" in proxy.log)
        assert client.get(b"/").body == b"two"


def test_a_service_brings_ports_weights_and_priorities(run_proxy: Run) -> None:
    origins = [Origin(f"s{number}") for number in range(3)]
    server = NameServer(LOOPBACK)
    first, second, last = (origin.port for origin in origins)
    server.services = (20, 1, last, "c.test"), (10, 3, first, "a.test"), (10, 1, second, "b.test")
    try:
        proxy = run_proxy(
            f"resolver: {{servers: '{LOOPBACK}:{server.port}', min_ttl: 300ms, max_ttl: 300ms, timeout: 1s}}\n"
            "upstreams: {api: {servers: 'srv://_http._tcp.api.test'}}\n"
            "routes: [{upstream: api}]\n"
        )
        assert asked(proxy, 8) == {"s0": 6, "s1": 2}
        server.services = (20, 1, last, "c.test"), (10, 1, first, "a.test"), (10, 3, second, "b.test")
        eventually(lambda: asked(proxy, 8) == {"s0": 2, "s1": 6})
        server.services = ((20, 1, last, "c.test"),)
        eventually(lambda: proxy.log.count("is no longer behind _http._tcp.api.test") == 2)
        assert asked(proxy, 4) == {"s2": 4}
    finally:
        server.close()
        for origin in origins:
            origin.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_localhost_is_found_whichever_family_listens(run_proxy: Run, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"no {host} here")
    listener.close()
    if family == socket.AF_INET6:
        listener = socket.create_server((host, 0), family=family)
        port = listener.getsockname()[1]
        threading.Thread(target=answer_once, args=(listener,), daemon=True).start()
    else:
        port = Origin("four").port
    proxy = run_proxy(f"upstreams: {{api: {{servers: 'http://localhost:{port}'}}}}\nroutes: [{{upstream: api}}]\n")
    began = time.monotonic()
    assert asked(proxy, 1) == {"four" if family == socket.AF_INET else "six": 1}
    assert time.monotonic() - began < 2.5, "the other family is tried after a quarter of a second, not after five"


def answer_once(listener: socket.socket) -> None:
    with listener:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nsix")
