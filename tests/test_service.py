"""Stories of the service: it starts, changes, drains and stops; what it cannot have it says in words."""

from __future__ import annotations

import collections
import gc
import os
import signal
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.web.resource import Resource

from proxy.admin.control import Refused
from proxy.config import ConfigError
from proxy.explain.accept import Examined, examine
from proxy.limits import LINGER_SECONDS
from proxy.ports import StartError
from proxy.service import WAITING_RELOADS, ProxyService, State
from tests.support.ends import End
from tests.support.playbook import GET

SLOW = "listen: ['tcp:8080', 'tcp:8081']\naccess_log: false\nroutes: [{path: /, upstream: 'http://10.0.0.1:9001'}]\n"
DEMO = "listen: ['tcp:8080']\naccess_log: false\ndemo: 2\nroutes: [{path: /, upstream: 'demo:1'}]\n"


class Threads:
    """One thread, which works at once, or when it is told to.

    @ivar held: what waits for `work`; None for working at once.
    """

    def __init__(self) -> None:
        self.held: list[Callable[[], None]] | None = None

    def callInThreadWithCallback(self, told: Callable[[bool, Any], None], do: Callable[[], Any]) -> None:
        def work() -> None:
            try:
                result = do()
            except Exception:  # noqa: BLE001 - as a thread pool does
                told(False, Failure())
            else:
                told(True, result)

        if self.held is None:
            work()
        else:
            self.held.append(work)

    def work(self) -> None:
        """Do the next thing that waits."""
        assert self.held
        self.held.pop(0)()


class Street(MemoryReactorClock):
    """A reactor whose ports note when they are closed, and of which one may be taken."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = -1
        self.closed: list[int] = []
        self.threads = Threads()

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        if port == self.taken:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))
        listening: Any = super().listenTCP(port, factory, backlog, interface)
        listening.stopListening = lambda: self.closed.append(port)
        listening.factory = factory
        return listening

    def getThreadPool(self) -> Threads:
        return self.threads

    def callFromThread(self, call: Callable[..., Any], *args: Any, **named: Any) -> None:
        call(*args, **named)

    def visit(self, port: int = 8080) -> End:
        """A client of `port`."""
        factory: Any
        factory = [factory for number, factory, _, _ in self.tcpServers if number == port][-1]
        end = End(self, IPv4Address("TCP", "192.0.2.7", 50000))
        end.joins(factory.buildProtocol(None))
        return end


@pytest.fixture(autouse=True)
def hangup() -> Iterator[None]:
    """The service listens to signals, and stops the collector from looking; the tests' process should not."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGUSR1)}
    threshold = gc.get_threshold()
    yield
    for number, heard in before.items():
        signal.signal(number, heard)
    gc.unfreeze()
    gc.set_threshold(*threshold)


def made(tmp_path: Path, text: str = SLOW) -> tuple[Street, ProxyService]:
    path = tmp_path / "site.yaml"
    path.write_text(text)

    def look() -> Examined:
        return examine(str(path), {})

    street = Street()
    return street, ProxyService(look(), street, look, drain_seconds=30)


def started(tmp_path: Path, text: str = SLOW) -> tuple[Street, ProxyService]:
    street, service = made(tmp_path, text)
    service.privilegedStartService()
    assert service.house is not None
    service.house.alarm.now = street.seconds
    service.startService()
    return street, service


def stopping(service: ProxyService) -> list[object]:
    """Stop; tells when it has."""
    told: list[object] = []
    service.stopService().addCallback(told.append)
    return told


def test_it_listens_where_it_is_told_before_privileges_are_dropped(tmp_path: Path) -> None:
    street, service = made(tmp_path)
    assert repr(service).startswith("<ProxyService created ")
    service.privilegedStartService()
    assert [port for port, *_ in street.tcpServers] == [8080, 8081]
    service.startService()
    assert service.running
    assert repr(service).startswith("<ProxyService serving ")
    stopping(service)


def test_a_port_that_is_taken_is_told_in_words_and_the_others_are_given_back(tmp_path: Path) -> None:
    street, service = made(tmp_path)
    street.taken = 8081
    with pytest.raises(StartError, match="cannot listen on tcp:8081: Address already in use"):
        service.privilegedStartService()
    assert street.closed == [8080]


