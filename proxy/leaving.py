"""What a reload has taken away and is not over yet: it ends in its own time, and is in nobody's way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from proxy.admin.access_log import AccessLog
from proxy.alarm import NEVER, Alarm
from proxy.assemble import House
from proxy.downstream.site import ProxySite
from proxy.upstream.owner import Alone
from proxy.upstream.pool import Pool

# How often it is seen whether it is over.
LOOK_SECONDS = 1.0


class Leaving:
    """The listeners, upstreams and access log that one reload took away.

    Connections of listeners drain. Exchanges that are on their way to an upstream still get there, those in its queue
    included: only watching the servers stops at once. The log takes the lines of those who are still there.

    @param seconds: how long clients of removed listeners may take; then they are cut.
    @param over: called when nothing is left.
    @ivar pools: upstreams that are still in use, or may be about to.
    """

    def __init__(
        self,
        alarm: Alarm,
        seconds: float,
        over: Callable[[Leaving], None],
        sites: Sequence[ProxySite] = (),
        pools: Sequence[Pool] = (),
        access_log: AccessLog | None = None,
    ) -> None:
        self.sites = tuple(sites)
        self.deadline = self.look_at = NEVER
        self._alarm = alarm
        self._until = alarm.now() + seconds
        self._over = over
        self.pools = list(pools)
        self._access_log = access_log

    def start(self) -> None:
        """Take nothing new."""
        for site in self.sites:
            site.drain(self._look)
        for pool in self.pools:
            pool.leave()
        # Not at once: somebody who is between two awaits may still be about to use them.
        self._alarm.set(self, LOOK_SECONDS)

    def time_passed(self) -> None:
        """See who is still there."""
        if self._alarm.now() >= self._until:
            self.cut()
        for pool in tuple(self.pools):
            if not pool.in_use:
                self.pools.remove(pool)
                release(pool)
        self._alarm.set(self, LOOK_SECONDS)
        self._look()

    def _look(self) -> None:
        if any(site.channels for site in self.sites):
            return
        if self._access_log is not None:
            self._access_log.close()
            self._access_log = None
        if not self.pools:
            self._alarm.clear(self)
            self._over(self)

    def cut(self) -> None:
        """Whoever is left of the clients has had its time."""
        for site in self.sites:
            for channel in tuple(site.channels):
                channel.abort()

    def close(self) -> None:
        """The whole proxy stops."""
        self._alarm.clear(self)
        for pool in self.pools:
            release(pool)
        if self._access_log is not None:
            self._access_log.close()

    def __repr__(self) -> str:
        channels = sum(len(site.channels) for site in self.sites)
        return f"<Leaving: {channels} connections, {len(self.pools)} upstreams>"


def release(pool: Pool) -> None:
    """Close the pool, and let servers and pool forget each other: nobody looks for cycles in what a reload built."""
    pool.close()
    for server in pool.servers:
        server.owner = Alone()


def take_apart(house: list[House]) -> None:
    """Free the memory of a house bit by bit: that of 10,000 routes at once would hold up everybody for a while.

    To be called in a thread.

    @param house: holds the only reference to it, and is emptied.
    """
    standing = house.pop()
    router, root = standing.root.router, standing.loaded.tree.root
    crowds: list[list[object]] = [list(standing.config.routes), list(standing.root.nodes)]
    crowds += [list(router.routes), list(router.entries)]
    crowds += [list(value.value) for _, value in (root.value if root is not None else ()) if hasattr(value, "value")]
    del standing, router, root
    for crowd in crowds:
        while crowd:
            crowd.pop()
