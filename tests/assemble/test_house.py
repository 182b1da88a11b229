"""From a configuration to a running house: every key reaches the object that obeys it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock
from twisted.web.resource import Resource

from proxy.assemble import House, assemble
from proxy.assemble.apps import AssemblyError
from proxy.config import load_text
from proxy.policy.resolution import Answer, Question, Target
from proxy.upstream.dial import Address
from proxy.upstream.names import NameFailedError
from proxy.upstream.pool import Pool
from tests.support.authority import Authority
from tests.support.ends import End
from tests.support.playbook import GET, OK
from tests.support.proxy import ROOT


class Root(Resource):
    """An application, for `app:`."""

    isLeaf = True

    def render(self, request: Any) -> bytes:
        return b"the application"


ROOT_MADE = Root()
NOT_A_RESOURCE = "text"


class Street:
    """A house, somebody to visit it, and the servers it calls."""

    def __init__(self, text: str, demo: int = 0) -> None:
        self.reactor = MemoryReactorClock()
        addresses = [Address("127.0.0.1", 9000 + number) for number in range(1, demo + 1)]
        self.house: House = assemble(load_text(text, "site.yaml", {}), self.reactor, addresses)

    def visit(self, number: int = 0) -> End:
        """A client of listener `number`."""
        end = End(self.reactor, IPv4Address("TCP", "192.0.2.7", 50000))
        end.joins(self.house.listeners[number].site.buildProtocol(None))
        return end

    def answer(self) -> tuple[tuple[str, int, float], End]:
        """Accept the one connection that is being made: where to and with which deadline, and the server's end."""
        [(host, port, factory, timeout, _)] = self.reactor.tcpClients
        self.reactor.tcpClients.clear()
        end = End(self.reactor, IPv4Address("TCP", host, port))
        end.joins(factory.buildProtocol(end.transport.getPeer()))
        return (host, port, timeout), end


def test_a_request_goes_from_the_listener_through_a_gate_to_the_server() -> None:
    street = Street("""
        access_log: false
        upstreams:
          api: {servers: ["http://10.0.0.1:9001"], timeouts: {connect: 3s}}
        routes:
          - {name: api, path: /api, upstream: api, gates: [{strip_prefix: /api}]}
        """)
    client = street.visit()
    client.says(b"GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n")
    where, server = street.answer()
    assert where == ("10.0.0.1", 9001, 3.0)
    assert server.takes().startswith(b"GET /x HTTP/1.1\r\nHost: a\r\nVia: 1.1 reverseproxy-")
    server.says(OK)
    client.hears(OK)


