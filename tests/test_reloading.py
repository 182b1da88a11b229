"""The parts of a reload: what is told of it, and what it may not disturb."""

from __future__ import annotations

import gc
import sys

import pytest

from proxy.admin.effective import effective
from proxy.admin.plan import Change, plan
from proxy.assemble.apps import AssemblyError
from proxy.config import ConfigError, load_text
from proxy.reloading import (
    FROZEN_OBJECTS,
    LOGGED_CHANGES,
    brief,
    changes_between,
    demo_count,
    located,
    shortened,
    spare_the_collector,
    unobtrusive,
)

TEXT = "routes:\n  - {name: r, path: /, app: 'resource:x:Y'}\n"


def test_the_demo_is_counted() -> None:
    assert demo_count(load_text(TEXT, "x.yaml", {})) == 0
    assert demo_count(load_text("demo: 3\n" + TEXT, "x.yaml", {})) == 3


def test_changes() -> None:
    old, new = load_text(TEXT, "x.yaml", {}), load_text("demo: 3\n" + TEXT, "x.yaml", {})
    assert changes_between(old, old) == []
    assert [(change.verb, change.kind, change.name) for change in changes_between(old, new)] == [
        ("changed", "setting", "demo")
    ]


def test_only_routes_that_differ_are_looked_into() -> None:
    routes = "\n".join(f"  - {{path: /{place}, respond: 204}}" for place in range(3))
    before = load_text(f"routes:\n{routes}\n", "x.yaml", {})
    text = f"routes:\n{routes}\n  - {{name: new, respond: 404}}\n"
    after = load_text(text.replace("/1, respond: 204", "/1, respond: 410"), "x.yaml", {})
    assert changes_between(before, after) == plan(effective(before.require()), effective(after.require()))
    assert [(change.verb, change.kind, change.name) for change in changes_between(before, after)] == [
        ("added", "route", "new"),
        ("changed", "route", "*/1"),
    ]


def test_routes_in_another_order_have_changed() -> None:
    before = load_text("routes: [{path: /a, respond: 204}, {path: /b, respond: 204}]\n", "x.yaml", {})
    after = load_text("routes: [{path: /b, respond: 204}, {path: /a, respond: 204}]\n", "x.yaml", {})
    assert [(change.kind, change.name) for change in changes_between(before, after)] == [("setting", "routes")]


def test_the_log_does_not_hold_ten_thousand_changes() -> None:
    assert shortened([]) == "no changes"
    assert shortened([Change("added", "route", "a")]) == "+ route a"
    said = shortened([Change("added", "route", str(number)) for number in range(10_000)])
    assert said.splitlines()[-1] == f"... and {10_000 - LOGGED_CHANGES} more"
    assert len(said.splitlines()) == LOGGED_CHANGES + 1


def test_what_is_missing_is_found_in_the_file() -> None:
    with pytest.raises(ConfigError) as failed, located(load_text(TEXT, "x.yaml", {})):
        raise AssemblyError(("routes", 0, "app"), "there is no x")
    assert str(failed.value).startswith("x.yaml:2:29: error: there is no x")


def test_what_everybody_may_read_has_no_lines_of_files() -> None:
    found = load_text("routes: [{path: /, pth: 1, respond: 204}]\nadmin: {token: 0123456789abcdef}\n", "x.yaml", {})
    said = brief(ConfigError(found.problems))
    assert said.startswith("x.yaml:1:20: error: unknown key `pth`") and "respond" not in said
    assert brief(ValueError("a")) == "a"


def test_the_collector_and_the_switch_interval_come_back() -> None:
    interval, frozen = sys.getswitchinterval(), gc.get_freeze_count()
    with pytest.raises(ValueError, match="in the middle"), unobtrusive():
        assert not gc.isenabled()
        assert sys.getswitchinterval() < interval
        raise ValueError("in the middle")
    assert gc.isenabled()
    assert sys.getswitchinterval() == interval
    assert gc.get_freeze_count() == frozen, "little was built: the collector may look at it"


def test_the_collector_does_not_look_at_much() -> None:
    frozen = gc.get_freeze_count()
    try:
        with unobtrusive():
            built: list[list[int]] = [[] for _ in range(2 * FROZEN_OBJECTS)]
        assert gc.get_freeze_count() > frozen + len(built)
    finally:
        gc.unfreeze()


def test_nor_where_as_much_is_let_go_afterwards() -> None:
    frozen = gc.get_freeze_count()
    leaving: list[list[int]] = [[] for _ in range(2 * FROZEN_OBJECTS)]
    try:
        with unobtrusive():
            built: list[list[int]] = [[] for _ in range(2 * FROZEN_OBJECTS)]
            spare_the_collector()
            leaving.clear()
        assert gc.get_freeze_count() > frozen + len(built)
    finally:
        gc.unfreeze()
