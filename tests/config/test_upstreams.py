"""Upstreams and their servers."""

import pytest
from pydantic import ValidationError

from proxy import limits
from proxy.config.upstreams import Upstream


def test_a_server_in_short_and_in_long() -> None:
    upstream = Upstream.model_validate({"servers": ["http://a", {"url": "http://b:81", "weight": 3, "name": "big"}]})
    assert [server.label for server in upstream.servers] == ["http://a:80", "big"]
    assert [server.weight for server in upstream.servers] == [1, 3]
    assert upstream.connections == limits.UPSTREAM_CONNECTIONS
    assert upstream.idle_connections == limits.UPSTREAM_IDLE_CONNECTIONS


def test_one_server_needs_no_list() -> None:
    assert len(Upstream.model_validate({"servers": "unix:/run/app.sock"}).servers) == 1


@pytest.mark.parametrize(
    "faulty",
    [
        {},
        {"servers": []},
        {"servers": ["http://a", "http://a:80"]},
        {"servers": [{"url": "http://a", "name": "x"}, {"url": "http://b", "name": "x"}]},
        {"servers": [{"url": "http://a", "weight": -1}]},
        {"servers": ["http://a"], "balance": "best"},
        {"servers": ["http://a"], "connections": 0},
        {"servers": ["http://a"], "health": {"path": "healthz"}},
        {"servers": [{"url": "http://a", "backup": True, "priority": 2}]},
        {"servers": ["http://a"], "idle": "2m"},
    ],
)
def test_what_is_no_upstream(faulty: object) -> None:
    with pytest.raises(ValidationError):
        Upstream.model_validate(faulty)


def test_the_same_server_under_two_names_is_two() -> None:
    servers = [{"url": "http://a", "name": "x"}, {"url": "http://a", "name": "y"}]
    assert len(Upstream.model_validate({"servers": servers}).servers) == 2