def test_demo_servers_listen_on_loopback_only(tmp_path: Path) -> None:
    street, service = started(tmp_path, DEMO)
    assert [interface for port, _, _, interface in street.tcpServers if port == 0] == ["127.0.0.1"] * 2
    assert stopping(service) == [None]
    assert sorted(street.closed) == [0, 0, 8080]


def test_with_nobody_there_it_stops_at_once(tmp_path: Path) -> None:
    street, service = started(tmp_path)
    assert stopping(service) == [None]
    assert service.state is State.STOPPED
    assert sorted(street.closed) == [8080, 8081]


def test_idle_clients_are_sent_away_and_exchanges_may_end(tmp_path: Path) -> None:
    street, service = started(tmp_path)
    idle, busy = street.visit(), street.visit(8081)
    busy.says(GET)
    [(_, _, factory, _, _)] = street.tcpClients
    server = End(street, IPv4Address("TCP", "10.0.0.1", 9001))
    server.joins(factory.buildProtocol(server.transport.getPeer()))
    told = stopping(service)
    street.pump([0.1] * int(LINGER_SECONDS * 10 + 5))
    assert idle.closed is not None
    assert told == []
    assert repr(service).startswith("<ProxyService draining ")
    server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert b"Connection: close\r\n" in busy.takes()
    assert told == [None]
    assert service.state is State.STOPPED
    street.advance(0)
    assert server.closed is not None


def test_whoever_does_not_end_in_time_is_cut(tmp_path: Path) -> None:
    street, service = started(tmp_path)
    client = street.visit()
    client.says(GET)
    told = stopping(service)
    street.pump([0.1] * 299)
    assert told == []
    street.pump([0.1] * 5)
    assert told == [None]
    assert client.was_cut


ORDERED = """
access_log: false
state: %s
listen: ["tcp:8080", {endpoint: "tcp:8443", tls: {acme: {directory: "https://ca.test/d", names: a.test}}}]
routes: [{path: /, upstream: "http://10.0.0.1:9001"}]
"""


def test_what_is_ordered_is_given_up_with_the_doors_not_with_the_last_client(tmp_path: Path) -> None:
    """The authority finds nobody any more: it would refuse, and the next start would wait for ten minutes."""
    street, service = started(tmp_path, ORDERED % tmp_path)
    street.visit().says(GET)
    assert service.house is not None
    assert service.house.office is not None
    [caretaker] = service.house.office.caretakers.values()
    assert "at work" in repr(caretaker)
    told = stopping(service)
    assert "at work" not in repr(caretaker)
    assert told == []


def test_it_may_be_stopped_before_it_was_started(tmp_path: Path) -> None:
    _, service = made(tmp_path)
    assert stopping(service) == [None]


# --- change -------------------------------------------------------------------------------------------------------


HELLO = "listen: ['tcp:8080']\naccess_log: false\nroutes: [{name: r, path: /, respond: {body: %s}}]\n"


class App(Resource):
    """An application that counts how often it was made."""

    isLeaf = True
    made = 0

    def __init__(self) -> None:
        super().__init__()
        App.made += 1


def reloading(service: ProxyService) -> list[Any]:
    """Reload; the changes or the failure will be in the list."""
    told: list[Any] = []
    Deferred.fromCoroutine(service.reload()).addBoth(told.append)
    return told


def changed(tmp_path: Path, service: ProxyService, text: str) -> Any:
    """What became of a reload with `text`."""
    (tmp_path / "site.yaml").write_text(text)
    [outcome] = reloading(service)
    return outcome


def says(client: End) -> bytes:
    client.says(GET)
    return client.takes().rpartition(b"\r\n\r\n")[2]


def test_a_connection_that_stays_gets_the_new_answers(tmp_path: Path) -> None:
    street, service = started(tmp_path, HELLO % "one")
    client = street.visit()
    assert says(client) == b"one"
    [change] = changed(tmp_path, service, HELLO % "two")
    assert (change.verb, change.kind, change.name) == ("changed", "route", "r")
    assert says(client) == b"two"
    assert street.closed == []
    assert service.reloads == (1, 0, "")
    stopping(service)


