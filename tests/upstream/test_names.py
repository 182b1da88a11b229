"""Names are looked up, again and again: on a fake clock, and once with a real name server on loopback."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as real_reactor  # noqa: TID251 - a real name server on loopback
from twisted.internet.defer import Deferred, ensureDeferred, fail, succeed
from twisted.internet.task import Clock
from twisted.names import dns
from twisted.names.error import DNSNameError, DNSQueryTimeoutError, DNSServerError
from twisted.names.server import DNSServerFactory
from twisted.trial.unittest import TestCase

from proxy.alarm import Alarm
from proxy.flow.walk import Walk
from proxy.policy.resolution import Answer, Question, ResolutionPolicy, ResolvConf, Target
from proxy.upstream.names import DNSResolver, NameFailedError, NameGoneError, Watch, system_resolver

ONE = Answer((Target("10.0.0.1", port=80),), 30.0)
TWO = Answer((Target("10.0.0.1", port=80), Target("10.0.0.2", port=80)), 30.0)


class FakeResolver:
    """Answers when the test says so, or what it has been told to."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.says: Answer | Exception | None = None
        self.open: Deferred[Answer] | None = None

    def lookup(self, question: Question) -> Coroutine[Any, Any, Answer]:
        self.asked.append(question)
        return self._answer()

    async def _answer(self) -> Answer:
        if isinstance(self.says, Exception):
            raise self.says
        if self.says is not None:
            return self.says
        self.open = Deferred()
        return await self.open


