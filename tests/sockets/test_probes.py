"""What probes see of real servers, and what becomes of requests when they see nothing good."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.sockets.origins import Origin, asked
from tests.sockets.stage import eventually
from tests.support.proxy import RunningProxy

SERVERS = 3
PACE = "interval: 150ms, timeout: 1s, rise: 1, fall: 1"

Run = Callable[..., RunningProxy]


@pytest.fixture
def origins() -> Iterator[list[Origin]]:
    servers = [Origin(f"s{number}") for number in range(SERVERS)]
    yield servers
    for server in servers:
        server.stop()


def serve(run_proxy: Run, origins: list[Origin], **upstreams: str) -> RunningProxy:
    """Upstreams of the same servers, each with its settings and below a path of its name."""
    urls = ", ".join(f"{{url: '{origin.url}', name: {origin.name}}}" for origin in origins)
    lines = "".join(f"  {name}: {{servers: [{urls}], {settings}}}\n" for name, settings in upstreams.items())
    routes = "".join(f"  - {{path: /{name}, upstream: {name}}}\n" for name in upstreams)
    return run_proxy(f"upstreams:\n{lines}routes:\n{routes}")


def test_a_healthy_page_has_a_word_and_a_field_in_it(run_proxy: Run, origins: list[Origin]) -> None:
    for origin in origins:
        origin.ready = "yes"
    origins[1].ready = "no, not yet"
    proxy = serve(
        run_proxy,
        origins,
        body=f"health: {{path: /healthz, body: '^s[01]$', {PACE}}}",
        field=f"health: {{path: /healthz, expect_headers: {{X-Ready: '^yes$'}}, {PACE}}}",
    )
    eventually(lambda: proxy.log.count("unknown -> ") == 2 * SERVERS)
    down = "unknown -> down: status 200, but"
    assert f"upstream body: server s2 {down} nothing in the body matches '^s[01]$'" in proxy.log
    assert f"upstream field: server s1 {down} no 'x-ready' that matches '^yes$'" in proxy.log
    assert asked(proxy, 6, b"/body/") == {"s0": 3, "s1": 3}
    assert asked(proxy, 6, b"/field/") == {"s0": 3, "s2": 3}
    origins[1].ready = "yes"
    eventually(lambda: "upstream field: server s1 down -> up" in proxy.log)
    assert asked(proxy, 6, b"/field/") == {"s0": 2, "s1": 2, "s2": 2}


def test_a_probe_that_only_connects(run_proxy: Run, origins: list[Origin]) -> None:
    proxy = serve(run_proxy, origins, tcp=f"health: {{tcp: true, {PACE}}}, ejection: false")
    eventually(lambda: proxy.log.count("unknown -> up: connected") == SERVERS)
    origins[0].status = origins[0].health = 500
    assert asked_statuses(proxy, b"/tcp/", 6) == [200, 200, 200, 200, 500, 500], "that it answers badly is not seen"
    origins[0].status = 200
    origins[0].stop()
    eventually(lambda: "server s0 up -> down: upstream.connect.refused" in proxy.log)
    assert asked(proxy, 6, b"/tcp/") == {"s1": 3, "s2": 3}
    origins[0].start()
    eventually(lambda: "server s0 down -> up: connected" in proxy.log)
    assert asked(proxy, 6, b"/tcp/") == {"s0": 2, "s1": 2, "s2": 2}
    assert proxy.log.count("Starting factory") == proxy.log.count("Starting factory <ProxySite"), "no line for a probe"


def asked_statuses(proxy: RunningProxy, path: bytes, count: int) -> list[int]:
    with proxy.connect() as client:
        return sorted(client.get(path).status for _ in range(count))


def test_panic_uses_servers_that_seem_bad_rather_than_none(run_proxy: Run, origins: list[Origin]) -> None:
    health = f"health: {{path: /healthz, {PACE}}}"
    proxy = serve(run_proxy, origins, calm=health, last=f"{health}, panic: true", half=f"{health}, panic: 50%")
    eventually(lambda: proxy.log.count("unknown -> up") == 3 * SERVERS)
    for origin in origins[:2]:
        origin.health = 500
    eventually(lambda: proxy.log.count("-> down: status 500") == 3 * 2)
    assert asked(proxy, 6, b"/calm/") == {"s2": 6}
    assert asked(proxy, 6, b"/last/") == {"s2": 6}, "one is left"
    assert set(asked(proxy, 40, b"/half/")) == {"s0", "s1", "s2"}, "one of three is less than half"
    origins[2].health = 500
    eventually(lambda: proxy.log.count("-> down: status 500") == 3 * SERVERS)
    assert asked_statuses(proxy, b"/calm/", 1) == [503]
    assert set(asked(proxy, 40, b"/last/")) == {"s0", "s1", "s2"}
    assert set(asked(proxy, 40, b"/half/")) == {"s0", "s1", "s2"}
