"""The life of the proxy: it starts, serves, changes, drains, and stops.

    CREATED -> SERVING -> DRAINING -> STOPPED

Started by `twistd` before it gives up its privileges and before it leaves the console for a log; what goes wrong until
then is told there. A reload builds a whole new house beside the standing one and moves over in one step, or not at all.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from proxy import limits
from proxy.accept import Examined
from proxy.admin.control import Refused, control_site
from proxy.admin.effective import effective
from proxy.admin.plan import Change, plan, render
from proxy.alarm import NEVER
from proxy.assemble import AssemblyError, House, assemble, control_endpoint
from proxy.config import ConfigError
from proxy.ports import Ports, StartError, listening
from proxy.running import Reloads, Running, touched

log = Logger()


class State(Enum):
    CREATED = "created"
    SERVING = "serving"
    DRAINING = "draining"
    STOPPED = "stopped"


class ProxyService(Service):
    """One running proxy.

    @param examine: reads the configuration and says everything about it; called in a thread at a reload.
    @param examined: what it said at first.
    @ivar house: everything that runs; None before the start.
    """

    name = "reverseproxy"

    def __init__(
        self,
        examined: Examined,
        reactor: Any,
        examine: Callable[[], Examined],
        drain_seconds: float = limits.DRAIN_SECONDS,
    ) -> None:
        self.house: House | None = None
        self.state: Enum = State.CREATED
        self.reloads = Reloads()
        self.reactor_name = type(reactor).__name__
        self.deadline = self.look_at = NEVER
        self._examined = examined
        self._examine = examine
        self._reactor = reactor
        self._drain_seconds = drain_seconds
        self._ports = Ports(reactor)
        self._control_port: Any = None
        self._reloading = False
        self._drained: Deferred[None] | None = None

    @property
    def source(self) -> str:
        """Where the configuration was read from."""
        return self._examined.loaded.files[0]

    # --- start --------------------------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Listen, while the privileges for low ports are still there.

        @raise StartError: a port cannot be had.
        @raise AssemblyError: something else that the configuration names.
        """
        self._need_demo(self._examined)
        house = self._build(self._examined)
        self._ports.open(house.listeners)
        self._open_control(house)
        self.house = house
        self.state = State.SERVING
        super().privilegedStartService()

    def startService(self) -> None:
        super().startService()
        assert self.house is not None
        self.house.start()
        self._hear_hangup()
        # Everything made so far lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()

    def _build(self, examined: Examined) -> House:
        return assemble(examined.loaded, self._reactor, self._ports.demo_addresses, self.house)

    def _need_demo(self, examined: Examined) -> None:
        demo = examined.loaded.require().demo
        self._ports.need_demo(demo.servers if demo is not None else 0)

    def _open_control(self, house: House) -> None:
        """The control site is opened once: a reload that is asked for through it must be able to answer."""
        admin = getattr(house.config, "admin", None)
        if admin is None:
            return
        endpoint = control_endpoint(admin.listen, self._reactor)
        token = admin.token.encode() if admin.token else None
        site = control_site(Running(self), self._reactor, unix=admin.listen.startswith("unix:"), token=token)
        self._control_port = listening(endpoint, site, f"cannot listen on {admin.listen} for admin")

    def _hear_hangup(self) -> None:
        """SIGHUP reloads, as operators expect. Only the main thread of a program may listen to signals."""
        try:
            signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self._reload_quietly))
        except ValueError as error:
            log.warn("SIGHUP will not reload: {error}", error=error)

    # --- change -------------------------------------------------------------------------------------------

    def _reload_quietly(self) -> None:
        """A reload that nobody waits for: what came of it is in the log."""
        Deferred.fromCoroutine(self.reload()).addErrback(lambda failure: failure.trap(ConfigError, Refused))

    async def reload(self) -> list[Change]:
        """Read the configuration anew and move over to it.

        @return: what has changed, with the live connections that it touched.
        @raise ConfigError: it cannot be used; nothing has changed.
        @raise Refused: not now.
        """
        standing = self.house
        if standing is None or self.state is not State.SERVING or self._reloading:
            raise Refused(409, {"error": "a reload is under way" if self._reloading else f"{self.state.value}"})
        self._reloading = True
        gc.disable()  # whatever is built lives on; looking for garbage in it would hold up everybody
        try:
            house, changes = await self._prepare(standing)
        except Exception as error:
            self._refused(error)
            raise
        finally:
            self._reloading = False
            gc.freeze()
            gc.enable()
        self._move(standing, house)
        self.reloads = Reloads(self.reloads.accepted + 1, self.reloads.refused)
        log.info("reloaded {source}:\n{changes}", source=self.source, changes=render(changes))
        return changes

    async def _prepare(self, standing: House) -> tuple[House, list[Change]]:
        """Build the new house beside the standing one. In a thread, so that nobody waits for it."""
        examined = await self._in_thread(self._examine)
        if not examined.usable:
            raise ConfigError(examined.problems)
        self._need_demo(examined)
        house = await self._in_thread(lambda: self._build(examined))
        changes = touched(plan(effective(standing.config), effective(house.config)), standing)
        self._ports.open([listener for listener in house.listeners if listener.description not in self._ports])
        self._examined = examined
        return house, changes

    def _in_thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)

    def _move(self, standing: House, house: House) -> None:
        """From the next request on the new house answers. Nothing in here can fail, and nothing happens in between."""
        kept = {listener.description: listener for listener in standing.listeners}
        listeners = []
        for listener in house.listeners:
            if listener.description in kept:
                site = kept.pop(listener.description).site
                site.become(listener.site)
                listener = listener._replace(site=site)
            listeners.append(listener)
        for gone in kept.values():
            self._ports.close(gone.description)
            gone.site.drain(lambda: None)
        self.house = house._replace(listeners=tuple(listeners))
        self.house.succeed(standing)

    def _refused(self, error: Exception) -> None:
        words = str(error)
        self.reloads = Reloads(self.reloads.accepted, self.reloads.refused + 1, words)
        if isinstance(error, ConfigError | StartError | AssemblyError):
            log.error("the reload is refused, the old configuration stays:\n{words}", words=words)
        else:
            log.failure("the reload failed, the old configuration stays", Failure(error))

    # --- stop ---------------------------------------------------------------------------------------------

    def stopService(self) -> Deferred[None]:
        """Accept nothing new, let every exchange end, then close. The reactor waits for it."""
        super().stopService()
        self.state = State.DRAINING
        closing = [self._ports.close(one.listener.description) for one in self._ports]
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
        self._ports.close_demo()
        if self._control_port is not None:
            self._control_port.stopListening()
        if self.house is not None:
            self.house.alarm.clear(self)
            self.house.close()
        drained.callback(None)

    def __repr__(self) -> str:
        return f"<ProxyService {self.state.value} {self._ports!r}>"