def test_a_listener_is_added_and_another_removed(tmp_path: Path) -> None:
    street, service = started(tmp_path, HELLO % "one")
    idle = street.visit()
    assert says(idle) == b"one"
    changes = changed(tmp_path, service, (HELLO % "two").replace("8080", "8082"))
    assert [(change.verb, change.name) for change in changes[:2]] == [("added", "tcp:8082"), ("removed", "tcp:8080")]
    street.pump([0.1] * 20)
    assert street.closed == [8080]
    assert idle.closed is not None
    assert says(street.visit(8082)) == b"two"
    assert service.leaving == set()
    stopping(service)


def test_a_stop_waits_for_clients_of_removed_listeners_too(tmp_path: Path) -> None:
    street, service = started(tmp_path, SLOW)
    busy = street.visit(8081)
    busy.says(GET)
    [(_, _, factory, _, _)] = street.tcpClients
    server = End(street, IPv4Address("TCP", "10.0.0.1", 9001))
    server.joins(factory.buildProtocol(server.transport.getPeer()))
    changed(tmp_path, service, HELLO % "two")
    told = stopping(service)
    assert told == []
    server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert busy.takes().endswith(b"ok")
    street.pump([0.1] * 30)
    assert told == [None]


def test_clients_of_removed_listeners_are_cut_when_their_time_is_over(tmp_path: Path) -> None:
    street, service = started(tmp_path, SLOW)
    client = street.visit(8081)
    client.says(GET)
    changed(tmp_path, service, HELLO % "two")
    street.pump([0.5] * 58)
    assert client.closed is None
    street.pump([0.5] * 8)
    assert client.was_cut
    street.pump([0.5] * 4)
    assert service.leaving == set()
    stopping(service)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("routes: [{upstream: nobody}]\n", "nobody"),
        ("listen: ['tcp:8080', 'tcp:8083', 'tcp:8084']\n" + HELLO[HELLO.index("access") :] % "two", "tcp:8084"),
        ("routes: [{app: 'resource:tests.none:X'}]\n", "site.yaml:1:16: error: `resource:tests.none:X`"),
        ("access_log: /no/such/folder/log\nroutes: []\n", "site.yaml:1:13: error: the access log"),
    ],
)
def test_what_is_refused_changes_nothing(tmp_path: Path, text: str, words: str) -> None:
    street, service = started(tmp_path, HELLO % "one")
    client = street.visit()
    street.taken = 8084
    house = service.house
    outcome = changed(tmp_path, service, text)
    assert outcome.check(ConfigError, StartError)
    assert words in outcome.getErrorMessage() + str(outcome.value)
    assert service.house is house
    assert says(client) == b"one"
    assert street.closed in ([], [8083]), "what was opened on the way is closed again"
    assert service.reloads[:2] == (0, 1)
    assert words in service.reloads.error
    assert changed(tmp_path, service, HELLO % "two")
    assert service.reloads == (1, 1, "")
    stopping(service)


def test_an_accident_changes_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, service = started(tmp_path, HELLO % "one")
    house = service.house

    def fail(*args: Any, **named: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("proxy.service.assemble", fail)
    assert changed(tmp_path, service, HELLO % "two").check(RuntimeError)
    assert service.house is house
    assert service.reloads == (0, 1, "a bug")
    assert gc.isenabled()
    stopping(service)


def test_reloads_come_one_after_the_other(tmp_path: Path) -> None:
    street, service = started(tmp_path, HELLO % "one")
    street.threads.held = []
    (tmp_path / "site.yaml").write_text(HELLO % "two")
    first = reloading(service)
    street.threads.work()  # it has read the file
    (tmp_path / "site.yaml").write_text(HELLO % "three")
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGHUP)
    second = reloading(service)
    while street.threads.held:
        street.threads.work()
    assert len(first[0]) == len(second) == 1
    assert service.reloads.accepted == 3, "the two signals are one reload"
    assert says(street.visit()) == b"three"
    stopping(service)


