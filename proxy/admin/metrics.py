"""What `/status` tells, as Prometheus reads it (text format 0.0.4). The same picture: nothing is counted twice.

Labels are names that the configuration gives, so their number is that of its listeners, upstreams and servers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

PREFIX = "reverseproxy_"
#: Of a server's states, those in which requests go to it.
USABLE = frozenset({"up", "failing", "unknown"})

Labels = Mapping[str, str]


class Family(NamedTuple):
    """One metric: its name less the prefix, `gauge` or `counter`, a sentence, and its samples."""

    name: str
    kind: str
    words: str
    samples: Iterable[tuple[Labels, float]]


# Of each server: metric, kind, words, key in its state, and by what that is multiplied.
_OF_SERVER = (
    ("server_in_flight", "gauge", "Exchanges under way with a server.", "in_flight", 1.0),
    ("server_idle_connections", "gauge", "Connections to a server that wait for a request.", "idle", 1.0),
    ("server_weight", "gauge", "Its share among the servers of its upstream.", "weight", 1.0),
    ("server_latency_seconds", "gauge", "Until the head of a response, on average.", "latency_ms", 0.001),
    ("server_requests_total", "counter", "Requests sent to a server, and connections tried.", "requests", 1.0),
    ("server_failures_total", "counter", "Those that failed by the server's doing.", "failures", 1.0),
)


def exposition(status: Mapping[str, Any]) -> bytes:
    """The metrics.

    @param status: as `proxy.running.Running.status` gives it.
    """
    lines: list[str] = []
    for family in _families(status):
        samples = [f"{PREFIX}{family.name}{_braced(labels)} {value:.15g}" for labels, value in family.samples]
        if samples:
            name = PREFIX + family.name
            lines += (f"# HELP {name} {family.words}", f"# TYPE {name} {family.kind}", *samples)
    return "".join(f"{line}\n" for line in lines).encode()


def _families(status: Mapping[str, Any]) -> Iterator[Family]:
    about = {"version": status["version"], "reactor": status["reactor"]}
    yield Family("info", "gauge", "What runs here; always 1.", [(about, 1)])
    yield Family("serving", "gauge", "1 while it takes requests, 0 while it starts or drains.", [
        ({}, status["state"] == "serving")
    ])  # fmt: skip
    reloads = status["reloads"]
    yield Family("reloads_total", "counter", "Reloads, by what came of them.", [
        ({"result": result}, reloads[result]) for result in ("accepted", "refused")
    ])  # fmt: skip
    yield Family("last_reload_successful", "gauge", "0 while the files are not what is in force.", [
        ({}, not reloads["error"])
    ])  # fmt: skip
    yield Family("client_connections", "gauge", "Open connections of clients.", [
        ({"listener": one["endpoint"]}, one["connections"]) for one in status["listeners"]
    ])  # fmt: skip
    yield from _of_certificates(status)
    yield from _of_upstreams(status["upstreams"])


def _of_certificates(status: Mapping[str, Any]) -> Iterator[Family]:
    yield Family("certificate_not_after_seconds", "gauge", "When it expires, in seconds since 1970.", [
        (_certificate(one), datetime.fromisoformat(one["not_after"]).timestamp()) for one in status["certificates"]
    ])  # fmt: skip
    yield Family("acme_failures", "gauge", "Attempts in a row to get a certificate that have failed.", [
        ({"names": " ".join(one["names"])}, one["failures"]) for one in status["acme"]
    ])  # fmt: skip


def _certificate(one: Mapping[str, Any]) -> Labels:
    whose = {"upstreams": " ".join(one["upstreams"])} if "upstreams" in one else {"listener": one["listener"]}
    return {**whose, "file": one["file"], "key": one["key"], "names": " ".join(one["names"])}


def _of_upstreams(upstreams: Iterable[Mapping[str, Any]]) -> Iterator[Family]:
    pools = [({"upstream": name}, pool) for name, pool in _by_name(upstreams).items()]
    servers = [({**of, "server": name}, one) for of, pool in pools for name, one in _by_name(pool["servers"]).items()]
    yield Family("upstream_queued", "gauge", "Exchanges that wait for a server.", [
        (of, pool["queued"]) for of, pool in pools
    ])  # fmt: skip
    yield Family("upstream_retrying", "gauge", "Exchanges under way that are not the first try.", [
        (of, pool["retrying"]) for of, pool in pools
    ])  # fmt: skip
    yield Family("upstream_circuit_open", "gauge", "1 while its breaker lets nobody through.", [
        (of, pool["circuit"] == "open") for of, pool in pools if pool["circuit"]
    ])  # fmt: skip
    yield Family("server_up", "gauge", "1 while requests go to a server.", [
        (of, one["state"] in USABLE) for of, one in servers
    ])  # fmt: skip
    for name, kind, words, key, factor in _OF_SERVER:
        yield Family(name, kind, words, [(of, one[key] * factor) for of, one in servers])


def _by_name(states: Iterable[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    """Each by its name. One that drains may have that of another, which serves: such a one comes first, and has it."""
    named: dict[str, Mapping[str, Any]] = {}
    for one in states:
        named.setdefault(one["name"], one)
    return named


def _braced(labels: Labels) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
