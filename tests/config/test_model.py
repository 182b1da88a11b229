"""The whole configuration."""

import pytest
from pydantic import ValidationError

from proxy.config.model import Config

ROUTE = {"respond": 204}


def config(**more: object) -> Config:
    return Config.model_validate({"routes": [ROUTE], **more})


def test_the_least_that_works() -> None:
    least = config()
    assert [listener.endpoint for listener in least.listen] == ["tcp:8080"]
    assert least.access_log == "stdout"
    assert least.forwarded.via == b"reverseproxy"
    assert least.forwarded.request_id == b"X-Request-ID"
    assert least.demo is None


def test_false_is_off() -> None:
    off = config(access_log=False, forwarded={"via": False, "request_id": False})
    assert off.access_log is None
    assert off.forwarded.via is None
    assert off.forwarded.request_id is None


@pytest.mark.parametrize(
    "faulty", [{"access_log": True}, {"access_log": ""}, {"forwarded": {"via": "a b"}}, {"forwarded": {"via": 1}}]
)
def test_what_is_no_name(faulty: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        config(**faulty)


def test_short_forms() -> None:
    short = config(
        listen="tcp:80", demo=3, trusted_proxies="10.0.0.1", tests=[{"request": "GET http://a/", "status": 204}]
    )
    assert short.demo is not None
    assert short.demo.servers == 3
    assert short.tests[0].request.line == (b"GET", "http://a/")
    assert short.tests[0].request.client == "127.0.0.1"


def test_the_nearest_deadline_is_in_force() -> None:
    wish = config(
        timeouts={"connect": "3s", "write_stall": "3s"},
        upstreams={"api": {"servers": ["http://a"], "timeouts": {"connect": "2s", "response_head": "2s"}}},
        routes=[{"upstream": "api", "timeouts": {"connect": "1s"}}, ROUTE],
    )
    first, second = (wish.timeouts_of(route) for route in wish.routes)
    assert (first.connect, first.response_head, first.write_stall) == (1.0, 2.0, 3.0)
    assert (second.connect, second.response_head) == (3.0, 60.0)


def test_the_nearest_limit_is_in_force() -> None:
    wish = config(limits={"body": "1KiB"}, routes=[ROUTE, {**ROUTE, "path": "/x", "limits": {"body": 0}}])
    assert [wish.body_limit_of(route) for route in wish.routes] == [1024, 0]


@pytest.mark.parametrize("key", ["tls", "health", "split", "route"])
def test_keys_that_nothing_obeys_are_refused(key: str) -> None:
    with pytest.raises(ValidationError):
        config(**{key: {}})
