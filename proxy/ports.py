"""The ports that are open: opened one by one, each with its listener, and closed the same way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from proxy.assemble import Listener
from proxy.resources.demo import demo_site
from proxy.upstream.dial import Address

log = Logger()


class StartError(Exception):
    """Something that is needed to start, or to reload, cannot be had; and why, in words for people."""


class OpenPort(NamedTuple):
    """A listener, and the port it listens on."""

    listener: Listener
    port: IListeningPort


class Ports:
    """Every open port of the proxy, by the description of its endpoint."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._open: dict[str, OpenPort] = {}
        self._demo: list[IListeningPort] = []
        self.demo_addresses: list[Address] = []

    def __contains__(self, description: str) -> bool:
        return description in self._open

    def __iter__(self) -> Iterator[OpenPort]:
        return iter(tuple(self._open.values()))

    def listener(self, description: str) -> Listener:
        """The listener of an open port."""
        return self._open[description].listener

    def open(self, listeners: Sequence[Listener]) -> None:
        """Listen on all of these, or on none.

        @raise StartError: one of them cannot be had.
        """
        opened: list[OpenPort] = []
        try:
            for listener in listeners:
                what = f"cannot listen on {listener.description}"
                opened.append(OpenPort(listener, listening(listener.endpoint, listener.site, what)))
        except StartError:
            for one in opened:
                one.port.stopListening()
            raise
        for one in opened:
            self._open[one.listener.description] = one
            log.info("listening on {address}, {reactor}", address=shown(one.port), reactor=type(self._reactor).__name__)

    def close(self, description: str) -> Deferred[None] | None:
        """Accept nobody there any more. Who is connected stays, and is the site's affair."""
        return self._open.pop(description).port.stopListening()

    def need_demo(self, count: int) -> None:
        """Have at least `count` demo servers, on loopback."""
        for number in range(len(self._demo) + 1, count + 1):
            port = self._reactor.listenTCP(0, demo_site(number, self._reactor), interface="127.0.0.1")
            self._demo.append(port)
            self.demo_addresses.append(Address("127.0.0.1", port.getHost().port))

    def close_demo(self) -> None:
        """The demo is over."""
        for port in self._demo:
            port.stopListening()
        self._demo.clear()
        self.demo_addresses.clear()

    def __repr__(self) -> str:
        return f"<Ports {', '.join(shown(one.port) for one in self) or 'none open'}>"


def listening(endpoint: IStreamServerEndpoint, factory: Any, what: str) -> IListeningPort:
    """The port that `endpoint` listens on; every endpoint that is used here knows at once.

    @raise StartError: `what`, and why.
    """
    ports: list[IListeningPort] = []
    failures: list[Failure] = []
    endpoint.listen(factory).addCallbacks(ports.append, failures.append)
    if failures or not ports:
        raise StartError(f"{what}: {why_not(failures[0]) if failures else 'the endpoint does not answer'}")
    return ports[0]


def why_not(failure: Failure) -> str:
    """Why a port cannot be listened on, in words for people."""
    error = failure.value
    if isinstance(error, CannotListenError):
        strerror = getattr(error.socketError, "strerror", None)
        return str(strerror or error.socketError)
    return failure.getErrorMessage()


def shown(port: Any) -> str:
    """The address of a port, for people."""
    address = port.getHost()
    host = getattr(address, "host", None)
    if host is None:
        name = address.name
        return f"unix:{name.decode() if isinstance(name, bytes) else name}"
    return f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"