def test_only_so_many_wait(tmp_path: Path) -> None:
    street, service = started(tmp_path, HELLO % "one")
    street.threads.held = []
    waiting = [reloading(service) for _ in range(WAITING_RELOADS + 1)]
    [refusal] = reloading(service)
    assert refusal.check(Refused)
    while street.threads.held:
        street.threads.work()
    assert all(len(told) == 1 for told in waiting)
    stopping(service)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_stop_in_the_middle_is_a_stop(tmp_path: Path, steps: int) -> None:
    street, service = started(tmp_path, HELLO % "one")
    street.threads.held = []
    (tmp_path / "site.yaml").write_text((HELLO % "two").replace("8080", "8082"))
    told = reloading(service)
    for _ in range(steps):
        street.threads.work()
    assert stopping(service) == [None]
    while street.threads.held:
        street.threads.work()
    assert told[0].check(Refused)
    assert service.state is State.STOPPED
    assert [port for port, *_ in street.tcpServers] == [8080]


def test_before_the_start_there_is_nothing_to_reload(tmp_path: Path) -> None:
    _, service = made(tmp_path)
    assert reloading(service)[0].check(Refused)
    assert service.reloads == (0, 0, "")


def test_unchanged_upstreams_and_applications_are_the_same_objects(tmp_path: Path) -> None:
    text = (
        "access_log: false\nupstreams: {a: {servers: ['http://10.0.0.1']}, b: {servers: ['http://10.0.0.2']%s}}\n"
        "routes: [{path: /a, upstream: a}, {path: /b, upstream: b}, {app: 'resource:tests.test_service:App'}%s]\n"
    )
    App.made = 0
    _, service = started(tmp_path, text % ("", ""))
    assert service.house is not None
    pools, servers = dict(service.house.pools), service.house.pools["b"].servers
    changed(tmp_path, service, text % (", queue: 3", ", {path: /c, respond: 204}"))
    assert service.house.pools == pools
    assert service.house.pools["b"].servers == servers, "its server is what it was"
    assert service.house.pools["b"].plan.queue == 3
    assert App.made == 1
    stopping(service)


def test_the_demo_grows_and_shrinks(tmp_path: Path) -> None:
    street, service = started(tmp_path, DEMO)
    changed(tmp_path, service, DEMO.replace("demo: 2", "demo: 3"))
    assert sum(port == 0 for port, *_ in street.tcpServers) == 3
    changed(tmp_path, service, DEMO.replace("demo: 2", "demo: 1"))
    assert street.closed == [0, 0]
    changed(tmp_path, service, DEMO.replace("demo: 2", "demo: 2\ntests: [{request: GET http://a/, status: 1}]"))
    assert street.closed == [0, 0]
    stopping(service)


def test_each_log_gets_its_lines(tmp_path: Path) -> None:
    text = f"access_log: {tmp_path}/%s.log\n{SLOW.replace('access_log: false', '')}"
    street, service = started(tmp_path, text % "one")
    clients = [street.visit(8080), street.visit(8081)]
    servers = []
    for client in clients:
        client.says(GET)
        server = End(street, IPv4Address("TCP", "10.0.0.1", 9001))
        server.joins(street.tcpClients.pop()[2].buildProtocol(server.transport.getPeer()))
        servers.append(server)
    changed(tmp_path, service, (text % "two").replace(", 'tcp:8081'", ""))
    for server in servers:
        server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    street.pump([0.1] * 40)
    assert [(tmp_path / f"{name}.log").read_bytes().count(b"\n") for name in ("one", "two")] == [1, 1]
    assert service.leaving == set()
    stopping(service)


def test_signals_open_the_log_anew_after_what_twistd_does(tmp_path: Path) -> None:
    heard: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    log = tmp_path / "access.log"
    street, service = started(tmp_path, f"access_log: {log}\nroutes: [{{path: /, respond: 204}}]\n")
    for number in (signal.SIGUSR1, signal.SIGHUP):
        log.rename(tmp_path / "moved")
        os.kill(os.getpid(), number)
        assert log.exists()
    assert heard == [signal.SIGUSR1]
    assert service.reloads.accepted == 1
    log.unlink()
    log.mkdir()
    with pytest.raises(StartError, match="cannot be opened anew"):
        service.reopen()
    os.kill(os.getpid(), signal.SIGUSR1)  # told in the log
    says(street.visit())
    stopping(service)


