"""The states of a connection to a server."""

from __future__ import annotations

from proxy.upstream import state_of_connection as states


def test_each_state_has_its_name_and_its_line_in_the_table() -> None:
    for state in states.State:
        assert getattr(states, state.name) is state
        assert f"    {state.name} " in (states.__doc__ or "")
