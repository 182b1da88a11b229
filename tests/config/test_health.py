"""How servers are watched, as written."""

import pytest
from pydantic import TypeAdapter, ValidationError

from proxy import limits
from proxy.config.health import (
    BreakerWish,
    EjectionWish,
    Health,
    OptionalBreaker,
    OptionalEjection,
    OptionalHealth,
    statuses,
)

HEALTH: TypeAdapter[Health | None] = TypeAdapter(OptionalHealth)


def test_a_path_is_enough() -> None:
    health = HEALTH.validate_python("/healthz?full=1")
    assert health is not None
    assert health.path == b"/healthz?full=1"
    assert health.status == (range(200, 400),)
    assert (health.interval, health.timeout) == (limits.PROBE_SECONDS, limits.PROBE_TIMEOUT_SECONDS)


@pytest.mark.parametrize("written", ["tcp", {"tcp": True}, {"tcp": True, "interval": "3s"}])
def test_or_no_path_at_all(written: object) -> None:
    health = HEALTH.validate_python(written)
    assert health is not None
    assert health.tcp
    assert health.path is None


def test_off() -> None:
    assert HEALTH.validate_python(False) is None


@pytest.mark.parametrize(
    "faulty",
    [
        "healthz",
        "grpc",
        True,
        {"interval": "3s"},
        {"path": "/", "tcp": True},
        {"tcp": True, "status": 200},
        {"path": "/", "method": "HEAD", "body": "ok"},
        {"path": "/", "status": "2xx"},
        {"path": "/", "host": "a b"},
        {"path": "/", "port": 0},
        {"path": "/", "rise": 0},
        {"path": "/", "interval": 0},
        {"path": "/", "headers": {"Connection": "close"}},
        {"path": "/", "initial": "maybe"},
        {"path": "/a b"},
    ],
)
def test_what_is_no_probe(faulty: object) -> None:
    with pytest.raises(ValidationError):
        HEALTH.validate_python(faulty)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (204, (range(204, 205),)),
        ("200-399", (range(200, 400),)),
        ("200, 204-205", (range(200, 201), range(204, 206))),
        ([200, "300-399"], (range(200, 201), range(300, 400))),
    ],
)
def test_statuses(written: object, meant: tuple[range, ...]) -> None:
    assert statuses(written) == meant


@pytest.mark.parametrize("written", ["", "99", "1000", "600", "200-", "399-200", "200,", [], True, None, [None]])
def test_what_are_no_statuses(written: object) -> None:
    with pytest.raises(ValueError, match=r"status"):
        statuses(written)


def test_ejection_is_on_and_may_be_off() -> None:
    ejection: TypeAdapter[EjectionWish | None] = TypeAdapter(OptionalEjection)
    assert ejection.validate_python(False) is None
    assert ejection.validate_python(True) == EjectionWish()
    assert ejection.validate_python({"failures": 2, "share": "30%"}) == EjectionWish(failures=2, share=0.3)
    with pytest.raises(ValidationError):
        ejection.validate_python({"first": "1m", "longest": "30s"})


def test_a_breaker() -> None:
    breaker: TypeAdapter[BreakerWish | None] = TypeAdapter(OptionalBreaker)
    assert breaker.validate_python(True) == BreakerWish()
    assert breaker.validate_python(False) is None
    with pytest.raises(ValidationError):
        breaker.validate_python({"ratio": 0})
