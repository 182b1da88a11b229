"""Whoever makes connections to servers is a home to them: it hears what becomes of each."""

from __future__ import annotations

from proxy.upstream.factory import ProxyClientFactory
from proxy.upstream.home import Home

SAID = [name for name in vars(Home) if not name.startswith("_")]


def test_a_server_is_a_home() -> None:
    assert SAID
    assert all(callable(getattr(ProxyClientFactory, name)) for name in SAID)
