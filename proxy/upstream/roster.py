"""Which servers a pool has: those that its configuration lists, and those that its names stand for at the moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.logger import Logger

from proxy.alarm import NEVER, Alarm
from proxy.policy.resolution import Question, ResolutionPolicy, Target
from proxy.upstream.factory import ProxyClientFactory
from proxy.upstream.names import Resolver, Watch
from proxy.upstream.pool import Pool

log = Logger()

class Named:
    """A line of the configuration that is a name: no server, one, or many.

    @param make: makes the server for one target, whose weight and rank are what this line and the target say together.
    @param weight: of the line.
    @param rank: of the line; those of its targets come on top.
    """

    def __init__(
        self, question: Question, make: Callable[[Target], ProxyClientFactory], weight: int = 1, rank: int = 0
    ) -> None:
        self.question = question
        self._weight = weight
        self._rank = rank
        self.servers: tuple[ProxyClientFactory, ...] = ()
        self._make = make
        self._by_address: dict[tuple[str, int], ProxyClientFactory] = {}

    def update(self, targets: Sequence[Target], fresh: Callable[[ProxyClientFactory], None]) -> None:
        """From now on the name stands for `targets`. Servers that it stood for before stay the same objects.

        @param fresh: is told of each new one.
        """
        known, self._by_address = self._by_address, {}
        for found in targets:
            target = found._replace(weight=found.weight * self._weight, rank=found.rank + self._rank)
            address = (target.host, target.port)
            server = known.get(address)
            if server is None:
                server = self._make(target)
                fresh(server)
            server.place(target.weight, target.rank)
            self._by_address[address] = server
        self.servers = tuple(self._by_address.values())


class Roster:
    """Keeps the servers of one pool in step with its configuration's names.

    @param entries: in the order of the configuration.
    """

    def __init__(
        self,
        pool: Pool,
        entries: Sequence[ProxyClientFactory | Named],
        resolver: Resolver,
        alarm: Alarm,
        policy: ResolutionPolicy,
    ) -> None:
        self._pool = pool
        self._entries = entries
        self._alarm = alarm
        self._watches = [
            (entry, Watch(entry.question, resolver, alarm, self._news_of(place), policy))
            for place, entry in enumerate(named for named in entries if isinstance(named, Named))
        ]
        self._troubles = [""] * len(self._watches)
        self._takes_over = False
        pool.expecting = bool(self._watches)

    def serve(self, pool: Pool) -> None:
        """Do it for this pool from now on. The servers that it has serve on until all names are known once: a reload
        while the name server fails takes nobody away."""
        self._pool = pool
        self._takes_over = bool(pool.servers)
        fixed = iter(pool.keep([entry for entry in self._entries if isinstance(entry, ProxyClientFactory)]))
        self._entries = [entry if isinstance(entry, Named) else next(fixed) for entry in self._entries]
        for entry in self._entries:
            if isinstance(entry, ProxyClientFactory):
                entry.owner = pool  # it is needed, though it serves only when all names are known

    def start(self) -> None:
        """Look up all names, and keep looking."""
        for _, watch in self._watches:
            watch.start()

    def stop(self) -> None:
        """Look no more; the servers stay as they are."""
        for _, watch in self._watches:
            watch.stop()

    def seconds_left(self) -> float:
        """Until one of the names that do not resolve is looked up again."""
        now = self._alarm.now()
        troubled = [watch for _, watch in self._watches if watch.resolution.trouble]
        return min((max(watch.deadline - now, 0.0) for watch in troubled if watch.deadline != NEVER), default=0.0)

    def _news_of(self, place: int) -> Callable[[], None]:
        return lambda: self._news(place)

    def _news(self, place: int) -> None:
        named, watch = self._watches[place]
        resolution = watch.resolution
        before = set(named.servers)
        first = not before
        named.update(resolution.targets, lambda server: self._joins(server, first))
        for server in before.difference(named.servers):
            self._say("{server} is no longer behind {host}: it drains", server=server.name, host=named.question.name)
        if bool(resolution.trouble) != bool(self._troubles[place]):
            self._tell_trouble(named, resolution.trouble)
        self._troubles[place] = resolution.trouble
        self._apply()

    def _joins(self, server: ProxyClientFactory, first: bool) -> None:
        if server in self._pool.servers:
            return  # it has served before the reload
        if not first:
            server.condition.since = self._alarm.now()  # one among others that are busy already: let it start slowly
        self._say("{server} joins", server=server.name)

    def _tell_trouble(self, named: Named, trouble: str) -> None:
        if not trouble:
            self._say("{host} resolves again", host=named.question.name)
        elif named.servers:
            log.warn("upstream {name}: {why}; what is known holds", name=self._pool.name, why=trouble)
        else:
            log.warn("upstream {name}: {why}; asking again", name=self._pool.name, why=trouble)

    def _say(self, words: str, **values: str) -> None:
        log.info("upstream {name}: " + words, name=self._pool.name, **values)

    def _apply(self) -> None:
        pool = self._pool
        servers: list[ProxyClientFactory] = []
        for entry in self._entries:
            servers.extend(entry.servers if isinstance(entry, Named) else (entry,))
        pool.expecting = not all(watch.resolution.asked for _, watch in self._watches)
        pool.unresolved = "; ".join(filter(None, self._troubles))
        if self._takes_over and (pool.expecting or pool.unresolved):
            return
        self._takes_over = False
        pool.replace(servers)

    def __repr__(self) -> str:
        return f"<Roster of {self._pool.name} {[watch for _, watch in self._watches]!r}>"
