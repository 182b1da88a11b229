"""What a reload has taken away: it ends in its own time, and its memory comes back."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock

from proxy.assemble import House, assemble
from proxy.config import load_text
from proxy.leaving import LOOK_SECONDS, Leaving, take_apart
from proxy.upstream.owner import Alone
from tests.support.ends import End
from tests.support.playbook import GET, OK

TEXT = (
    "access_log: %s\nupstreams: {app: {servers: ['http://10.0.0.1:9001'], connections: 1,"
    " health: {path: /, interval: 1s}}}\nroutes: [{path: /, upstream: app}]\n"
)


class Street:
    """A house that is about to be left, with clients in it."""

    def __init__(self, tmp_path: Path) -> None:
        self.reactor = MemoryReactorClock()
        self.log = tmp_path / "access.log"
        self.house: House = assemble(load_text(TEXT % self.log, "x.yaml", {}), self.reactor)
        self.house.alarm.now = self.reactor.seconds
        self.over: list[Leaving] = []

    def visit(self) -> End:
        end = End(self.reactor, IPv4Address("TCP", "192.0.2.7", 50000))
        end.joins(self.house.listeners[0].site.buildProtocol(None))
        return end

    def server(self) -> End:
        end = End(self.reactor, IPv4Address("TCP", "10.0.0.1", 9001))
        end.joins(self.reactor.tcpClients.pop()[2].buildProtocol(end.transport.getPeer()))
        return end

    def leave(self, seconds: float = 30.0) -> Leaving:
        house = self.house
        sites = [listener.site for listener in house.listeners]
        leaving = Leaving(house.alarm, seconds, self.over.append, sites, list(house.pools.values()), house.access_log)
        leaving.start()
        return leaving

    def later(self, seconds: float) -> None:
        self.reactor.pump([0.1] * round(seconds * 10))


def test_what_nobody_uses_is_over_soon(tmp_path: Path) -> None:
    street = Street(tmp_path)
    street.house.start()
    leaving = street.leave()
    assert repr(leaving) == "<Leaving: 0 connections, 1 upstreams>"
    street.later(LOOK_SECONDS + 0.5)
    assert street.over == [leaving]
    [server] = street.house.pools["app"].servers
    assert server.state().state == "draining"
    assert isinstance(server.owner, Alone)
    street.later(5)
    assert street.reactor.tcpClients == [], "nobody probes it any more"
    assert street.over == [leaving]


def test_exchanges_end_those_in_the_queue_included(tmp_path: Path) -> None:
    street = Street(tmp_path)
    first, second = street.visit(), street.visit()
    first.says(GET)
    server = street.server()
    second.says(GET)
    leaving = street.leave()
    street.later(3)
    assert street.house.pools["app"].in_use
    server.says(OK)
    server.says(OK)
    assert first.takes().endswith(b"ok")
    assert second.takes().endswith(b"ok")
    street.later(LOOK_SECONDS + 3)
    assert street.over == [leaving]
    assert server.closed is not None, "idle, and nobody will need it"
    assert street.log.read_bytes().count(b"\n") == 2


def test_what_leaves_is_shown_as_such_until_it_is_done(tmp_path: Path) -> None:
    street = Street(tmp_path)
    pool = street.house.pools["app"]
    client = street.visit()
    client.says(GET)
    server = street.server()
    leaving = street.leave()
    assert leaving.pools == [pool]
    state = pool.state()
    assert state.draining
    assert [(one.state, one.why, one.in_flight) for one in state.servers] == [
        ("draining", "its upstream is taken out", 1)
    ]
    server.says(OK)
    assert not pool.in_use
    street.later(LOOK_SECONDS + 1)
    assert leaving.pools == []


def test_an_upstream_leaves_no_earlier_than_a_server_that_was_taken_from_it_before(tmp_path: Path) -> None:
    street = Street(tmp_path)
    client = street.visit()
    client.says(GET)
    server = street.server()
    street.house.pools["app"].replace(())
    leaving = street.leave()
    street.later(LOOK_SECONDS + 1)
    assert [(one.name, one.in_flight) for one in leaving.pools[0].state().servers] == [("http://10.0.0.1:9001", 1)]
    server.says(OK)
    street.later(LOOK_SECONDS + 1)
    assert leaving.pools == []


def test_whoever_takes_too_long_is_cut(tmp_path: Path) -> None:
    street = Street(tmp_path)
    client = street.visit()
    client.says(GET)
    leaving = street.leave(5)
    street.later(4)
    assert client.closed is None
    street.later(2)
    assert client.was_cut
    street.later(2)
    assert street.over == [leaving]


def test_the_stop_of_the_proxy_ends_it_all(tmp_path: Path) -> None:
    street = Street(tmp_path)
    client = street.visit()
    client.says(GET)
    leaving = street.leave()
    leaving.close()
    street.later(5)
    assert street.over == []


@pytest.mark.parametrize("count", [1, 3])
def test_a_house_leaves_nothing_behind(count: int) -> None:
    """Without the collector, which does not look at what was built for good: so no cycle may keep a configuration."""
    routes = "".join(
        f"  - {{host: h{place}, path: /x, upstream: app, gates: [{{strip_prefix: /x}}]}}\n" for place in range(9)
    )
    text = "access_log: false\nupstreams: {app: {servers: ['http://10.0.0.1']}}\nroutes:\n" + routes
    reactor = MemoryReactorClock()
    standing = assemble(load_text(text, "x.yaml", {}), reactor)
    gc.collect()
    gc.disable()
    try:
        for _ in range(count):
            traces = [weakref.ref(standing.config), weakref.ref(standing.root), weakref.ref(standing.loaded.tree)]
            house, gone = assemble(load_text(text, "x.yaml", {}), reactor, (), standing).succeed(standing)
            assert gone == []
            box = [standing]
            standing = house
            del house
            take_apart(box)
            assert box == []
            assert [trace() for trace in traces] == [None] * 3
    finally:
        gc.enable()
