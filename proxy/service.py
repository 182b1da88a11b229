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
from twisted.internet.defer import Deferred, DeferredList, DeferredLock
from twisted.internet.endpoints import serverFromString
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from proxy import limits
from proxy.admin.control import Refused, control_site
from proxy.admin.plan import Change
from proxy.admin.watch import FileWatch
from proxy.alarm import NEVER
from proxy.assemble.apps import applications
from proxy.assemble.house import House, Listener, assemble
from proxy.config import ConfigError
from proxy.downstream.site import ProxySite
from proxy.explain.accept import Examined
from proxy.leaving import Leaving, take_apart
from proxy.ports import Door, Ports, StartError
from proxy.reactor.heap import keep_freed_memory
from proxy.reloading import brief, changes_between, demo_count, located, shortened, spare_the_collector, unobtrusive
from proxy.running import Reloads, Running, touched

log = Logger()

#: For the answer to the one who asked for the stop.
ANSWER_SECONDS = 0.1
#: Reloads that may wait for the one that is under way.
WAITING_RELOADS = 8


class State(Enum):
    CREATED = "created"
    SERVING = "serving"
    DRAINING = "draining"
    STOPPED = "stopped"


class ProxyService(Service):
    """One running proxy.

    @param examine: reads the configuration and says everything about it; called in a thread at a reload.
    @param examined: what it said at first.
    @param drain_seconds: how long clients may take to end, at the stop and where a listener is removed.
    @ivar house: everything that runs; None before the start.
    @ivar leaving: what reloads took away and is not over yet.
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
        self.leaving: set[Leaving] = set()
        self.state: Enum = State.CREATED
        self.reloads = Reloads()
        self.reactor_name = type(reactor).__name__
        self.deadline = self.look_at = NEVER
        self._examined = examined
        self._examine = examine
        self._reactor = reactor
        self._drain_seconds = drain_seconds
        self._ports = Ports(reactor)
        self._turn = DeferredLock()
        self._watch: FileWatch | None = None
        self._drained: Deferred[None] | None = None

    @property
    def source(self) -> str:
        """Where the configuration was read from."""
        return self._examined.loaded.files[0]

    # --- start --------------------------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Listen, while the privileges for low ports are still there.

        @raise StartError: a port cannot be had.
        @raise ConfigError: something else that the configuration names.
        """
        loaded = self._examined.loaded
        self._ports.need_demo(demo_count(loaded))
        with located(loaded):
            house = assemble(loaded, self._reactor, self._ports.demo_addresses, pairs=self._examined.pairs)
        self._ports.open(self._doors(house))
        self.house = house
        self.state = State.SERVING
        super().privilegedStartService()

    def startService(self) -> None:
        super().startService()
        assert self.house is not None
        self.house.start()
        self._hear(signal.SIGHUP, self.hang_up)
        self._hear(signal.SIGUSR1, self._reopen_quietly)
        self._watch_files(self.house)
        # Everything made so far lives as long as the process: the collector need not look at it again. Exchanges leave
        # no cycles, connections one each: looking for them after every 700 objects took a sixth of the time of clients
        # that make a connection for each request.
        gc.collect()
        gc.freeze()
        gc.set_threshold(limits.GARBAGE_COUNT)
        keep_freed_memory()

    def _doors(self, house: House) -> list[Door]:
        """Where `house` listens: for clients, and for whoever asks or changes the proxy itself."""
        doors = [Door(one.description, one.endpoint, one.site) for one in house.listeners]
        admin = house.config.admin
        if admin is not None:
            token = admin.token.encode() if admin.token else None
            site = control_site(Running(self), self._reactor, unix=admin.listen.startswith("unix:"), token=token)
            doors.append(Door(admin.listen, serverFromString(self._reactor, admin.listen), site, "admin"))
        return doors

    def _hear(self, number: signal.Signals, do: Callable[[], None]) -> None:
        """At signal `number`, `do` it, after what `twistd` does (at SIGUSR1 it begins a new log file). Only the main
        thread of a program may listen to signals."""
        before = signal.getsignal(number)

        def heard(number: int, frame: Any) -> None:
            if callable(before):
                before(number, frame)
            self._reactor.callFromThread(do)

        try:
            signal.signal(number, heard)
        except ValueError as error:
            log.warn("{signal} will not be heard: {error}", signal=number.name, error=error)

    # --- change -------------------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """SIGHUP: reload, and open the access log anew, as some log rotations expect."""
        self._reopen_quietly()
        self._reload_quietly()

    def _reload_quietly(self) -> None:
        """A reload that nobody waits for: what came of it is in the log."""
        if not self._turn.waiting:  # else the next one has not read the files yet, and does it for this one too
            Deferred.fromCoroutine(self.reload()).addErrback(lambda failure: None)

    async def reload(self) -> list[Change]:
        """Read the configuration anew and move over to it; after the reload that is under way, if one is.

        @return: what has changed, with the live connections that it touched.
        @raise ConfigError: it cannot be used; nothing has changed.
        @raise StartError: a port cannot be had; nothing has changed.
        @raise Refused: not now.
        """
        if len(self._turn.waiting) >= WAITING_RELOADS:
            raise Refused(409, {"error": f"{WAITING_RELOADS} reloads are waiting already"})
        await self._turn.acquire()
        try:
            with unobtrusive():
                return await self._reload()
        except Exception as error:
            self._refused(error)
            raise
        finally:
            self._turn.release()

    async def _reload(self) -> list[Change]:
        examined, house, changes = await self._prepare()
        box = [self._move(examined, house)]
        del house
        spare_the_collector()
        self.reloads = Reloads(self.reloads.accepted + 1, self.reloads.refused)
        log.info("reloaded {source}:\n{changes}", source=self.source, changes=shortened(changes))
        await self.in_thread(lambda: take_apart(box))
        return changes

    async def _prepare(self) -> tuple[Examined, House, list[Change]]:
        """Build the new house beside the standing one, in a thread, so that nobody waits for it; and open its ports."""
        self._standing()
        if self._watch is not None:
            self._watch.read()
        examined = await self.in_thread(self._examine)
        standing = self._standing()
        if self._watch is not None and examined.loaded.files:
            self._watch.look_at({*examined.loaded.inputs, *standing.loaded.inputs})
        if not examined.usable:
            raise ConfigError(examined.problems)
        loaded = examined.loaded
        house = None
        try:
            self._ports.need_demo(demo_count(loaded))
            with located(loaded):
                apps = applications(loaded.require(), standing.apps)  # in no thread: they may use the reactor
                given = (self._ports.demo_addresses, standing, None, apps, examined.pairs)
                house = await self.in_thread(lambda: assemble(loaded, self._reactor, *given))
            changes = await self.in_thread(lambda: changes_between(standing.loaded, loaded))
            changes = touched(changes, self._standing())
            self._ports.open(self._doors(house))
        except Exception:  # whatever it was goes on to the caller; only what was opened for the new house is given back
            self._ports.keep_demo(demo_count(standing.loaded))
            if house is not None:
                house.discard(standing)
            raise
        return examined, house, changes

    def _standing(self) -> House:
        """The house that stands, if it is to go on standing."""
        if self.house is None or self.state is not State.SERVING:
            raise Refused(409, {"error": f"the proxy is {self.state.value}"})
        return self.house

    def in_thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        """What `work` returns, without anybody having to wait for it."""
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)

    def _move(self, examined: Examined, house: House) -> House:
        """From the next request on `house` answers. Nothing in here can fail, and nothing happens in between.

        @return: the house that stood until now.
        """
        standing = self._standing()
        listeners, sites = self._move_listeners(standing, house)
        self._move_control(standing, house)
        house, pools = house._replace(listeners=listeners).succeed(standing)
        self.house, self._examined = house, examined
        self._ports.keep_demo(demo_count(house.loaded))
        old_log = standing.access_log if standing.access_log is not house.access_log else None
        if sites or pools or old_log is not None:
            leaving = Leaving(house.alarm, self._drain_seconds, self._gone, sites, pools, old_log)
            self.leaving.add(leaving)
            leaving.start()
        self._watch_files(house)
        return standing

    def _move_listeners(self, standing: House, house: House) -> tuple[tuple[Listener, ...], list[ProxySite]]:
        """Let connections that stay be served by the new house.

        @return: the listeners of the new house, and the sites that have none any more.
        """
        known = {listener.description: listener for listener in standing.listeners}
        listeners, gone = [], []
        for listener in house.listeners:
            before = known.pop(listener.description, None)
            if before is not None and (before.site.tls is None) == (listener.site.tls is None):
                before.site.become(listener.site)
                listener = listener._replace(site=before.site)
            elif before is not None:  # plain connections do not become encrypted ones: the port stays open, they go
                self._ports.hand_over(listener.description, listener.site)
                gone.append(before.site)
            listeners.append(listener)
        for listener in known.values():
            self._ports.close(listener.description)
            gone.append(listener.site)
        return tuple(listeners), gone

    def _move_control(self, standing: House, house: House) -> None:
        """Connections to the control site stay: the reload that one of them asked for wants its answer."""
        before, after = standing.config.admin, house.config.admin
        if before is not None and (after is None or after.listen != before.listen):
            self._ports.close(before.listen)
        elif before is not None and after != before:
            self._ports.hand_over(before.listen, self._doors(house)[-1].factory)

    def _gone(self, leaving: Leaving) -> None:
        self.leaving.discard(leaving)
        if self.state is State.DRAINING:
            self._look()

    def _refused(self, error: Exception) -> None:
        if isinstance(error, Refused):
            log.warn("no reload: {why}", why=error.value)
            return
        self.reloads = Reloads(self.reloads.accepted, self.reloads.refused + 1, brief(error))
        if isinstance(error, ConfigError | StartError):
            log.error("the reload is refused, the old configuration stays:\n{words}", words=str(error))
        else:
            log.failure("the reload failed, the old configuration stays", Failure(error))

    def _watch_files(self, house: House) -> None:
        """Reload when the files change, if that is wanted."""
        wish = house.config.reload
        if self._watch is not None and (not wish.watch or wish.debounce != self._watch.debounce):
            self._watch.stop()
            self._watch = None
        if self._watch is None and wish.watch:
            try:
                self._watch = FileWatch(self._reactor, self._reload_quietly, wish.debounce)
            except (ImportError, OSError) as error:
                log.error("files cannot be watched here: {error}", error=error)
        if self._watch is not None:
            self._watch.look_at(house.loaded.inputs)

    def reopen(self) -> None:
        """Open the access log anew, after somebody has moved it away.

        @raise StartError: it cannot be opened; the old one is written on.
        """
        access_log = self.house.access_log if self.house is not None else None
        if access_log is None:
            return
        try:
            access_log.reopen()
        except OSError as error:
            raise StartError(f"the access log cannot be opened anew: {error}") from error

    def _reopen_quietly(self) -> None:
        try:
            self.reopen()
        except StartError as error:
            log.error("{error}", error=error)

    # --- stop ---------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Asked over the control site: stop, once whoever asked has been answered."""
        log.info("asked to drain: nothing new is accepted, every exchange may end")
        self._standing()
        self._reactor.callLater(ANSWER_SECONDS, self._end)

    def _end(self) -> None:
        if self.state is State.SERVING:
            self._reactor.stop()

    def stopService(self) -> Deferred[None]:
        """Accept nothing new, let every exchange end, then close. The reactor waits for it."""
        super().stopService()
        self.state = State.DRAINING
        drained: Deferred[None] = Deferred()
        self._drained = drained
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        house = self.house
        if house is None:
            self._finish()
            return drained
        closing = [self._ports.close(listener.description) for listener in house.listeners]
        house.retire()
        done = DeferredList([*(d for d in closing if d is not None), drained], consumeErrors=True)
        for listener in house.listeners:
            listener.site.drain(self._look)
        house.alarm.set(self, self._drain_seconds)
        self._look()
        return done.addCallback(lambda _: None)

    def _sites(self) -> list[ProxySite]:
        """Everything that has clients, or may still have some."""
        assert self.house is not None
        sites = [listener.site for listener in self.house.listeners]
        return sites + [site for leaving in self.leaving for site in leaving.sites]

    def _look(self) -> None:
        """Is anybody left?"""
        if self.house is not None and not any(site.channels for site in self._sites()):
            self._finish()

    def time_passed(self) -> None:
        """Whoever is left has had its time."""
        for site in self._sites():
            for channel in tuple(site.channels):
                channel.abort()
        self._finish()

    def _finish(self) -> None:
        drained, self._drained = self._drained, None
        if drained is None:
            return
        self.state = State.STOPPED
        self._ports.keep_demo(0)
        closed = None
        if self.house is not None:
            if self.house.config.admin is not None:
                closed = self._ports.close(self.house.config.admin.listen)
            self.house.alarm.clear(self)
            self.house.close()
        for leaving in self.leaving:
            leaving.close()
        if closed is None:
            drained.callback(None)
        else:
            closed.addBoth(lambda _: drained.callback(None))  # a UNIX socket leaves no file behind

    def __repr__(self) -> str:
        return f"<ProxyService {self.state.value} {self._ports!r}>"