ADMIN = "admin: {listen: 'tcp:9180:interface=127.0.0.1', token: 0123456789abcde%s}\n"


def test_the_control_site_moves_too(tmp_path: Path) -> None:
    street, service = started(tmp_path, ADMIN % "f" + HELLO % "one")

    def ask(token: str) -> bytes:
        end = End(street, IPv4Address("TCP", "127.0.0.1", 50000))
        [port] = [port for port in service._ports if port.getHost().port == 9180]
        end.joins(port.factory.buildProtocol(end.transport.getPeer()))
        end.says(
            f"POST /reopen HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".encode()
        )
        return end.takes()[9:12]

    assert ask("0123456789abcdef") == b"200"
    changed(tmp_path, service, ADMIN % "0" + HELLO % "one")
    assert ask("0123456789abcdef") == b"401"
    assert ask("0123456789abcde0") == b"200"
    changed(tmp_path, service, (ADMIN % "0").replace("9180", "9181") + HELLO % "one")
    assert street.closed == [9180]
    changed(tmp_path, service, HELLO % "one")
    assert street.closed == [9180, 9181]
    stopping(service)


# --- what a reload leaves behind --------------------------------------------------------------------------------

CHANGING = """
access_log: false
listen: ['tcp:8080']
upstreams:
  app: {{servers: [{{url: 'http://10.0.0.1:9001', weight: {number}}}, 'http://10.0.0.2:{number}'],
        health: {{path: /, interval: 1h}}}}
  hedged: {{servers: ['http://10.0.0.3:9001'], queue: {{size: {number}}}, retries: {{hedge_after: 50ms, per_try: 1s}}}}
  stays: {{servers: ['http://10.0.0.4:9001'], sticky: {{cookie: s}}, breaker: {{}}}}
  gone{number}: {{servers: ['http://10.0.0.5:9001']}}
routes:
  - {{path: /a, upstream: app, gates: [{{strip_prefix: /a}}, {{headers: {{response: {{set: {{X-N: '{number}'}}}}}}}}]}}
  - {{path: /b, split: [{{upstream: stays, weight: 1}}, {{upstream: gone{number}, weight: 2}}]}}
  - {{path: /c, upstream: hedged}}
  - {{path: /d, respond: {{body: '{number}'}}}}
  - {{path: /e, static: {root}}}
"""


def test_old_houses_go_at_once_and_leave_little_to_the_collector(tmp_path: Path) -> None:
    """A collector that is to find what a reload leaves would hold up everybody, and `gc.freeze` hides it for ever."""
    reloads = 20
    street, service = started(tmp_path, CHANGING.format(number=1, root=tmp_path))
    kept = street.visit()
    old: list[tuple[int, str, weakref.ref[Any]]] = []
    gc.collect()
    gc.disable()
    try:
        for number in range(2, reloads + 2):
            house = service.house
            assert house is not None
            gone, changed = house.pools[f"gone{number - 1}"], house.pools["app"].servers[1]
            parts: list[Any] = [house.root, house.root.router, house.loaded.tree, house.config, house.admission]
            parts += [gone, *gone.servers, changed, *(node._proceed for node in house.root.nodes)]
            old += [(number, repr(part), weakref.ref(part)) for part in parts]
            del house, gone, changed, parts
            (tmp_path / "site.yaml").write_text(CHANGING.format(number=number, root=tmp_path))
            reload_now(service)
            kept.says(b"GET /d HTTP/1.1\r\nHost: a\r\n\r\n")
            assert kept.takes().endswith(str(number).encode())
            street.pump([0.1] * 25)  # those who leave look once a second whether it is over
        assert service.reloads.accepted == reloads
        assert not service.leaving
        assert [(number, name) for number, name, part in old if part() is not None] == []
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = collections.Counter(type(one).__name__ for one in gc.garbage)
        assert sum(left.values()) < 25 * reloads, left.most_common()
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    stopping(service)


def reload_now(service: ProxyService) -> None:
    told: list[object] = []
    Deferred.fromCoroutine(service.reload()).addBoth(told.append)
    [changes] = told
    assert isinstance(changes, list), changes
    assert changes
