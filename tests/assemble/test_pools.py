"""From the wishes for upstreams to pools: every key arrives where it belongs."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock

from proxy.alarm import Alarm
from proxy.assemble.pools import PoolBuilder, connect_seconds, tls_of_upstreams
from proxy.balance.key import KeyRule, Source
from proxy.config import Config, load_text
from proxy.message import Fields
from proxy.policy.resolution import Answer, Question, Target
from proxy.policy.retry import RetryPolicy
from proxy.tls.client import ClientPlan, ClientTls
from proxy.upstream.dial import Address
from proxy.upstream.factory import ProxyClientFactory
from proxy.upstream.pool import Pool


class Names:
    """Knows one name."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def lookup(self, question: Question) -> Coroutine[Any, Any, Answer]:
        self.asked.append(question)
        return self._answer(question)

    async def _answer(self, question: Question) -> Answer:
        targets = (Target("10.0.0.1", "2001:db8::1", question.port or 8001, 3, 0), Target("10.0.0.2", "", 8002, 1, 1))
        return Answer(targets, 30.0)


class Yard:
    """Where pools are built."""

    def __init__(self, upstream: str) -> None:
        self.reactor = MemoryReactorClock()
        self.names = Names()
        text = f"demo: 2\nupstreams: {{api: {{{upstream}}}}}\nroutes: [{{upstream: api}}]\n"
        config = load_text(text, "x.yaml", {}).require()
        demo = [Address("127.0.0.1", 1001), Address("127.0.0.1", 1002)]
        alarm = Alarm(self.reactor, self.reactor.seconds)
        builder = PoolBuilder(config, self.reactor, alarm, demo, self.names)
        self.pool: Pool = builder.build("api", config.upstreams["api"])

    @property
    def servers(self) -> tuple[ProxyClientFactory, ...]:
        return self.pool.servers

    def connects_to(self) -> list[tuple[str, int]]:
        return [(call[0], call[1]) for call in self.reactor.tcpClients]


def test_a_dial_may_take_as_long_as_the_most_patient_route() -> None:
    text = """
        upstreams:
          one: {servers: [http://10.0.0.1], timeouts: {connect: 2s}}
          two: {servers: [http://10.0.0.2]}
        routes:
          - {path: /one, upstream: one, timeouts: {connect: 1s}}
          - {path: /two, upstream: two, timeouts: {connect: 9s}}
          - {path: /both, split: [{upstream: one}, {upstream: two}], timeouts: {connect: 3s}}
        """
    assert connect_seconds(load_text(text, "x.yaml", {}).require()) == {"one": 3.0, "two": 9.0}


def test_tls_to_servers_stays_with_its_sessions_while_it_is_wished_for() -> None:
    def builder(text: str, standing: dict[ClientPlan, ClientTls]) -> tuple[Config, PoolBuilder]:
        config = load_text(f"upstreams: {text}\nroutes: [{{respond: 204}}]\n", "x.yaml", {}).require()
        clock = MemoryReactorClock()
        made = PoolBuilder(config, clock, Alarm(clock, clock.seconds), (), None, standing)
        for name, wish in config.upstreams.items():
            made.build(name, wish)
        return config, made

    config, first = builder("{a: {servers: https://127.0.0.1}, b: {servers: http://127.0.0.1}}", {})
    [(name, tls)] = tls_of_upstreams(config, first.client_tls)
    assert name == "a"
    more = "{a: {servers: [https://127.0.0.2]}, c: {servers: [https://127.0.0.1], tls: {name: c.test}}}"
    config, second = builder(more, first.client_tls)
    assert dict(tls_of_upstreams(config, second.client_tls))["a"] is tls
    config, third = builder("{c: {servers: [https://127.0.0.1], tls: {name: c.test}}}", second.client_tls)
    assert [plan.name for plan in third.client_tls] == ["c.test"]


TWO = "servers: [http://10.0.0.1, http://10.0.0.2:81]"


def test_servers_as_they_are_written() -> None:
    yard = Yard(
        "servers: [demo:2, {url: 'http://10.0.0.2', weight: 4, name: big}, {url: 'unix:/run/x.sock', backup: true}, "
        "{url: 'http://[::1]:82', priority: 7}], connections: 9, idle_connections: 3, idle: 2s, idle_max: 8s"
    )
    assert [(server.name, server.weight, server.priority) for server in yard.servers] == [
        ("demo:2", 1, 0),
        ("big", 4, 0),
        ("unix:/run/x.sock", 1, 1),
        ("http://[::1]:82", 1, 7),
    ]
    assert [str(server.plan.address) for server in yard.servers] == [
        "127.0.0.1:1002",
        "10.0.0.2:80",
        "unix:/run/x.sock",
        "[::1]:82",
    ]
    plan = yard.servers[0].plan
    assert (plan.connections, plan.idle_connections, plan.idle_seconds, plan.idle_max_seconds) == (9, 3, 2.0, 8.0)