class Watched:
    """A watch, its clock, and how often it had news."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.resolver = FakeResolver()
        self.news = 0
        alarm = Alarm(self.clock, self.clock.seconds)
        policy = ResolutionPolicy(5.0, 60.0, 2.0)
        self.watch = Watch(Question("api.test", 80), self.resolver, alarm, self.hear, policy)

    def hear(self) -> None:
        self.news += 1

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.1] * int(seconds * 10))

    @property
    def hosts(self) -> list[str]:
        return [target.host for target in self.watch.resolution.targets]


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_name_is_asked_for_again_when_its_time_is_over(watched: Watched) -> None:
    watched.resolver.says = ONE
    watched.watch.start()
    assert watched.hosts == ["10.0.0.1"]
    watched.wait(29.0)
    assert len(watched.resolver.asked) == 1
    watched.resolver.says = TWO
    watched.wait(2.0)
    assert len(watched.resolver.asked) == 2
    assert watched.hosts == ["10.0.0.1", "10.0.0.2"]
    assert watched.news == 2


def test_the_same_answer_is_no_news(watched: Watched) -> None:
    watched.resolver.says = ONE
    watched.watch.start()
    watched.wait(200.0)
    assert len(watched.resolver.asked) > 5
    assert watched.news == 1


def test_a_resolver_that_fails_takes_nothing_away(watched: Watched) -> None:
    watched.resolver.says = ONE
    watched.watch.start()
    watched.resolver.says = NameFailedError("no name server answers")
    watched.wait(100.0)
    assert watched.hosts == ["10.0.0.1"]
    assert watched.news == 2, "the trouble is news once"
    watched.resolver.says = ONE
    watched.wait(100.0)
    assert watched.news == 3


def test_a_resolver_that_says_nothing_is_given_up_and_asked_again(watched: Watched) -> None:
    watched.watch.start()
    watched.wait(2.5)
    assert watched.watch.resolution.trouble == "api.test: no answer in 2 s"
    watched.wait(1.0)
    assert len(watched.resolver.asked) == 2
    assert watched.resolver.open is not None
    watched.resolver.open.callback(TWO)
    assert watched.hosts == ["10.0.0.1", "10.0.0.2"]


def test_a_fault_of_ours_is_a_failure_and_not_the_end(watched: Watched) -> None:
    watched.resolver.says = ZeroDivisionError("oops")
    watched.watch.start()
    assert "oops" in watched.watch.resolution.trouble
    watched.resolver.says = ONE
    watched.wait(2.0)
    assert watched.hosts == ["10.0.0.1"]


def test_after_the_end_nobody_asks(watched: Watched) -> None:
    watched.watch.start()
    watched.watch.stop()
    watched.wait(100.0)
    assert len(watched.resolver.asked) == 1
    assert watched.news == 0
    assert not watched.clock.getDelayedCalls()


# --- what name servers say ----------------------------------------------------------------------------------


def record(kind: int, payload: Any, ttl: int = 30) -> dns.RRHeader:
    return dns.RRHeader(b"x", kind, ttl=ttl, payload=payload)


class FakeClient:
    """Name servers: records by kind and name, or what they fail with."""

    def __init__(self, **zone: Any) -> None:
        self.zone = zone
        self.asked: list[str] = []

    def _said(self, kind: str, name: str) -> Any:
        self.asked.append(f"{kind} {name}")
        said = self.zone.get(f"{kind}_{name.replace('.', '_')}", DNSNameError())
        return fail(said) if isinstance(said, Exception) else succeed((said, [], []))

    def lookupAddress(self, name: str, timeout: Any) -> Any:
        return self._said("a", name)

    def lookupIPV6Address(self, name: str, timeout: Any) -> Any:
        return self._said("aaaa", name)

    def lookupService(self, name: str, timeout: Any) -> Any:
        return self._said("srv", name)


def a(address: str, ttl: int = 30) -> dns.RRHeader:
    return record(dns.A, dns.Record_A(address), ttl)


def aaaa(address: str, ttl: int = 30) -> dns.RRHeader:
    return record(dns.AAAA, dns.Record_AAAA(address), ttl)


def ask(client: FakeClient, question: Question, hosts: str = "/nonexistent", conf: ResolvConf = ResolvConf()) -> Any:  # noqa: B008
    """The answer, or the error, of a resolver whose client answers at once."""
    results: list[Any] = []
    Walk(DNSResolver(client, hosts, conf).lookup(question), results.append, results.append).start()
    [result] = results
    return result


def test_addresses_of_both_families_are_one_server() -> None:
    alias = record(dns.CNAME, dns.Record_CNAME(b"b"), 7)
    client = FakeClient(a_api_test=[alias, a("10.0.0.1")], aaaa_api_test=[alias, aaaa("2001:db8::1", 9)])
    assert ask(client, Question("api.test", 81)) == Answer((Target("10.0.0.1", "2001:db8::1", 81),), 7.0)


@pytest.mark.parametrize("said", [[], DNSNameError(), DNSServerError(), DNSQueryTimeoutError(1)])
def test_no_version_6_is_no_trouble(said: Any) -> None:
    client = FakeClient(a_api_test=[a("10.0.0.1")], aaaa_api_test=said)
    assert ask(client, Question("api.test", 81)).targets == (Target("10.0.0.1", "", 81),)


@pytest.mark.parametrize("said", [DNSServerError(), DNSQueryTimeoutError(1), OSError("no network")])
def test_a_name_server_that_fails_is_not_a_name_that_is_gone(said: Exception) -> None:
    assert isinstance(ask(FakeClient(a_api_test=said), Question("api.test")), NameFailedError)
    assert isinstance(ask(FakeClient(srv_api_test=said), Question("api.test", service=True)), NameFailedError)


def test_a_name_that_is_gone() -> None:
    assert isinstance(ask(FakeClient(), Question("api.test")), NameGoneError)
    assert isinstance(ask(FakeClient(a_api_test=[], aaaa_api_test=[]), Question("api.test")), NameGoneError)
    assert isinstance(ask(FakeClient(), Question("api.test", service=True)), NameGoneError)
    nothing = [record(dns.SRV, dns.Record_SRV(0, 0, 0, b"."))]
    assert isinstance(ask(FakeClient(srv_api_test=nothing), Question("api.test", service=True)), NameGoneError)


def test_services_bring_their_ports_and_ranks() -> None:
    said = [
        record(dns.SRV, dns.Record_SRV(10, 3, 8001, b"one.test"), 20),
        record(dns.SRV, dns.Record_SRV(20, 1, 8002, b"two.test"), 20),
        record(dns.SRV, dns.Record_SRV(20, 1, 8003, b"gone.test"), 20),
    ]
    client = FakeClient(srv__http__tcp_api_test=said, a_one_test=[a("10.0.0.1", 5)], a_two_test=[a("10.0.0.2")])
    assert ask(client, Question("_http._tcp.api.test", service=True)) == Answer(
        (Target("10.0.0.1", "", 8001, 3, 0), Target("10.0.0.2", "", 8002, 1, 1)), 5.0
    )


def test_short_names_are_searched_for() -> None:
    client = FakeClient(a_api_b_test=[a("10.0.0.1")])
    assert ask(client, Question("api", 80), conf=ResolvConf((), ("a.test", "b.test"))).targets[0].host == "10.0.0.1"
    assert client.asked == ["a api.a.test", "aaaa api.a.test", "a api.b.test", "aaaa api.b.test"]


def test_what_stands_in_the_hosts_file_is_not_asked_for(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("10.0.0.7 api.test\n2001:db8::7 api.test\n10.0.0.8 api.test\n")
    client = FakeClient()
    assert ask(client, Question("API.test.", 80), str(hosts)).targets == (
        Target("10.0.0.7", "2001:db8::7", 80),
        Target("10.0.0.8", "", 80),
    )
    assert client.asked == []


def test_localhost_is_both_loopbacks_whatever_the_file_says() -> None:
    for name in ("localhost", "LocalHost."):
        assert ask(FakeClient(), Question(name, 80), "/etc/hosts").targets == (Target("127.0.0.1", "::1", 80),)


class Zone:
    """What a real name server says: names and their addresses."""

    def __init__(self, **names: str) -> None:
        self.names = names
        self.asked = 0

    def query(self, query: dns.Query, timeout: object = None) -> Deferred[Any]:
        self.asked += 1
        name = query.name.name.decode().partition(".")[0]
        if name not in self.names:
            return fail(DNSNameError())
        records = []
        if query.type == dns.A:
            records = [dns.RRHeader(query.name.name, dns.A, ttl=60, payload=dns.Record_A(self.names[name], 60))]
        return succeed((records, [], []))


class RealNameServer(TestCase):
    """UDP on loopback."""

    def setUp(self) -> None:
        self.zone = Zone(api="10.1.2.3")
        protocol = dns.DNSDatagramProtocol(DNSServerFactory(clients=[self.zone]))
        protocol.noisy = False
        self.port = real_reactor.listenUDP(0, protocol, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.resolver = system_resolver(real_reactor, [("127.0.0.1", self.port.getHost().port)], "/nonexistent")

    def test_it_is_asked_and_understood(self) -> Deferred[None]:
        async def story() -> None:
            found = await self.resolver.lookup(Question("api.test.", 80))
            assert found == Answer((Target("10.1.2.3", "", 80),), 60.0)
            assert self.zone.asked == 2
            with pytest.raises(NameGoneError):
                await self.resolver.lookup(Question("nobody.test.", 80))

        return ensureDeferred(story())
