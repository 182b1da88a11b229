"""What must hold in every world, whatever happens in it; each method is told of one thing, and judges it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from proxy.errors import INTERNAL
from proxy.health.change import Change
from proxy.health.ejection import Place
from proxy.limits import REPLAY_BYTES, WINDOW_BYTES
from proxy.message import Exchange
from proxy.observe import ExchangeRecord
from proxy.policy.retry import IDEMPOTENT
from tests.simulation.messages import Head, pattern

if TYPE_CHECKING:
    from tests.simulation.clients import Ask
    from tests.simulation.servers import Delivery
    from tests.simulation.world import World

# Heads, sizes of chunks, and pages of errors.
_SMALL = 4096


class Judge:
    """Collects what is broken. Nothing is raised where it is noticed: the house might catch it.

    @ivar offences: what is broken, in words.
    @ivar records: one for each exchange that is over.
    """

    def __init__(self, world: World, epilogue: Sequence[Ask]) -> None:
        self.world = world
        self.offences: list[str] = []
        self.records: list[ExchangeRecord] = []
        self.opened: list[ExchangeRecord] = []
        self._epilogue = epilogue
        asks = [ask for client in world.setting.clients for ask in client.asks]
        self._asks = {ask.number: ask for ask in (*asks, *epilogue)}
        self._deliveries: dict[int, list[Delivery]] = {number: [] for number in self._asks}
        self._answers: Counter[int] = Counter()
        self._whole: set[int] = set()

    def broken(self, what: str) -> None:
        self.world.tell("!", what)
        self.offences.append(what)

    def _must(self, holds: bool, what: str) -> None:
        if not holds:
            self.broken(what)

    # --- told by the peers --------------------------------------------------------------------------------

    def delivered(self, number: int, delivery: Delivery) -> None:
        """A server has got the head of a request."""
        earlier = self._deliveries[number]
        earlier.append(delivery)
        retry = self.world.setting.plan.retry
        self._must(delivery.method == self._asks[number].method, f"request {number} changed its method")
        most = 1 + retry.retries + (retry.hedge_after > 0)
        self._must(len(earlier) <= most, f"request {number} was delivered {len(earlier)} times")
        if delivery.method not in IDEMPOTENT and not retry.any_method:
            self._must(len(earlier) == 1, f"{delivery.method.decode()} {number} reached servers twice: {earlier}")
        left = self.world.line.latency * 2
        over = [record for record in self.records if number_of(record) == number]
        self._must(
            not over or over[0].ended + left > self.world.clock.seconds(),
            f"request {number} reached {delivery.server} though its exchange was over",
        )

    def request_body(self, number: int, body: bytes, whole: bool) -> None:
        """A server has got some of the body of a request, or all."""
        if not number:
            return
        expected = pattern(number, self._asks[number].body)
        if whole:
            self._whole.add(number)
            self._must(body == expected, f"a server took {len(body)} of {len(expected)} bytes of {number} for whole")
        else:
            self._must(expected.startswith(body), f"the body of request {number} reached a server changed")

    def answered(self, client: str, ask: Ask | None, head: Head, body: bytes) -> None:
        """A client has a response that looks complete."""
        ours = b"proxy-status" in head.fields
        if ask is None:
            self._must(ours and head.status >= 400, f"{client} got an answer to nothing: {head.start!r}")
            return
        self._answers[ask.number] += 1
        self._must(self._answers[ask.number] == 1, f"request {ask.number} was answered twice")
        if ours:
            return
        number, size = int(head.fields[b"x-id"]), int(head.fields[b"x-size"])
        self._must(number == ask.number, f"{client} asked {ask.number} and got the answer to {number}")
        expected = b"" if ask.method == b"HEAD" else pattern(number, size)
        self._must(body == expected, f"{len(body)} of {len(expected)} bytes of {number} looked complete to {client}")

    # --- told by the house --------------------------------------------------------------------------------

    def began(self, exchange: Exchange) -> None:
        self.opened.append(exchange.record)

    def observe(self, record: ExchangeRecord) -> None:
        """As the access log is told."""
        self.records.append(record)
        self.world.tell("the log", f"{record!r} after {record.attempts} attempts, {record.detail}")
        self._must(record.reason != INTERNAL.code, f"{record!r}: {record.detail}")
        self._must(bool(record.status or record.reason), f"{record!r} has neither status nor reason")

    def retrying(self, before: int, after: int) -> None:
        """One more is retried, or one less."""
        self._must(after >= 0, f"{after} retries are under way")
        if after > before:
            pool = self.world.pool
            active = sum(server.in_flight for server in pool.servers)
            policy = pool.plan.retry
            room = max(policy.minimum, policy.share * active)
            self._must(before < room, f"retry {after} with {active} in flight")

    def chosen(self, exchange: Exchange, waiting: Sequence[Exchange]) -> None:
        """A server has room for `exchange`, and these wait for one."""
        number, first = number_of(exchange.record), number_of(waiting[0].record)
        self._must(exchange is waiting[0], f"request {number} overtakes {first} in the queue")

    def changed(self, changes: list[Change]) -> None:
        """Something is thought otherwise of a server."""
        for change in changes:
            if change.after is Place.EJECTED:
                servers = self.world.pool.servers
                ejected = sum(server.condition.word == "ejected" for server in servers)
                share = self.world.setting.ejection
                assert share is not None
                self._must(ejected <= share.share * len(servers), f"{ejected} of {len(servers)} servers are ejected")
                usable = sum(server.condition.usable and server.weight > 0 for server in servers)
                self._must(usable > 0, "the last server was ejected")

    def proxy_has_read(self, protocol: Any) -> None:
        """A connection of ours has dealt with some bytes."""
        reader = getattr(protocol, "_reader")  # noqa: B009 - private, and the only place where bytes may wait
        limit = WINDOW_BYTES + self.world.line.window
        self._must(reader.buffered <= limit, f"{reader.buffered} bytes wait in {protocol!r}")

    def failure(self, event: Any) -> None:
        """Something was logged that nobody expected."""
        failure = event.get("log_failure")
        where = failure.getTraceback(elideFrameworkCode=True, detail="brief") if failure is not None else ""
        self.broken(f"logged: {event.get('log_format') or event.get('why')} {where}")

    # --- looked at after every event ----------------------------------------------------------------------

    def look(self) -> None:
        """Counts stay within their limits."""
        for server in self.world.all_servers:
            agent = server.condition.agent
            cap = (agent.connections if agent is not None else 0) or server.plan.connections
            if server.in_flight < 0 or (cap and server.in_flight > cap):
                self.broken(f"{server!r}, at most {cap} allowed")
        pool = self.world.pool
        if pool.waiting:
            idle = [server for server in pool.servers if server.available and server.weight]
            self._must(not idle, f"{len(pool.waiting)} wait while there is room: {idle!r}")

    # --- looked at when all is quiet ----------------------------------------------------------------------

    def look_at_the_end(self) -> None:
        """Nothing is left over, nothing lost."""
        world = self.world
        for server in world.all_servers:
            self._must(server.in_flight == 0, f"a lease leaked: {server!r}")
        self._must(world.pool.retrying == 0, f"{world.pool.retrying} retries are never over")
        self._must(world.pool.state().queued == 0, f"somebody waits for ever: {world.pool!r}")
        self._must(not world.site.channels, f"connections stay open: {world.site.channels!r}")
        for scripted in world.servers:
            left = len(scripted.connections)
            self._must(not left, f"{left} connections to {scripted.name} stay open")
        self._records()
        self._recovery()
        self._clients()
        self._memory()

    def _recovery(self) -> None:
        """What was well again at the end has been found well."""
        numbers = {ask.number for ask in self._epilogue}
        served = any(number_of(record) in numbers and record.status == 200 for record in self.records)
        setting = self.world.setting
        usable = any(server.weight for server in self.world.pool.servers) and not setting.drained
        if setting.probe is not None and setting.probe.timeout < 6 * setting.line.latency:
            usable = False  # too far away for any probe
        self._must(served or not usable, f"nobody is served though all are well: {self.world.pool!r}")

    def _records(self) -> None:
        opened, over = Counter(map(id, self.opened)), Counter(map(id, self.records))
        self._must(opened == over, f"{len(self.opened)} exchanges began, {len(self.records)} were observed")
        per_number = Counter(number_of(record) for record in self.records if record.target)
        for number, times in per_number.items():
            self._must(times == 1, f"request {number} has {times} records")

    def _clients(self) -> None:
        """Whoever stayed has a whole answer to all that was observed without a reason."""
        good = {number_of(record) for record in self.records if not record.reason}
        for client in self.world.clients:
            self._must(client.gone, f"{client.name} waits for ever")
            for number in client.unanswered:
                known = number not in good or client.left or client.reset
                self._must(known, f"{client.name} never got the answer to {number} that the log calls good")
        for number in self._whole:
            ask = self._asks[number]
            sent = not ask.spoiled and (ask.cut < 0 or ask.cut >= len(ask.wire()))
            self._must(sent, f"a server took the stump of {number} for whole")

    def _memory(self) -> None:
        line = self.world.line
        near = line.high_water + line.window + _SMALL
        for end in self.world.near_ends:
            self._must(end.most_waiting <= near, f"{end.most_waiting} bytes waited for a client, {near} may")
        far = near + REPLAY_BYTES
        for end in self.world.far_ends:
            self._must(end.most_waiting <= far, f"{end.most_waiting} bytes waited for a server, {far} may")


def number_of(record: ExchangeRecord) -> int:
    """Which request of the world a record is about."""
    return int(record.target[1:].partition(b"?")[0] or 0)
