"""The life of the proxy: it starts, serves, drains, and stops.

    CREATED -> SERVING -> DRAINING -> STOPPED

Started by `twistd` before it gives up its privileges and, with a file to log to, before it leaves the console; what
goes wrong until then is told there.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from enum import Enum
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from proxy import limits
from proxy.alarm import NEVER
from proxy.assemble import House, Listener, assemble
from proxy.config import Loaded
from proxy.resources.demo import demo_site
from proxy.upstream.dial import Address

log = Logger()


class State(Enum):
    CREATED = "created"
    SERVING = "serving"
    DRAINING = "draining"
    STOPPED = "stopped"


class StartError(Exception):
    """The proxy cannot start, and why, in words for the console."""


class ProxyService(Service):
    """One running proxy.

    @param loaded: a configuration without errors.
    @ivar house: everything that runs; None before the start.
    """

    name = "reverseproxy"

    def __init__(self, loaded: Loaded, reactor: Any, drain_seconds: float = limits.DRAIN_SECONDS) -> None:
        self.house: House | None = None
        self.state = State.CREATED
        self.deadline = self.look_at = NEVER
        self._loaded = loaded
        self._reactor = reactor
        self._drain_seconds = drain_seconds
        self._ports: list[IListeningPort] = []
        self._demo_ports: list[IListeningPort] = []
        self._drained: Deferred[None] | None = None

    # --- start --------------------------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Listen, while the privileges for low ports are still there.

        @raise StartError: something cannot be had.
        """
        config = self._loaded.require()
        demo_addresses = self._start_demo(config.demo.servers if config.demo is not None else 0)
        self.house = assemble(self._loaded, self._reactor, demo_addresses)
        for listener in self.house.listeners:
            self._listen(listener)
        for pool in self.house.pools.values():
            pool.start()
        self.state = State.SERVING
        super().privilegedStartService()

    def startService(self) -> None:
        super().startService()
        self._announce()
        # Everything made so far lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()

    def _start_demo(self, count: int) -> Sequence[Address]:
        addresses = []
        for number in range(1, count + 1):
            port = self._reactor.listenTCP(0, demo_site(number, self._reactor), interface="127.0.0.1")
            self._demo_ports.append(port)
            addresses.append(Address("127.0.0.1", port.getHost().port))
        return addresses

    def _listen(self, listener: Listener) -> None:
        listening = listener.endpoint.listen(listener.site)
        failures: list[Failure] = []
        listening.addCallbacks(self._ports.append, failures.append)
        if failures:
            raise StartError(f"cannot listen on {listener.description}: {why_not(failures[0])}")

    def _announce(self) -> None:
        """One line for each address: what listens where, and which reactor runs."""
        reactor = type(self._reactor).__name__
        for port in self._ports:
            log.info("listening on {address}, {reactor}", address=shown(port), reactor=reactor)

    # --- stop ---------------------------------------------------------------------------------------------

    def stopService(self) -> Deferred[None]:
        """Accept nothing new, let every exchange end, then close. The reactor waits for it."""
        super().stopService()
        self.state = State.DRAINING
        closing = [port.stopListening() for port in self._ports]
        drained: Deferred[None] = Deferred()
        self._drained = drained
        done = DeferredList([*(d for d in closing if d is not None), drained], consumeErrors=True)
        house = self.house
        if house is None:
            self._finish()
        else:
            for listener in house.listeners:
                listener.site.drain(self._look)
            house.alarm.set(self, self._drain_seconds)
            self._look()
        return done.addCallback(lambda _: None)

    def _look(self) -> None:
        """Is anybody left?"""
        if self.house is not None and not any(listener.site.channels for listener in self.house.listeners):
            self._finish()

    def time_passed(self) -> None:
        """Whoever is left has had its time."""
        assert self.house is not None
        for listener in self.house.listeners:
            for channel in tuple(listener.site.channels):
                channel.abort()
        self._finish()

    def _finish(self) -> None:
        drained, self._drained = self._drained, None
        if drained is None:
            return
        self.state = State.STOPPED
        for port in self._demo_ports:
            port.stopListening()
        if self.house is not None:
            self.house.alarm.clear(self)
            for pool in self.house.pools.values():
                pool.close()
            if self.house.access_log is not None:
                self.house.access_log.close()
        drained.callback(None)

    def __repr__(self) -> str:
        return f"<ProxyService {self.state.value} {[shown(port) for port in self._ports]}>"


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