def test_what_is_not_asked_for_is_not_there() -> None:
    pool = Yard(TWO).pool
    assert pool.sticky is None
    assert pool.breaker is None
    assert pool.roster is None
    assert pool.plan.retry == RetryPolicy()
    assert pool.plan.key is None
    for server in pool.servers:
        assert server.attendants == ()
        assert server.condition.threshold is None
        assert server.condition.ejection is not None


def test_retries_queue_key_and_breaker() -> None:
    pool = Yard(
        f"{TWO}, balance: {{hash: 'header:X-User'}}, queue: {{size: 3, wait: 2s}}, breaker: {{trials: 7}}, "
        "ejection: false, retries: {count: 2, statuses: 503, any_method: true, budget: 10%, min: 1, "
        "per_try: 1s, total: 5s, hedge_after: 100ms}"
    ).pool
    assert pool.plan.retry == RetryPolicy(2, frozenset({503}), True, 0.1, 1, 1.0, 5.0, 0.1)
    assert (pool.plan.queue, pool.plan.queue_seconds) == (3, 2.0)
    assert pool.plan.key == KeyRule(Source.HEADER, b"x-user")
    assert pool.breaker is not None
    assert pool.servers[0].condition.ejection is None


def test_each_server_has_health_of_its_own_and_somebody_who_asks() -> None:
    yard = Yard(f"{TWO}, health: {{path: /up, port: 9000, interval: 5s, timeout: 1s, initial: down}}")
    one, two = yard.servers
    assert one.condition is not two.condition
    assert not one.available
    yard.pool.start()
    yard.reactor.pump([0.1] * 15)
    assert sorted(yard.connects_to()) == [("10.0.0.1", 9000), ("10.0.0.2", 9000)]
    yard.pool.close()
    yard.reactor.advance(100)
    assert len(yard.connects_to()) == 2


def test_nobody_is_asked_before_the_start() -> None:
    yard = Yard(f"{TWO}, health: tcp")
    yard.reactor.advance(100)
    assert yard.connects_to() == []


@pytest.mark.parametrize(
    ("words", "scheme", "said"),
    [
        ("", b"http", b"; Path=/; SameSite=Lax; HttpOnly"),
        ("", b"https", b"; Path=/; SameSite=Lax; HttpOnly; Secure"),
        (", secure: true, http_only: false", b"http", b"; Path=/; SameSite=Lax; Secure"),
        (", same_site: strict, max_age: 1h, path: /a", b"http", b"; Path=/a; SameSite=Strict; Max-Age=3600; HttpOnly"),
    ],
)
def test_a_sticky_cookie(words: str, scheme: bytes, said: bytes) -> None:
    sticky = f"{TWO}, sticky: {{cookie: srv, key: 0123456789abcdef{words}}}"
    one, other = Yard(sticky), Yard(sticky)
    assert one.pool.sticky is not None
    assert other.pool.sticky is not None
    cookie = one.pool.sticky.set_cookie(one.servers[1], scheme)
    crumb, semicolon, attributes = cookie.partition(b";")
    assert crumb.startswith(b"srv=")
    assert semicolon + attributes == said
    fields = Fields([(b"Cookie", crumb)])
    assert other.pool.sticky.find(fields, other.servers) is other.servers[1], "it survives a restart"


def test_without_a_key_the_cookie_ends_with_the_process() -> None:
    yard, other = Yard(f"{TWO}, sticky: srv"), Yard(f"{TWO}, sticky: srv")
    assert yard.pool.sticky is not None
    assert other.pool.sticky is not None
    assert yard.pool.sticky.token(yard.servers[0]) != other.pool.sticky.token(other.servers[0])


def test_a_name_is_as_many_servers_as_it_has_addresses() -> None:
    yard = Yard("servers: [{url: 'http://api.test:81', weight: 2}], health: tcp, host: upstream")
    assert yard.servers == ()
    yard.pool.start()
    assert yard.names.asked == [Question("api.test", 81, False)]
    assert [(server.name, server.weight, server.priority) for server in yard.servers] == [
        ("api.test@10.0.0.1:81", 6, 0),
        ("api.test@10.0.0.2:8002", 2, 1),
    ]
    assert yard.servers[0].authority == b"api.test:81"
    yard.reactor.pump([0.1] * 15)
    assert set(yard.connects_to()) == {("2001:db8::1", 81), ("10.0.0.1", 81), ("10.0.0.2", 8002)}
    yard.pool.close()


def test_a_service_is_asked_for_as_one() -> None:
    yard = Yard("servers: 'srv://_http._tcp.api.test'")
    yard.pool.start()
    assert yard.names.asked == [Question("_http._tcp.api.test", 0, True)]
    assert [str(server.plan.address) for server in yard.servers] == ["10.0.0.1:8001", "10.0.0.2:8002"]
    assert yard.servers[0].authority == b"api.test"


@pytest.mark.parametrize("panic", ["true", "50%"])
def test_panic_uses_servers_that_seem_bad(panic: str) -> None:
    for words, usable in ((f", panic: {panic}", True), ("", False)):
        yard = Yard(f"{TWO}, health: {{path: /, initial: down}}{words}")
        chosen = yard.pool._choice.choose(yard.servers, None, 0.0, yard.pool._random)
        assert (chosen is not None) is usable
