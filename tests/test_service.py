"""Stories of the service: it starts, drains and stops; what it cannot have it says in words."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock

from proxy.accept import Examined, examine
from proxy.limits import LINGER_SECONDS
from proxy.ports import StartError
from proxy.service import ProxyService, State
from tests.support.ends import End
from tests.support.playbook import GET

SLOW = "listen: ['tcp:8080', 'tcp:8081']\naccess_log: false\nroutes: [{path: /, upstream: 'http://10.0.0.1:9001'}]\n"
DEMO = "listen: ['tcp:8080']\naccess_log: false\ndemo: 2\nroutes: [{path: /, upstream: 'demo:1'}]\n"


class Street(MemoryReactorClock):
    """A reactor whose ports note when they are closed, and of which one may be taken."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = -1
        self.closed: list[int] = []

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        if port == self.taken:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))
        listening: Any = super().listenTCP(port, factory, backlog, interface)
        listening.stopListening = lambda: self.closed.append(port)
        return listening

    def visit(self, port: int = 8080) -> End:
        """A client of `port`."""
        factory: Any
        [factory] = [factory for number, factory, _, _ in self.tcpServers if number == port]
        end = End(self, IPv4Address("TCP", "192.0.2.7", 50000))
        end.joins(factory.buildProtocol(None))
        return end


@pytest.fixture(autouse=True)
def hangup() -> Iterator[None]:
    """The service listens to SIGHUP; the tests' process should not go on doing so."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def made(tmp_path: Path, text: str = SLOW) -> tuple[Street, ProxyService]:
    path = tmp_path / "site.yaml"
    path.write_text(text)

    def look() -> Examined:
        return examine(str(path), {})

    street = Street()
    return street, ProxyService(look(), street, look, drain_seconds=30)


def started(tmp_path: Path, text: str = SLOW) -> tuple[Street, ProxyService]:
    street, service = made(tmp_path, text)
    service.privilegedStartService()
    service.startService()
    assert service.house is not None
    service.house.alarm.now = street.seconds
    return street, service


def stopping(service: ProxyService) -> list[object]:
    """Stop; tells when it has."""
    told: list[object] = []
    service.stopService().addCallback(told.append)
    return told


def test_it_listens_where_it_is_told_before_privileges_are_dropped(tmp_path: Path) -> None:
    street, service = made(tmp_path)
    assert repr(service).startswith("<ProxyService created ")
    service.privilegedStartService()
    assert [port for port, *_ in street.tcpServers] == [8080, 8081]
    service.startService()
    assert service.running
    assert repr(service).startswith("<ProxyService serving ")
    stopping(service)


def test_a_port_that_is_taken_is_told_in_words_and_the_others_are_given_back(tmp_path: Path) -> None:
    street, service = made(tmp_path)
    street.taken = 8081
    with pytest.raises(StartError, match="cannot listen on tcp:8081: Address already in use"):
        service.privilegedStartService()
    assert street.closed == [8080]


def test_demo_servers_listen_on_loopback_only(tmp_path: Path) -> None:
    street, service = started(tmp_path, DEMO)
    assert [interface for port, _, _, interface in street.tcpServers if port == 0] == ["127.0.0.1"] * 2
    assert stopping(service) == [None]
    assert sorted(street.closed) == [0, 0, 8080]


def test_with_nobody_there_it_stops_at_once(tmp_path: Path) -> None:
    street, service = started(tmp_path)
    assert stopping(service) == [None]
    assert service.state is State.STOPPED
    assert sorted(street.closed) == [8080, 8081]


def test_idle_clients_are_sent_away_and_exchanges_may_end(tmp_path: Path) -> None:
    street, service = started(tmp_path)
    idle, busy = street.visit(), street.visit(8081)
    busy.says(GET)
    [(_, _, factory, _, _)] = street.tcpClients
    server = End(street, IPv4Address("TCP", "10.0.0.1", 9001))
    server.joins(factory.buildProtocol(server.transport.getPeer()))
    told = stopping(service)
    street.pump([0.1] * int(LINGER_SECONDS * 10 + 5))
    assert idle.closed is not None
    assert told == []
    assert repr(service).startswith("<ProxyService draining ")
    server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert b"Connection: close\r\n" in busy.takes()
    assert told == [None]
    assert service.state is State.STOPPED
    street.advance(0)
    assert server.closed is not None


def test_whoever_does_not_end_in_time_is_cut(tmp_path: Path) -> None:
    street, service = started(tmp_path)
    client = street.visit()
    client.says(GET)
    told = stopping(service)
    street.pump([0.1] * 299)
    assert told == []
    street.pump([0.1] * 5)
    assert told == [None]
    assert client.was_cut


def test_it_may_be_stopped_before_it_was_started(tmp_path: Path) -> None:
    _, service = made(tmp_path)
    assert stopping(service) == [None]