def test_each_route_waits_for_a_connection_as_long_as_it_says() -> None:
    street = Street("""
        access_log: false
        upstreams: {api: {servers: ["http://10.0.0.1:9001"], retries: 0}}
        routes:
          - {path: /short, upstream: api, timeouts: {connect: 1s}}
          - {path: /long, upstream: api, timeouts: {connect: 9s}}
          - {upstream: api}
        """)
    street.house.alarm.now = street.reactor.seconds
    clients = {path: street.visit() for path in ("/short", "/", "/long")}
    for path, client in clients.items():
        client.says(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
    assert [call[3] for call in street.reactor.tcpClients] == [9.0] * 3, "Twisted's own time, which has to do for all"
    ended = {}
    for tenth in range(1, 81):
        street.reactor.advance(0.1)
        ended |= {path: tenth / 10 for path, client in clients.items() if b"upstream.connect.timeout" in client.takes()}
    assert ended == {"/short": pytest.approx(1.0, abs=0.25), "/": pytest.approx(5.0, abs=0.25)}


def test_the_default_configuration_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    street = Street((ROOT / "config" / "routes.yaml").read_text(), demo=2)
    client = street.visit()
    client.says(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.takes().endswith(b"Hello from the proxy.\n")
    client.says(GET)
    where, _ = street.answer()
    assert where[:2] in (("127.0.0.1", 9001), ("127.0.0.1", 9002))


TARGETS = """
access_log: false
routes:
  - {path: /moved, redirect: {to: https://example.com/new, status: 308}}
  - {path: /fixed, respond: {status: 418, body: short and stout, headers: {X-A: b}}}
  - {path: /files, static: {root: %s}}
  - {path: /made, app: "resource:tests.assemble.test_house:ROOT_MADE"}
  - {path: /class, app: "resource:tests.assemble.test_house:Root"}
  - {path: /set, respond: 204, gates: [{headers: {response: {set: {X-Set: "1"}, add: {X-Add: "2"}}}}]}
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/moved/a?b", (b"HTTP/1.1 308 ", b"Location: https://example.com/new")),
        (b"/fixed", (b"HTTP/1.1 418 ", b"X-A: b\r\n", b"short and stout")),
        (b"/files/a.txt", (b"HTTP/1.1 200 ", b"file a")),
        (b"/files/", (b"HTTP/1.1 404 ",)),
        (b"/made/x", (b"HTTP/1.1 200 ", b"the application")),
        (b"/class", (b"HTTP/1.1 200 ", b"the application")),
        (b"/set", (b"HTTP/1.1 204 ", b"X-Set: 1\r\n", b"X-Add: 2\r\n")),
    ],
)
def test_each_kind_of_target_answers(tmp_path: Path, path: bytes, expected: tuple[bytes, ...]) -> None:
    (tmp_path / "a.txt").write_text("file a")
    client = Street(TARGETS % tmp_path).visit()
    client.says(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
    heard = client.takes()
    assert [part for part in expected if part not in heard] == []


def test_an_access_log_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(AssemblyError, match="No such file"):
        Street(f"access_log: {tmp_path}/none/access.log\nroutes: [{{path: /, respond: 204}}]\n")


def test_every_exchange_is_in_the_access_log(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    street = Street(f"access_log: {log}\nroutes: [{{name: r, path: /, respond: 204}}]\n")
    client = street.visit()
    client.says(GET * 3)
    street.house.close()
    assert log.read_bytes().count(b'"route":"r"') == 3


def test_limits_and_deadlines_come_from_the_configuration() -> None:
    street = Street("""
        access_log: false
        limits: {head: 1KiB, line: 1KiB, body: 10B, requests_per_connection: 2}
        timeouts: {keep_alive: 7s}
        routes:
          - {path: /, respond: 204}
          - {path: /large, respond: 204, timeouts: {response_head: 9s}, limits: {body: 1MiB}}
        """)
    client = street.visit()
    client.says(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 1000 + b"\r\n\r\n")
    assert client.takes().startswith(b"HTTP/1.1 431 ")
    client = street.visit()
    client.says(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n")
    assert client.takes().startswith(b"HTTP/1.1 413 ")
    client = street.visit()
    client.says(b"POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world")
    assert client.takes().startswith(b"HTTP/1.1 204 ")
    client = street.visit()
    client.says(GET + GET)
    assert client.takes().count(b"Connection: close") == 1
    assert street.house.listeners[0].site.deadlines.keep_alive == 7
    assert [node.deadlines.response_head for node in street.house.root.nodes] == [60, 9]


def test_all_listeners_share_one_tree() -> None:
    street = Street("""
        access_log: false
        listen: ["tcp:8080", "tcp:8081:interface=127.0.0.1:backlog=7", "unix:/tmp/none.sock"]
        routes: [{path: /, respond: {status: 200, body: same}}]
        """)
    assert [listener.description for listener in street.house.listeners] == [
        "tcp:8080",
        "tcp:8081:interface=127.0.0.1:backlog=7",
        "unix:/tmp/none.sock",
    ]
    for number in range(3):
        client = street.visit(number)
        client.says(GET)
        assert client.takes().endswith(b"same")
        street.house.listeners[number].endpoint.listen(street.house.listeners[number].site)
    assert [(port, backlog, interface) for port, _, backlog, interface in street.reactor.tcpServers] == [
        (8080, 1024, ""),
        (8081, 7, "127.0.0.1"),
    ]


def test_two_processes_with_one_configuration_are_no_loop() -> None:
    text = "access_log: false\nroutes: [{path: /, upstream: 'http://10.0.0.1:9001'}]\n"
    vias = set()
    for _ in range(2):
        street = Street(text)
        street.visit().says(GET)
        _, server = street.answer()
        vias.add(server.takes().partition(b"Via: ")[2].partition(b"\r\n")[0])
    assert len(vias) == 2


# --- a house that follows another ---------------------------------------------------------------------------------


class Names:
    """A resolver that knows one address, or nothing."""

    def __init__(self) -> None:
        self.answers = True

    async def lookup(self, question: Question) -> Answer:
        if not self.answers:
            raise NameFailedError("no name server answers")
        return Answer((Target("10.0.0.9", "", question.port),), 30.0)


class Succession:
    """One upstream, that changes from one house to the next."""

    TEXT = "access_log: false\nupstreams: {api: {%s}}\nroutes: [{upstream: api%s}]\n"

    def __init__(self, upstream: str) -> None:
        self.reactor = MemoryReactorClock()
        self.names = Names()
        self.house = assemble(load_text(self.TEXT % (upstream, ""), "x.yaml", {}), self.reactor, resolver=self.names)
        self.house.alarm.now = self.reactor.seconds
        self.house.start()

    def becomes(self, upstream: str, route: str = "") -> None:
        loaded = load_text(self.TEXT % (upstream, route), "x.yaml", {})
        self.house, _ = assemble(loaded, self.reactor, (), self.house, self.names).succeed(self.house)

    @property
    def pool(self) -> Pool:
        return self.house.pools["api"]


STATIC = "servers: [http://10.0.0.1, http://10.0.0.2]"


def test_servers_that_stay_the_same_are_the_same_though_others_come_and_go() -> None:
    succession = Succession(STATIC)
    pool, first = succession.pool, succession.pool.servers[0]
    succession.becomes("servers: [http://10.0.0.1, {url: http://10.0.0.2, weight: 2}]")
    assert succession.pool is pool
    assert succession.pool.servers[0] is first
    assert [server.weight for server in pool.servers] == [1, 2]
    assert all(server.owner is pool for server in pool.servers)


def test_the_most_patient_route_says_how_long_a_connection_may_take() -> None:
    succession = Succession(STATIC)
    servers = succession.pool.servers
    succession.becomes(STATIC, ", timeouts: {connect: 1s}")
    assert succession.pool.plan.connect_seconds == 5.0
    succession.becomes(STATIC, ", timeouts: {connect: 6s}")
    assert succession.pool.plan.connect_seconds == 6.0
    assert succession.pool.servers == servers
    assert {server.plan.connect_seconds for server in servers} == {6.0}


@pytest.mark.parametrize(
    "numbers",
    [
        "servers: [http://10.0.0.1, {url: http://10.0.0.2, weight: 2}, http://10.0.0.3]",
        "servers: [http://10.0.0.1, {url: http://10.0.0.2, backup: true}]",
        f"{STATIC}, connections: 3",
        f"{STATIC}, idle_connections: 3, idle: 2s",
        f"{STATIC}, timeouts: {{connect: 2s}}",
        f"{STATIC}, ejection: {{failures: 2}}",
        f"{STATIC}, ejection: false",
        f"{STATIC}, queue: 3, slow_start: 5s",
    ],
)
def test_servers_stay_the_same_whatever_number_changes(numbers: str) -> None:
    succession = Succession(STATIC)
    before = succession.pool.servers
    succession.becomes(numbers)
    assert succession.pool.servers[:2] == before
    succession.becomes(STATIC)
    assert succession.pool.servers == before
    plan = before[1].plan
    assert (plan.weight, plan.priority, plan.connections, before[1].weight, before[1].room) == (1, 0, 256, 1, 256)
    ejection = before[1].condition.ejection
    assert ejection is not None
    assert ejection.policy.failures == 5


@pytest.mark.parametrize(
    "other",
    [
        "servers: [http://10.0.0.1, http://10.0.0.9]",
        "servers: [http://10.0.0.1, https://10.0.0.2]",
        f"{STATIC}, health: /other",
        f"{STATIC}, agent: 9999",
    ],
)
def test_a_server_that_is_another_is_new_and_starts_slowly(other: str) -> None:
    succession = Succession(f"{STATIC}, health: /")
    succession.becomes(f"{STATIC}, slow_start: 10s")
    succession.reactor.advance(1.0)
    before = succession.pool.servers[1]
    succession.becomes(f"{other}, slow_start: 10s")
    after = succession.pool.servers[1]
    assert after is not before
    assert not before.has_room, "it drains"
    assert after.since == succession.reactor.seconds()
    assert after.has_room


def test_the_servers_of_a_start_do_not_start_slowly() -> None:
    succession = Succession(f"{STATIC}, slow_start: 10s")
    assert all(server.since < 0 for server in succession.pool.servers)


def test_a_name_that_a_reload_adds_starts_slowly_and_who_was_there_does_not() -> None:
    succession = Succession("servers: [http://api.internal]")
    succession.reactor.advance(1.0)
    succession.becomes("servers: [http://api.internal, http://other.internal:81, http://10.0.0.1]")
    known, other, fixed = succession.pool.servers
    assert known.since < 0
    assert (other.since, fixed.since) == (1.0, 1.0)
    assert all(server.has_room for server in succession.pool.servers)
    succession.becomes("servers: [{url: http://api.internal, weight: 3}, http://other.internal:81, http://10.0.0.1]")
    assert succession.pool.servers == (known, other, fixed)
    assert (known.weight, known.since) == (3, known.since)


def test_a_circuit_stays_open_unless_its_breaker_changes() -> None:
    succession = Succession(f"{STATIC}, breaker: {{ratio: 0.5}}")
    breaker = succession.pool.breaker
    assert breaker is not None
    succession.becomes(f"{STATIC}, breaker: {{ratio: 0.5}}, queue: 3")
    assert succession.pool.breaker is breaker
    assert succession.pool.guarded
    succession.becomes(f"{STATIC}, breaker: {{ratio: 0.6}}")
    assert succession.pool.breaker is not breaker
    succession.becomes(STATIC)
    assert not succession.pool.guarded


def test_sessions_stick_although_their_key_was_made_up() -> None:
    succession = Succession(f"{STATIC}, sticky: {{cookie: sid}}")
    sticky = succession.pool.sticky
    succession.becomes("servers: [http://10.0.0.1], sticky: {cookie: sid}")
    assert succession.pool.sticky is sticky
    succession.becomes("servers: [http://10.0.0.1], sticky: {cookie: other}")
    assert succession.pool.sticky is not sticky


def test_names_stay_known_though_no_name_server_answers_just_now() -> None:
    succession = Succession("servers: [http://api.internal]")
    [server] = succession.pool.servers
    succession.names.answers = False
    succession.becomes("servers: [http://api.internal], queue: 3")
    assert succession.pool.servers == (server,)
    assert succession.pool.plan.queue == 3


def test_servers_behind_a_name_stay_when_another_line_comes() -> None:
    succession = Succession("servers: [http://api.internal]")
    [server] = succession.pool.servers
    succession.becomes("servers: [http://api.internal, http://10.0.0.1]")
    assert succession.pool.servers[0] is server
    static = succession.pool.servers[1]
    succession.becomes("servers: [http://api.internal, http://10.0.0.1, http://10.0.0.2]")
    assert succession.pool.servers[:2] == (server, static)


def test_a_log_that_was_opened_for_nothing_is_closed(tmp_path: Path) -> None:
    text = f"access_log: {tmp_path}/%s.log\nroutes: [{{path: /, respond: 204}}]\n"
    reactor = MemoryReactorClock()
    standing = assemble(load_text(text % "one", "x.yaml", {}), reactor)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("two", "one"):
        assemble(load_text(text % name, "x.yaml", {}), reactor, (), standing).discard(standing)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert standing.access_log is not None
    assert repr(standing.access_log).startswith("<AccessLog")
    standing.close()


def test_a_redirect_to_https_shows_nothing_and_is_for_every_host(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one = authority.issue("staff.test")
    street = Street(
        "listen:\n"
        "  - tcp:8080\n"
        "  - {endpoint: tcp:80, redirect: https}\n"
        "  - endpoint: tcp:443\n"
        f"    tls: {{certificates: {{cert: {one.cert}, key: {one.key}, client: {{ca: {authority.ca}}}}}}}\n"
        "routes: [{path: /, respond: 204}]\n"
    )
    asking = b"GET /a HTTP/1.1\r\nHost: staff.test\r\n\r\n"
    refused, redirected = street.visit(0), street.visit(1)
    refused.says(asking)
    redirected.says(asking)
    assert refused.takes().startswith(b"HTTP/1.1 421 ")
    heard = redirected.takes()
    assert heard.startswith(b"HTTP/1.1 308 ")
    assert b"Location: https://staff.test/a\r\n" in heard
