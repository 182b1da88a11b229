"""A server belongs to a pool, or to nobody: both hear the same of it."""

from __future__ import annotations

from proxy.health.ejection import Company
from proxy.upstream.owner import Alone, Owner
from proxy.upstream.pool import Pool
from tests.support.playbook import playing

SAID = [name for name in vars(Owner) if not name.startswith("_")]


def test_a_pool_and_nobody_are_owners() -> None:
    assert SAID
    assert all(callable(getattr(owner, name)) for owner in (Alone, Pool) for name in SAID)


def test_a_server_that_belongs_to_nobody_is_the_last_one() -> None:
    with playing() as play:
        [server] = play.servers
        assert Alone().company(server) == Company(1, 0, 0)
