"""Ports: opened all or none, handed over, closed; what cannot be had is said in words."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from zope.interface import implementer

from proxy.ports import Door, Ports, StartError, shown


class Port:
    """A port that knows what has become of it."""

    def __init__(self, factory: Any, address: Any = None) -> None:
        self.factory = factory
        self.closed = False
        self._address = address if address is not None else IPv6Address("TCP", "::1", 80)
        factory.doStart()

    def getHost(self) -> Any:
        return self._address

    def stopListening(self) -> None:
        self.closed = True


@implementer(IStreamServerEndpoint)
class Endpoint:
    def __init__(self, error: Exception | None = None, silent: bool = False) -> None:
        self.port: Port | None = None
        self.cancelled = False
        self._error = error
        self._silent = silent

    def listen(self, factory: Any) -> Any:
        if self._silent:
            return Deferred(self._cancel)
        if self._error is not None:
            return fail(self._error)
        self.port = Port(factory)
        return succeed(self.port)

    def _cancel(self, listening: Deferred[Any]) -> None:
        self.cancelled = True


class Quiet(Factory):
    noisy = False


def test_they_are_opened_once() -> None:
    ports, endpoint = Ports(MemoryReactor()), Endpoint()
    door = Door("tcp:80", endpoint, Quiet())
    ports.open([door])
    first = endpoint.port
    ports.open([door, Door("tcp:81", Endpoint(), Quiet())])
    assert endpoint.port is first
    assert "tcp:80" in ports
    assert len(list(ports)) == 2
    assert repr(ports) == "<Ports [::1]:80, [::1]:80>"


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        (
            Endpoint(CannotListenError("", 81, OSError(98, "Address already in use"))),
            "cannot listen on tcp:81 for admin: Address already in use",
        ),
        (Endpoint(CannotListenError("", 81, "nonsense")), "cannot listen on tcp:81 for admin: nonsense"),
        (Endpoint(OSError("no such device")), "cannot listen on tcp:81 for admin: no such device"),
        (Endpoint(silent=True), "cannot listen on tcp:81 for admin: the endpoint does not answer"),
    ],
)
def test_all_are_opened_or_none(endpoint: Endpoint, words: str) -> None:
    ports, first = Ports(MemoryReactor()), Endpoint()
    with pytest.raises(StartError) as failed:
        ports.open([Door("tcp:80", first, Quiet()), Door("tcp:81", endpoint, Quiet(), "admin")])
    assert str(failed.value) == words
    assert first.port is not None
    assert first.port.closed
    assert list(ports) == []
    assert repr(ports) == "<Ports none open>"


def test_an_endpoint_that_does_not_answer_is_given_up() -> None:
    endpoint = Endpoint(silent=True)
    with pytest.raises(StartError):
        Ports(MemoryReactor()).open([Door("tcp:80", endpoint, Quiet())])
    assert endpoint.cancelled


def test_a_port_is_handed_over_without_being_closed() -> None:
    ports, endpoint, before, after = Ports(MemoryReactor()), Endpoint(), Quiet(), Quiet()
    ports.open([Door("tcp:80", endpoint, before)])
    ports.hand_over("tcp:80", after)
    assert endpoint.port is not None
    assert endpoint.port.factory is after
    assert not endpoint.port.closed
    assert (before.numPorts, after.numPorts) == (0, 1)
    ports.hand_over("tcp:80", after)
    assert after.numPorts == 1


def test_the_demo_grows_and_shrinks() -> None:
    reactor = MemoryReactor()
    ports = Ports(reactor)
    ports.need_demo(2)
    ports.need_demo(1)
    assert [(port, interface) for port, _, _, interface in reactor.tcpServers] == [(0, "127.0.0.1")] * 2
    assert len(ports.demo_addresses) == 2
    ports.keep_demo(1)
    assert len(ports.demo_addresses) == 1
    ports.keep_demo(0)
    assert ports.demo_addresses == []


def test_a_demo_without_a_port_is_told_in_words() -> None:
    class Full(MemoryReactor):
        def listenTCP(self, *args: Any, **named: Any) -> Any:
            raise CannotListenError("", 0, OSError(24, "Too many open files"))

    with pytest.raises(StartError, match="the demo cannot listen: Too many open files"):
        Ports(Full()).need_demo(1)


def test_addresses_for_people() -> None:
    assert shown(Port(Quiet(), UNIXAddress("/run/x.sock"))) == "unix:/run/x.sock"
