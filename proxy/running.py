"""What a running proxy tells about itself, and what it does when it is asked to (see `proxy.admin.control`)."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from importlib.metadata import version
from typing import Any, NamedTuple, Protocol

import orjson

from proxy.acme.authority import REVOCATION_REASONS
from proxy.acme.storage import StorageError
from proxy.acme.words import AcmeError
from proxy.admin.control import Refused
from proxy.admin.effective import effective
from proxy.admin.metrics import exposition
from proxy.admin.plan import ADDED, REMOVED, Change, is_effective, plan
from proxy.assemble import House
from proxy.assemble.pools import tls_of_upstreams
from proxy.config import ConfigError, Loaded
from proxy.config.report import as_json
from proxy.explain.question import Question
from proxy.explain.report import explain_shortly, routed
from proxy.leaving import Leaving
from proxy.ports import StartError
from proxy.tls.expiry import certificates, upstream_certificates
from proxy.upstream.factory import ProxyClientFactory
from proxy.upstream.pool import Pool


class Reloads(NamedTuple):
    """What became of the reloads so far.

    @ivar error: why the last one was refused; "" where it was not. Without lines of files: those may hold secrets.
    """

    accepted: int = 0
    refused: int = 0
    error: str = ""


class Served(Protocol):
    """The service, as far as it is asked here."""

    house: House | None
    leaving: set[Leaving]
    state: Enum
    reloads: Reloads
    reactor_name: str

    @property
    def source(self) -> str: ...

    def drain(self) -> None: ...
    def in_thread(self, work: Callable[[], Any]) -> Awaitable[Any]: ...
    def reopen(self) -> None: ...
    async def reload(self) -> list[Change]: ...


def _certificates(house: House) -> list[dict[str, Any]]:
    """Those of listeners, then those of upstreams, each with whose they are."""
    now, told = time.time(), []
    for listener in house.listeners:
        if listener.site.tls is not None:
            told += [{"listener": listener.description, **one} for one in certificates(listener.site.tls.keyring, now)]
    return told + upstream_certificates(tls_of_upstreams(house.config, house.client_tls), now)


class Running:
    """The answers of the control site, for one service."""

    def __init__(self, service: Served) -> None:
        self._service = service

    def status(self) -> dict[str, Any]:
        """State, listeners, certificates, those that are ordered, upstreams, reloads."""
        service = self._service
        house = service.house
        return {
            "version": version("twisted-reverseproxy"),
            "pid": os.getpid(),
            "state": service.state.value,
            "reactor": service.reactor_name,
            "configuration": service.source,
            "reloads": service.reloads._asdict(),
            "listeners": [
                {"endpoint": listener.description, "connections": len(listener.site.channels)}
                for listener in (house.listeners if house is not None else ())
            ],
            "certificates": _certificates(house) if house is not None else [],
            "leaving": sum(len(site.channels) for leaving in service.leaving for site in leaving.sites),
            "upstreams": [
                {**state._asdict(), "servers": [server._asdict() for server in state.servers]}
                for state in (pool.state() for pool in self._pools())
            ],
            "acme": house.office.status() if house is not None and house.office is not None else [],
        }

    def _pools(self) -> list[Pool]:
        """All of them, those last that a reload took away and that are not done yet."""
        house = self._service.house
        present = list(house.pools.values()) if house is not None else []
        return present + [pool for leaving in self._service.leaving for pool in leaving.pools if pool.in_use]

    def metrics(self) -> bytes:
        """The numbers of `status`, for Prometheus."""
        return exposition(self.status())

    async def config(self) -> Any:
        """The effective configuration, secrets masked. Told by a thread, as all the others here whose work grows with
        the number of routes."""
        loaded = self._house().loaded
        return await self._service.in_thread(lambda: orjson.Fragment(orjson.dumps(shown(loaded), default=str)))

    async def explain(self, question: Any) -> Any:
        """What would happen to a request, with the health of this moment."""
        try:
            said, look = explain_shortly(self._house(), Question.of(question))
        except ValueError as error:
            raise Refused(400, {"error": str(error)}) from error
        if look is not None:
            routed(said)["routes"] = await self._service.in_thread(lambda: orjson.Fragment(orjson.dumps(look())))
        return said

    async def plan(self, new: Any) -> Any:
        """What `new`, an effective configuration, would change, and which live connections it would touch."""
        if not is_effective(new):
            raise Refused(400, {"error": "send an effective configuration, as `reverseproxy show --json` prints it"})
        loaded = self._house().loaded
        if loaded.told_where:  # as a reload would, which listens where the command line says
            new = {**new, "listen": shown(loaded)["listen"]}
        changes = await self._service.in_thread(lambda: plan(shown(loaded), new))
        return {"changes": [change.as_json() for change in touched(changes, self._house())]}

    async def reload(self) -> Any:
        """Read the configuration anew."""
        try:
            changes = await self._service.reload()
        except ConfigError as error:
            problems = [as_json(problem) | {"text": problem.render()} for problem in error.problems]
            raise Refused(409, {"problems": problems}) from error
        except StartError as error:
            raise Refused(409, {"error": str(error)}) from error
        return {"changes": [change.as_json() for change in changes]}

    def drain(self, asked: Any) -> Any:
        """Take servers out of their upstream, or put them back; of nothing in particular: let the whole proxy end.

        @param asked: `{"upstream": name, "server": name or address, "drained": true}`; without `server` all of them.
        """
        if not asked:
            self._service.drain()
            return {"state": "draining", "connections": sum(one["connections"] for one in self.status()["listeners"])}
        pool, servers = self._named(asked)
        for server in servers:
            server.drain(asked.get("drained", True) is not False)
        left = sum(server.condition.usable and server.weight > 0 for server in pool.servers)
        return {"upstream": pool.name, "servers": [server.state()._asdict() for server in servers], "left": left}

    def _named(self, asked: Any) -> tuple[Pool, list[ProxyClientFactory]]:
        """The servers that somebody means."""
        if not isinstance(asked, Mapping) or not isinstance(asked.get("upstream"), str):
            raise Refused(400, {"error": "name an upstream, and a server of it"})
        pools, name = self._house().pools, asked["upstream"]
        if name not in pools:
            raise Refused(404, {"error": f"there is no upstream `{name}`; there are: {', '.join(pools) or 'none'}"})
        pool, server = pools[name], asked.get("server")
        found = [one for one in pool.servers if server in (None, one.name, str(one.plan.address))]
        if not found:
            known = ", ".join(one.name for one in pool.servers) or "none"
            raise Refused(404, {"error": f"the upstream `{name}` has no server `{server}`; it has: {known}"})
        return pool, found

    def reopen(self) -> Any:
        """Open the access log anew."""
        try:
            self._service.reopen()
        except StartError as error:
            raise Refused(409, {"error": str(error)}) from error
        return {}

    async def renew(self, wish: Any) -> Any:
        """Replace a certificate that is ordered by ACME."""
        name, revoke = (wish.get("name"), wish.get("revoke", "")) if isinstance(wish, Mapping) else (None, "")
        if not isinstance(name, str) or revoke not in ("", *REVOCATION_REASONS):
            reasons = " or ".join(REVOCATION_REASONS)
            raise Refused(400, {"error": f"send {{name: NAME}}, and to revoke the old one {{revoke: {reasons}}}"})
        office = self._house().office
        try:
            if office is None:
                raise KeyError(name)
            return {"acme": await office.renew(name.lower(), revoke)}
        except KeyError as error:
            raise Refused(404, {"error": f"no certificate for {name} is ordered by ACME here"}) from error
        except (AcmeError, StorageError) as error:
            raise Refused(409, {"error": str(error)}) from error

    def _house(self) -> House:
        house = self._service.house
        if house is None:
            raise Refused(503, {"error": "the proxy has not started yet"})
        return house


def shown(loaded: Loaded) -> dict[str, Any]:
    """The effective configuration, secrets masked."""
    return effective(loaded.require(), loaded.secrets)


def touched(changes: list[Change], house: House) -> list[Change]:
    """`changes`, each with the live connections that it touches."""
    return [change if change.verb == ADDED else change._replace(touches=_touches(change, house)) for change in changes]


def _touches(change: Change, house: House) -> str:
    if change.kind == "listener":
        found = [len(one.site.channels) for one in house.listeners if one.description == change.name]
        # They go with the listener, or where it is to speak TLS and did not, or the other way.
        drain = change.verb == REMOVED or any(difference.path == "tls" for difference in change.differences)
        return f"{sum(found)} client connections {'drain' if drain else 'stay'}" if any(found) else ""
    if change.kind == "upstream" and change.name in house.pools:
        in_flight = sum(server.in_flight for server in house.pools[change.name].servers)
        return f"{in_flight} exchanges in flight end as they began" if in_flight else ""
    return ""
