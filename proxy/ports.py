"""The ports that are open: opened one by one, each with what it serves, and closed the same way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from proxy.resources.demo import demo_site
from proxy.upstream.dial import Address

log = Logger()


class StartError(Exception):
    """Something that is needed to start, or to reload, cannot be had; and why, in words for people."""


class Door(NamedTuple):
    """Where to listen, and what meets whoever comes.

    @ivar description: the endpoint as it was written; no two doors have the same.
    @ivar purpose: for people, where it is not for clients.
    """

    description: str
    endpoint: IStreamServerEndpoint
    factory: Any
    purpose: str = ""


class Ports:
    """Every open port of the proxy, by the description of its endpoint."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._open: dict[str, Any] = {}
        self._demo: list[Any] = []

    def __contains__(self, description: str) -> bool:
        return description in self._open

    def __iter__(self) -> Iterator[Any]:
        return iter(tuple(self._open.values()))

    def open(self, doors: Sequence[Door]) -> None:
        """Listen at all of these that are not open yet, or at none.

        @raise StartError: one of them cannot be had.
        """
        opened: dict[str, Any] = {}
        try:
            for door in doors:
                if door.description not in self._open:
                    opened[door.description] = listening(door)
        except StartError:
            for port in opened.values():
                port.stopListening()
            raise
        self._open |= opened
        purposes = {door.description: door.purpose for door in doors}
        for description, port in opened.items():
            log.info(
                "listening on {address}{purpose}, {reactor}",
                address=shown(port),
                purpose=f" for {purposes[description]}" if purposes[description] else "",
                reactor=type(self._reactor).__name__,
            )

    def hand_over(self, description: str, factory: Any) -> None:
        """From the next connection on `factory` meets whoever comes; those who are in stay where they are."""
        port = self._open[description]
        before = port.factory
        if before is not factory:
            factory.doStart()
            port.factory = factory
            before.doStop()

    def close(self, description: str) -> Deferred[None] | None:
        """Accept nobody there any more. Who is connected stays, and is the site's affair."""
        closed: Deferred[None] | None = self._open.pop(description).stopListening()
        return closed

    # --- the demo -----------------------------------------------------------------------------------------

    @property
    def demo_addresses(self) -> list[Address]:
        """Where the demo servers listen."""
        return [Address("127.0.0.1", port.getHost().port) for port in self._demo]

    def need_demo(self, count: int) -> None:
        """Have at least `count` demo servers, on loopback.

        @raise StartError: there is no port for one.
        """
        for number in range(len(self._demo) + 1, count + 1):
            site = demo_site(number, self._reactor)
            try:
                self._demo.append(self._reactor.listenTCP(0, site, interface="127.0.0.1"))
            except CannotListenError:
                raise StartError(f"the demo cannot listen: {why_not(Failure())}") from None

    def keep_demo(self, count: int) -> None:
        """Have no more than `count` demo servers."""
        for port in self._demo[count:]:
            port.stopListening()
        del self._demo[count:]

    def __repr__(self) -> str:
        return f"<Ports {', '.join(shown(port) for port in self) or 'none open'}>"


def listening(door: Door) -> Any:
    """The port of a door; every endpoint that is used here knows at once.

    @raise StartError: it cannot be had.
    """
    what = f"cannot listen on {door.description}" + (f" for {door.purpose}" if door.purpose else "")
    ports: list[Any] = []
    failures: list[Failure] = []
    listen = door.endpoint.listen(door.factory)
    listen.addCallbacks(ports.append, failures.append)
    if failures:
        raise StartError(f"{what}: {why_not(failures[0])}")
    if not ports:
        listen.cancel()
        raise StartError(f"{what}: the endpoint does not answer")
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
