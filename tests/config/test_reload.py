"""When files are read anew by themselves: only where that is asked for."""

from __future__ import annotations

import pytest

from proxy.config import load_text
from proxy.config.reload import Reload

ROUTES = "routes: [{path: /, respond: 204}]\n"


def test_nothing_is_watched_unless_asked_for() -> None:
    assert load_text(ROUTES, "x.yaml", {}).require().reload == Reload(watch=False, debounce=1.0)


def test_it_is_asked_for() -> None:
    wish = load_text("reload: {watch: true, debounce: 200ms}\n" + ROUTES, "x.yaml", {}).require().reload
    assert (wish.watch, wish.debounce) == (True, 0.2)


@pytest.mark.parametrize("wrong", ["{watch: yes}", "{debounce: 0}", "{wach: true}", "true"])
def test_what_is_none_of_it(wrong: str) -> None:
    assert [problem.line for problem in load_text(f"reload: {wrong}\n{ROUTES}", "x.yaml", {}).errors] == [1]
