"""What Prometheus' own parser makes of the metrics."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy.admin.metrics import USABLE, exposition
from proxy.health.condition import Condition
from proxy.health.threshold import Health, Threshold

SERVER = {
    "name": "http://10.0.0.1:9001",
    "address": "10.0.0.1:9001",
    "state": "up",
    "why": "",
    "weight": 2.0,
    "priority": 0,
    "in_flight": 3,
    "idle": 4,
    "latency_ms": 12.5,
    "requests": 1_000_000_007,
    "failures": 1,
    "probed_seconds": None,
}
POOL = {"name": "api", "servers": [SERVER], "queued": 5, "retrying": 6, "circuit": "", "unresolved": ""}
STATUS: dict[str, Any] = {
    "version": "1.2.3",
    "reactor": "UvloopReactor",
    "state": "serving",
    "reloads": {"accepted": 2, "refused": 1, "error": ""},
    "listeners": [{"endpoint": "tcp:8080", "connections": 7}],
    "certificates": [],
    "acme": [],
    "upstreams": [POOL],
}


def told(**other: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by its name and labels."""
    text = exposition({**STATUS, **other}).decode()
    assert text.endswith("\n")
    return {
        (sample.name.removeprefix("reverseproxy_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if family.documentation and family.type in ("gauge", "counter")
    }


def test_every_number_of_a_status() -> None:
    of, server = ("upstream", "api"), ("server", SERVER["name"])
    assert told() == {
        ("info", (("reactor", "UvloopReactor"), ("version", "1.2.3"))): 1,
        ("serving", ()): 1,
        ("reloads_total", (("result", "accepted"),)): 2,
        ("reloads_total", (("result", "refused"),)): 1,
        ("last_reload_successful", ()): 1,
        ("client_connections", (("listener", "tcp:8080"),)): 7,
        ("upstream_queued", (of,)): 5,
        ("upstream_retrying", (of,)): 6,
        ("server_up", (server, of)): 1,
        ("server_in_flight", (server, of)): 3,
        ("server_idle_connections", (server, of)): 4,
        ("server_weight", (server, of)): 2,
        ("server_latency_seconds", (server, of)): 0.0125,
        ("server_requests_total", (server, of)): 1_000_000_007,
        ("server_failures_total", (server, of)): 1,
    }


def test_a_refused_reload_and_a_proxy_that_drains() -> None:
    said = told(state="draining", reloads={"accepted": 0, "refused": 1, "error": "site.yaml:1:1: no"})
    assert (said["serving", ()], said["last_reload_successful", ()]) == (0, 0)


def test_certificates_tell_when_they_expire() -> None:
    one = {"listener": "tcp:443", "file": "a.pem", "names": ["a.test", "b.test"], "key": "RSA"}
    of_servers = {"upstreams": ["api", "mail"], "file": "ca.pem", "names": [], "key": "CA"}
    end = {"not_after": "2030-01-01T00:00:00Z", "seconds_left": 5, "staple": {}}
    said = told(
        certificates=[{**one, **end}, {**of_servers, **end}],
        acme=[{"names": ["c.test"], "failures": 3}],
    )
    labels = (("file", "a.pem"), ("key", "RSA"), ("listener", "tcp:443"), ("names", "a.test b.test"))
    assert said["certificate_not_after_seconds", labels] == 1893456000
    labels = (("file", "ca.pem"), ("key", "CA"), ("names", ""), ("upstreams", "api mail"))
    assert said["certificate_not_after_seconds", labels] == 1893456000
    assert said["acme_failures", (("names", "c.test"),)] == 3


@pytest.mark.parametrize(("state", "up"), [("up", 1), ("failing", 1), ("unknown", 1), ("rising", 0), ("ejected", 0)])
def test_a_server_is_up_while_requests_go_to_it(state: str, up: int) -> None:
    said = told(upstreams=[{**POOL, "servers": [{**SERVER, "state": state}], "circuit": "open"}])
    assert said["server_up", (("server", "http://10.0.0.1:9001"), ("upstream", "api"))] == up
    assert said["upstream_circuit_open", (("upstream", "api"),)] == 1


@pytest.mark.parametrize("health", Health)
def test_those_states_are_meant_in_which_a_server_is_used(health: Health) -> None:
    condition = Condition(Threshold(initial=health))
    assert condition.usable is (condition.word in USABLE)
    assert Condition().word in USABLE


def test_names_may_hold_anything() -> None:
    said = told(listeners=[{"endpoint": 'unix:/a "b"\\c\nd', "connections": 1}])
    assert said["client_connections", (("listener", 'unix:/a "b"\\c\nd'),)] == 1
