"""Where every value comes from: the same values as the effective configuration, each with its place or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.admin.effective import effective
from proxy.admin.origins import Told, first_written, tell, written
from proxy.config import load, load_text
from tests.support.proxy import ROOT

SAMPLES = sorted((ROOT / "config").glob("*.yaml"))

TEXT = """\
listen: tcp:8080
defaults:
  upstream:
    connections: 9
    timeouts: {connect: 2s, response_idle: 3s}
upstreams:
  api:
    servers: ["${API:-http://127.0.0.1:1}"]
    timeouts: {connect: 1s}
    health: tcp
gates:
  open: [{headers: {response: {set: {X-A: b}}}}]
routes:
  - {path: /a, upstream: api, gates: [open, {strip_prefix: /a}], limits: {body: 1MiB}}
  - {path: /b, upstream: http://127.0.0.1:2}
  - respond: 204
"""


def values(told: Any) -> Any:
    if isinstance(told, Told):
        return values(told.value)
    if isinstance(told, dict):
        return {name: values(member) for name, member in told.items()}
    return [values(item) for item in told] if isinstance(told, list) else told


def at(*path: str | int) -> Told:
    found: Any = tell(load_text(TEXT, "x.yaml", {}))
    for step in path:
        found = (found.value if isinstance(found, Told) else found)[step]
    assert isinstance(found, Told)
    return found


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_values_are_those_in_force(path: Path) -> None:
    loaded = load(path, {})
    assert values(tell(loaded)) == effective(loaded.require(), loaded.secrets)


@pytest.mark.parametrize(
    ("path", "value", "origin"),
    [
        (("listen", 0, "endpoint"), "tcp:8080", "x.yaml:1:9"),
        (("limits", "head"), 16384, "default"),
        (("upstreams", "api", "connections"), 9, "x.yaml:4:18"),
        (("upstreams", "api", "timeouts", "connect"), 1.0, "x.yaml:9:25"),
        (("upstreams", "api", "timeouts", "response_idle"), 3.0, "x.yaml:5:44"),
        (("upstreams", "api", "timeouts", "response_head"), None, "default"),
        (("upstreams", "api", "servers", 0, "url"), "http://127.0.0.1:1", "x.yaml:8:15 ${API}"),
        (("upstreams", "api", "servers", 0, "weight"), 1, "default"),
        (("upstreams", "api", "health", "tcp"), True, "x.yaml:10:13"),
        (("upstreams", "api", "health", "rise"), 2, "default"),
        (("upstreams", "http://127.0.0.1:2", "servers", 0, "url"), "http://127.0.0.1:2", "x.yaml:15:26"),
        (("upstreams", "http://127.0.0.1:2", "connections"), 9, "x.yaml:4:18"),
        (("routes", 0, "name"), "*/a", "default"),
        (("routes", 0, "path", 0, "prefix"), "/a", "x.yaml:14:12"),
        (("routes", 0, "gates", 0, "headers", "response", "set", "X-A", 0), "b", "x.yaml:12:43"),
        (("routes", 0, "gates", 1, "strip_prefix"), "/a", "x.yaml:14:60"),
        (("routes", 0, "limits", "body"), 1048576, "x.yaml:14:81"),
        (("routes", 2, "respond", "status"), 204, "x.yaml:16:14"),
        (("routes", 2, "respond", "body"), "", "default"),
    ],
)
def test_where_a_value_comes_from(path: tuple[str | int, ...], value: Any, origin: str) -> None:
    told = at(*path)
    assert (told.value, str(told)) == (value, origin)


def test_durations_and_sizes_are_known_as_such() -> None:
    assert at("timeouts", "connect").unit == "s"
    assert at("upstreams", "api", "timeouts", "connect").unit == "s"
    assert at("limits", "head").unit == at("routes", 0, "limits", "body").unit == "B"
    assert at("limits", "fields").unit == at("listen", 0, "endpoint").unit == ""


def test_only_what_is_written_has_a_place() -> None:
    tree = load_text(TEXT, "x.yaml", {}).tree
    assert str(written(tree, ("routes", 0, "limits", "body"))) == "x.yaml:14:81"
    assert written(tree, ("routes", 1, "limits", "body")) is None
    assert written(tree, ("routes", 9)) is None
    assert first_written(tree, ("limits", "body"), ("routes", 2, "respond")) == written(tree, ("routes", 2, "respond"))
    assert first_written(tree, ("limits", "body")) is None
