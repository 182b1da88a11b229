"""Names of servers: looked up through Twisted's resolver, again and again, for as long as somebody uses them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any
from typing import Protocol as Interface

from twisted.internet import udp
from twisted.internet.defer import CancelledError, DeferredList
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.names import dns
from twisted.names.client import Resolver as DNSClient
from twisted.names.error import DNSNameError, DNSQueryTimeoutError, DomainError, ResolverError
from twisted.names.hosts import searchFileForAll
from twisted.python import context
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath
from twisted.python.log import ILogContext

from proxy.alarm import NEVER, Alarm
from proxy.flow.walk import Walk
from proxy.policy.resolution import (
    DEFAULT,
    Answer,
    Question,
    Resolution,
    ResolutionPolicy,
    ResolvConf,
    Service,
    candidates,
    paired,
    parse_resolv_conf,
    served,
)

# Of names that stand in a file: it is read again when they are asked for again.
_FILE_TTL_SECONDS = 10.0
_DNS_PORT = 53
# How long each name server has, the first time round and the second; `ResolutionPolicy.lookup` ends it all.
_PATIENCE_SECONDS = (1, 2)
_RESOLV_CONF = Path("/etc/resolv.conf")


class NameGoneError(Exception):
    """The name servers say that there is nothing of that name."""


class NameFailedError(Exception):
    """The name servers say nothing that can be used."""


class Resolver(Interface):
    """Whoever turns names into servers."""

    def lookup(self, question: Question) -> Coroutine[Any, Any, Answer]:
        """What `question` asks for.

        @raise NameGoneError: nothing is there.
        @raise NameFailedError: nobody knows.
        """


class DNSResolver:
    """Looks into a hosts file, then asks name servers.

    @param client: speaks to the name servers: a `twisted.names.client.Resolver`, or anything that looks up like it.
    @param hosts: the path of a file as in hosts(5).
    """

    def __init__(self, client: Any, hosts: str = "/etc/hosts", conf: ResolvConf = ResolvConf()) -> None:  # noqa: B008 - immutable
        self._client = client
        self._hosts = FilePath(hosts)
        self._conf = conf

    async def lookup(self, question: Question) -> Answer:
        if question.service:
            return await self._services(question.name)
        addresses, ttl = await self._addresses(question.name)
        return Answer(paired(*addresses, question.port), ttl)

    async def _addresses(self, name: str) -> tuple[tuple[list[str], list[str]], float]:
        """The addresses of `name`, by family (version 4 first), and how long they hold."""
        if name.rstrip(".").lower() == "localhost":
            # RFC 6761 section 6.3: never asked for. Both, whatever the file says: servers listen on one or the other.
            known = ["127.0.0.1", "::1"]
        else:
            known = searchFileForAll(self._hosts, name.rstrip(".").encode("ascii"))
        if known:
            by_family = [text for text in known if ":" not in text], [text for text in known if ":" in text]
            return by_family, _FILE_TTL_SECONDS
        for full in candidates(name, self._conf):
            v4, v6, ttl = await self._both_families(full)
            if v4 or v6:
                return (v4, v6), ttl
        raise NameGoneError(f"{name} has no address")

    async def _both_families(self, name: str) -> tuple[list[str], list[str], float]:
        client = self._client
        asked = [client.lookupAddress(name, _PATIENCE_SECONDS), client.lookupIPV6Address(name, _PATIENCE_SECONDS)]
        (ok4, told4), (ok6, told6) = await DeferredList(asked, consumeErrors=True)
        v4, ttl4 = _records(told4, dns.A, name) if ok4 else _nothing(told4, name)
        try:
            v6, ttl6 = _records(told6, dns.AAAA, name) if ok6 else _nothing(told6, name)
        except NameFailedError:
            if not v4:
                raise
            v6, ttl6 = [], ttl4  # there are name servers that choke on AAAA
        return [each.dottedQuad() for each in v4], [_v6(each) for each in v6], min(ttl4, ttl6)

    async def _services(self, name: str) -> Answer:
        try:
            told = await self._client.lookupService(name, _PATIENCE_SECONDS)
        except Exception as error:
            raise _meaning(error, name) from error
        records, ttl = _records(told, dns.SRV, name)
        services = [Service(each.priority, each.weight, each.port, _text(each.target)) for each in records]
        services = [each for each in services if each.host]  # "." says that it is not here (RFC 2782)
        found: dict[str, tuple[list[str], list[str]]] = {}
        for host in sorted({each.host for each in services}):
            try:
                found[host], host_ttl = await self._addresses(f"{host}.")
            except NameGoneError:
                continue
            ttl = min(ttl, host_ttl)
        targets = served(services, found)
        if not targets:
            raise NameGoneError(f"there is no service {name}")
        return Answer(targets, ttl)


def _records(told: Any, kind: int, name: str) -> tuple[list[Any], float]:
    """The records of one kind in the answer to a question, and the shortest time that anything on the way holds."""
    answers = told[0]
    found = [each.payload for each in answers if each.type == kind]
    return found, float(min((each.ttl for each in answers), default=NEVER))


def _nothing(reason: Failure, name: str) -> tuple[list[Any], float]:
    error = reason.value
    assert error is not None
    if isinstance(error, DNSNameError):
        return [], NEVER
    raise _meaning(error, name)


def _meaning(error: BaseException, name: str) -> Exception:
    if isinstance(error, DNSNameError):
        return NameGoneError(f"there is no {name}")
    if isinstance(error, DNSQueryTimeoutError | DeferredTimeoutError | CancelledError):
        return NameFailedError(f"{name}: no name server answers")
    if isinstance(error, DomainError | ResolverError):
        return NameFailedError(f"{name}: {type(error).__name__}")
    return NameFailedError(f"{name}: {error}")


def _text(name: Any) -> str:
    return str(name.name.decode("ascii", "replace").rstrip("."))


def _v6(record: Any) -> str:
    return str(IPv6Address(record.address))


def system_resolver(reactor: Any, servers: Sequence[tuple[str, int]] = (), hosts: str = "/etc/hosts") -> DNSResolver:
    """The resolver for a machine.

    @param servers: name servers; those of /etc/resolv.conf where there are none.
    """
    conf = parse_resolv_conf(_RESOLV_CONF.read_text("utf-8", "replace")) if _RESOLV_CONF.exists() else ResolvConf()
    chosen = list(servers) or [(host, _DNS_PORT) for host in conf.servers or ("127.0.0.1",)]
    client = DNSClient(servers=chosen, timeout=_PATIENCE_SECONDS, reactor=_QuietReactor(reactor))
    return DNSResolver(client, hosts, conf)


class _QuietReactor:
    """A reactor as DNS needs it, without the four lines that UDP ports log for each question."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenUDP(self, port: int, protocol: Any, interface: str = "") -> udp.Port:
        protocol.noisy = False
        made = udp.Port(port, protocol, interface, reactor=self)
        context.call(_SILENCE, made.startListening)
        return made

    def callLater(self, seconds: float, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        return self._reactor.callLater(seconds, context.call, _SILENCE, call, *args, **named)


# What the old `log.msg` says in this context is an event without words, which log files leave out.
_SILENCE = {ILogContext: {"log_text": "", "log_format": "", "isError": 0, "system": "-"}}


class Watch:
    """One name, looked up whenever what is known of it is about to be too old.

    @param news: called after each lookup that changed `resolution`'s targets, after the first, and when trouble
        begins or ends.
    """

    def __init__(
        self,
        question: Question,
        resolver: Resolver,
        alarm: Alarm,
        news: Callable[[], None],
        policy: ResolutionPolicy = DEFAULT,
    ) -> None:
        self.question = question
        self.resolution = Resolution(policy)
        self.deadline = self.look_at = NEVER
        self._resolver = resolver
        self._alarm = alarm
        self._news = news
        self._policy = policy
        self._walk: Walk[Answer] | None = None

    def start(self) -> None:
        """Look it up now, and go on."""
        self.time_passed()

    def stop(self) -> None:
        """No more lookups."""
        self._alarm.forget(self)
        self._cancel()

    def time_passed(self) -> None:
        """The next lookup is due, or the present one takes too long."""
        if self._walk is not None:
            self._cancel()
            self._failed(NameFailedError(f"{self.question.name}: no answer in {self._policy.lookup:g} s"))
            return
        self._alarm.set(self, self._policy.lookup)
        self._walk = walk = Walk(self._resolver.lookup(self.question), self._found, self._failed)
        walk.start()

    def _cancel(self) -> None:
        walk, self._walk = self._walk, None
        if walk is not None:
            walk.cancel(NameFailedError("given up"))

    def _found(self, answer: Answer) -> None:
        before = self._told()
        self._next(before, self.resolution.found(answer))

    def _failed(self, error: BaseException) -> None:
        before = self._told()
        if isinstance(error, NameGoneError):
            self._next(before, self.resolution.gone(str(error)))
        else:
            self._next(before, self.resolution.failed(str(error)))

    def _told(self) -> tuple[object, ...]:
        resolution = self.resolution
        return resolution.asked, resolution.targets, bool(resolution.trouble)

    def _next(self, before: tuple[object, ...], seconds: float) -> None:
        self._walk = None
        self._alarm.set(self, seconds)
        if self._told() != before:
            self._news()

    def __repr__(self) -> str:
        return f"<Watch {self.question.name} {self.resolution!r}>"
