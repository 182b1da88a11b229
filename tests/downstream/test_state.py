"""The states of a client's connection: few, named, each with its deadline on the page."""

from __future__ import annotations

from proxy.downstream import state
from proxy.downstream.state import State


def test_each_state_has_its_line_on_the_page_that_lists_them() -> None:
    assert state.__doc__ is not None
    listed = [line.split()[0] for line in state.__doc__.splitlines() if line.startswith("    ")]
    assert listed == [one.name for one in State]


def test_the_short_names_are_the_members() -> None:
    assert [getattr(state, one.name) for one in State] == list(State)
