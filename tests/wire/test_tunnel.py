"""The table of half-closes: complete, and every way through it ends."""

from __future__ import annotations

from itertools import product

import pytest

from proxy.wire.tunnel import TRANSITIONS, TunnelEvent, TunnelState

OPEN, CLIENT_DONE, SERVER_DONE, CLOSED = TunnelState
CLIENT_EOF, SERVER_EOF, LOST = TunnelEvent


def test_every_state_knows_every_event_that_can_still_happen() -> None:
    # Whoever has said that it will send nothing more cannot say it again; after the end nothing happens.
    impossible = {(CLIENT_DONE, CLIENT_EOF), (SERVER_DONE, SERVER_EOF), *((CLOSED, event) for event in TunnelEvent)}
    assert set(TRANSITIONS) == set(product(TunnelState, TunnelEvent)) - impossible


@pytest.mark.parametrize("state", [OPEN, CLIENT_DONE, SERVER_DONE])
def test_a_lost_connection_ends_it_from_everywhere(state: TunnelState) -> None:
    assert TRANSITIONS[state, LOST] is CLOSED


@pytest.mark.parametrize("order", [(CLIENT_EOF, SERVER_EOF), (SERVER_EOF, CLIENT_EOF)])
def test_it_is_over_when_both_have_said_so_in_whatever_order(order: tuple[TunnelEvent, TunnelEvent]) -> None:
    between = TRANSITIONS[OPEN, order[0]]
    assert between not in (OPEN, CLOSED)
    assert TRANSITIONS[between, order[1]] is CLOSED
