"""Plans: every change is there, and nothing else."""

from __future__ import annotations

import json

from proxy.admin.effective import effective
from proxy.admin.plan import plan, render
from proxy.config import load_text
from proxy.config.veil import masked

OLD = """
listen: [tcp:8080]
upstreams:
  api: {servers: [http://127.0.0.1:9001, http://127.0.0.1:9002]}
  old: {servers: [http://127.0.0.1:9009]}
routes:
  - {name: api, path: /api, upstream: api}
  - {name: old, path: /old, upstream: old}
  - {name: hello, path: /hello, respond: {status: 200, body: hi}}
"""


def shown(text: str) -> dict[str, object]:
    return effective(load_text(text, "routes.yaml", {}).require())


def words(old: str, new: str) -> list[tuple[str, str, str]]:
    return [(change.verb, change.kind, change.name) for change in plan(shown(old), shown(new))]


def test_the_same_is_no_change() -> None:
    assert plan(shown(OLD), shown(OLD)) == []
    assert render([]) == "no changes"


def test_an_effective_configuration_is_json_and_has_defaults() -> None:
    text = json.dumps(shown(OLD))
    assert '"keep_alive"' in text and '"http://127.0.0.1:9001"' in text


def test_listeners_upstreams_and_routes_come_change_and_go() -> None:
    new = OLD.replace("tcp:8080", "tcp:8081").replace("127.0.0.1:9002", "127.0.0.1:9003")
    new = new.replace("  old: {servers: [http://127.0.0.1:9009]}\n", "")
    new = new.replace("  - {name: old, path: /old, upstream: old}\n", "").replace("body: hi", "body: ho")
    assert words(OLD, new) == [
        ("added", "listener", "tcp:8081"),
        ("removed", "listener", "tcp:8080"),
        ("changed", "upstream", "api"),
        ("removed", "upstream", "old"),
        ("removed", "route", "old"),
        ("changed", "route", "hello"),
    ]
    text = render(plan(shown(OLD), shown(new)))
    assert "servers[1].url: http://127.0.0.1:9002 -> http://127.0.0.1:9003" in text
    assert "respond.body: hi -> ho" in text


def test_a_setting_and_the_order_of_routes_are_changes() -> None:
    first, second = "  - {name: api, path: /api, upstream: api}\n", "  - {name: old, path: /old, upstream: old}\n"
    new = OLD.replace(first + second, second + first) + "timeouts: {connect: 2s}\n"
    assert words(OLD, new) == [("changed", "setting", "routes"), ("changed", "setting", "timeouts")]
    said = render(plan(shown(OLD), shown(new)))
    assert "timeouts.connect: 5s -> 2s" in said
    assert "order: `old` has moved up" in said


def test_items_of_a_list_come_and_go_one_by_one() -> None:
    new = OLD.replace("[http://127.0.0.1:9001, http://127.0.0.1:9002]", "[http://127.0.0.1:9002]")
    assert render(plan(shown(OLD), shown(new))) == (
        "~ upstream api\n    servers - {url: http://127.0.0.1:9001, weight: 1, backup: false}"
    )
    assert render(plan(shown(new), shown(OLD))) == (
        "~ upstream api\n    servers + {url: http://127.0.0.1:9001, weight: 1, backup: false}"
    )
    turned = OLD.replace(
        "[http://127.0.0.1:9001, http://127.0.0.1:9002]", "[http://a:3, http://127.0.0.1:9002, http://127.0.0.1:9001]"
    )
    assert "servers: [{" in render(plan(shown(OLD), shown(turned))), "another order is another list"


def test_route_tests_that_change_are_changes() -> None:
    before = OLD + "tests: [{request: GET http://x/a, route: api}]\n"
    after = OLD + "tests: [{request: GET https://x/a, route: api}, {request: GET http://x/b, status: 404}]\n"
    said = render(plan(shown(before), shown(after)))
    assert said.startswith("~ setting tests\n") and "GET https://x/a" in said and "status: 404" in said


def test_what_was_not_there_is_nothing() -> None:
    new = OLD.replace("path: /api,", "path: /api, limits: {body: 1MiB},")
    assert "limits.body: nothing -> 1MiB" in render(plan(shown(OLD), shown(new)))
    assert "limits.body: 1MiB -> nothing" in render(plan(shown(new), shown(OLD)))


def test_a_masked_secret_shows_only_whether_it_changed() -> None:
    assert masked("a") == masked(b"a") != masked("b")
    assert "hunter2" not in masked("hunter2")
