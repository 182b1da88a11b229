"""Each way to choose a server, seen from outside: who answers, while others are busy or slow."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.sockets.origins import Origin, answers, asked
from tests.sockets.stage import eventually
from tests.support.proxy import RunningProxy

SERVERS = 3


@pytest.fixture(scope="module")
def servers() -> Iterator[list[Origin]]:
    """Three for all tests of this module."""
    made = [Origin(f"s{number}") for number in range(SERVERS)]
    yield made
    for server in made:
        server.stop()


@pytest.fixture
def origins(servers: list[Origin]) -> Iterator[list[Origin]]:
    """The same, with nothing on their minds."""
    for server in servers:
        server.seen.clear()
        server.gate.clear()
    yield servers
    for server in servers:
        server.gate.set()
        server.delay = 0.0


@pytest.fixture(scope="module")
def proxy(serve: Callable[..., RunningProxy], servers: list[Origin]) -> RunningProxy:
    """An upstream of the same three servers for each test, called by the path that leads there."""

    def upstream(name: str, settings: str, *own: str) -> str:
        each = [
            f"{{url: '{server.url}', name: {server.name}{f', {more}' if more else ''}}}"
            for server, more in zip(servers, own or [""] * SERVERS, strict=False)
        ]
        return f"  {name}: {{servers: [{', '.join(each)}], {settings}}}\n"

    upstreams = {
        "random": upstream("random", "balance: random", "weight: 1", "weight: 1", "weight: 4"),
        "power": upstream("power", "balance: power_of_two", "", ""),
        "least": upstream("least", "balance: least_connections"),
        "time": upstream("time", "balance: least_time"),
        "first": upstream("first", "balance: first_available, connections: 1"),
        "hash": upstream("hash", "balance: {hash: 'header:X-User'}"),
        "bounded": upstream("bounded", "balance: {hash: 'header:X-User', load_factor: 1.25}"),
        "ranks": upstream("ranks", "connections: 1", "priority: 5", "priority: 2", "priority: 9"),
        "none": upstream("none", "sticky: {route: sid}", "weight: 0", "", ""),
    }
    routes = "".join(f"  - {{path: [/{name}, /hold/{name}], upstream: {name}}}\n" for name in upstreams)
    return serve(f"upstreams:\n{''.join(upstreams.values())}routes:\n{routes}")


@contextlib.contextmanager
def held(proxy: RunningProxy, origins: list[Origin], name: str, count: int, *fields: bytes) -> Iterator[list[str]]:
    """While so many requests to an upstream are under way: the names of the servers that have them, in turn."""
    holders: list[str] = []
    with contextlib.ExitStack() as stack:
        for number in range(count):
            target = f"/hold/{name}/{number}"
            client = stack.enter_context(proxy.connect())
            lines = b"".join(field + b"\r\n" for field in fields)
            client.send(b"GET %b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (target.encode(), lines))
            holders.append(eventually(lambda: next((one.name for one in origins if target in one.seen), "")))  # noqa: B023
        yield holders
        for origin in origins:
            origin.gate.set()


def test_random_draws_by_weight(proxy: RunningProxy, origins: list[Origin]) -> None:
    names = answers(proxy, 120, b"/random/")
    assert set(names) == {"s0", "s1", "s2"}
    assert 50 <= names.count("s2") <= 110, "four of six shares: 80, give or take six standard deviations"
    assert names[6:] != names[:-6], "by lot, not in turn"


def test_power_of_two_takes_the_less_busy_of_two(proxy: RunningProxy, origins: list[Origin]) -> None:
    with held(proxy, origins, "power", 1) as [busy]:
        assert asked(proxy, 12, b"/power/") == {"s1" if busy == "s0" else "s0": 12}


def test_least_connections_takes_the_one_that_has_none(proxy: RunningProxy, origins: list[Origin]) -> None:
    with held(proxy, origins, "least", 2) as busy:
        assert len(set(busy)) == 2
        [free] = {"s0", "s1", "s2"} - set(busy)
        assert asked(proxy, 12, b"/least/") == {free: 12}


def test_least_time_leaves_a_slow_server_alone(proxy: RunningProxy, origins: list[Origin]) -> None:
    origins[1].delay = 0.3
    counts = asked(proxy, 40, b"/time/")
    assert 1 <= counts["s1"] <= 3, counts
    assert counts["s0"] and counts["s2"]


def test_first_available_fills_one_before_the_next_is_touched(proxy: RunningProxy, origins: list[Origin]) -> None:
    assert asked(proxy, 6, b"/first/") == {"s0": 6}
    with held(proxy, origins, "first", 2) as busy:
        assert busy == ["s0", "s1"]
        assert asked(proxy, 6, b"/first/") == {"s2": 6}


def test_a_popular_key_drowns_its_server_unless_there_is_a_load_factor(
    proxy: RunningProxy, origins: list[Origin]
) -> None:
    with held(proxy, origins, "hash", 6, b"X-User: ada") as busy:
        assert len(set(busy)) == 1
    for origin in origins:
        origin.gate.clear()
    with held(proxy, origins, "bounded", 6, b"X-User: ada") as busy:
        counts = Counter(busy)
        assert len(counts) > 1
        assert max(counts.values()) <= 3, "six are two for each; 1.25 times that, and no more"
    # Who is not too busy keeps its own, as soon as those that were held have ended.
    eventually(lambda: answers(proxy, 6, b"/bounded/", b"X-User: ada") == [busy[0]] * 6)


def test_a_lower_priority_waits_until_the_others_are_full(proxy: RunningProxy, origins: list[Origin]) -> None:
    assert asked(proxy, 6, b"/ranks/") == {"s1": 6}
    with held(proxy, origins, "ranks", 2) as busy:
        assert busy == ["s1", "s0"]
        assert asked(proxy, 6, b"/ranks/") == {"s2": 6}


def test_a_weight_of_0_gets_nothing_new_but_whom_it_knows(proxy: RunningProxy, origins: list[Origin]) -> None:
    assert asked(proxy, 12, b"/none/") == {"s1": 6, "s2": 6}
    assert answers(proxy, 3, b"/none/", b"Cookie: sid=x.s0") == ["s0"] * 3
