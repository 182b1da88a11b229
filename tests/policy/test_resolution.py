"""What is made of the answers of name servers."""

from __future__ import annotations

import pytest

from proxy.limits import NAME_ADDRESSES
from proxy.policy.resolution import (
    GONE_ANSWERS,
    Answer,
    Resolution,
    ResolutionPolicy,
    ResolvConf,
    Service,
    Target,
    candidates,
    paired,
    parse_resolv_conf,
    served,
)

POLICY = ResolutionPolicy(shortest=5.0, longest=60.0)
SOME = (Target("10.0.0.1", port=80),)


@pytest.mark.parametrize(("ttl", "seconds"), [(0.0, 5.0), (30.0, 30.0), (86400.0, 60.0), (float("inf"), 60.0)])
def test_answers_hold_as_long_as_they_say_within_bounds(ttl: float, seconds: float) -> None:
    assert Resolution(POLICY).found(Answer(SOME, ttl)) == seconds


def test_a_failing_name_server_takes_nothing_away() -> None:
    resolution = Resolution(POLICY)
    resolution.found(Answer(SOME, 30.0))
    for _ in range(50):
        resolution.failed("no name server answers")
    assert resolution.targets == SOME
    assert resolution.trouble == "no name server answers"
    resolution.found(Answer(SOME, 30.0))
    assert resolution.trouble == ""


def test_a_name_that_is_gone_is_believed_after_a_while() -> None:
    resolution = Resolution(POLICY)
    resolution.found(Answer(SOME, 30.0))
    for _ in range(GONE_ANSWERS - 1):
        resolution.gone("it is gone")
        assert resolution.targets == SOME
    resolution.gone("it is gone")
    assert resolution.targets == ()


def test_an_answer_in_between_starts_from_the_beginning() -> None:
    resolution = Resolution(POLICY)
    for _ in range(GONE_ANSWERS - 1):
        resolution.gone("gone")
    resolution.found(Answer(SOME, 30.0))
    resolution.gone("gone")
    assert resolution.targets == SOME


def test_questions_in_vain_come_less_and_less_often() -> None:
    resolution = Resolution(POLICY)
    waits = [resolution.failed("x") for _ in range(30)]
    assert waits[:7] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
    assert set(waits[7:]) == {60.0}


def test_nobody_has_more_servers_than_that() -> None:
    resolution = Resolution(POLICY)
    resolution.found(Answer(tuple(Target(f"10.0.{n // 250}.{n % 250}") for n in range(1000)), 5.0))
    assert len(resolution.targets) == NAME_ADDRESSES


def test_families_are_paired_in_an_order_of_their_own() -> None:
    pairs = paired(["10.0.0.9", "10.0.0.10"], ["2001:db8::2", "2001:db8::1", "2001:db8::3"], 80)
    assert [(each.host, each.other) for each in pairs] == [
        ("10.0.0.9", "2001:db8::1"),
        ("10.0.0.10", "2001:db8::2"),
        ("2001:db8::3", ""),
    ]
    assert pairs == paired(["10.0.0.10", "10.0.0.9"], ["2001:db8::3", "2001:db8::1", "2001:db8::2"], 80)
    assert paired([], [], 80) == ()


def test_services_have_ranks_and_shares() -> None:
    services = [Service(20, 0, 81, "b"), Service(10, 5, 80, "a"), Service(10, 0, 80, "c"), Service(10, 1, 80, "lost")]
    found = {"a": (["10.0.0.1"], []), "b": (["10.0.0.2"], ["2001:db8::2"]), "c": (["10.0.0.1", "10.0.0.3"], [])}
    assert served(services, found) == (
        Target("10.0.0.1", "", 80, 1, 0),
        Target("10.0.0.3", "", 80, 1, 0),
        Target("10.0.0.2", "2001:db8::2", 81, 1, 1),
    )


def test_resolv_conf() -> None:
    text = (
        "# a comment\nnameserver 10.0.0.2\nnameserver fd00::2 ; and one more\n"
        "search default.svc.cluster.local. svc.cluster.local\noptions edns0 ndots:5\nnonsense\nnameserver\n"
    )
    assert parse_resolv_conf(text) == ResolvConf(
        ("10.0.0.2", "fd00::2"), ("default.svc.cluster.local", "svc.cluster.local"), 5
    )
    assert parse_resolv_conf("") == ResolvConf()
    assert parse_resolv_conf("options ndots:x\ndomain a.test") == ResolvConf((), ("a.test",), 1)


@pytest.mark.parametrize(
    ("name", "ndots", "asked"),
    [
        ("api", 1, ["api.a.test", "api.b.test", "api"]),
        ("api.x", 1, ["api.x", "api.x.a.test", "api.x.b.test"]),
        ("api.x", 5, ["api.x.a.test", "api.x.b.test", "api.x"]),
        ("api.x.", 5, ["api.x"]),
    ],
)
def test_short_names(name: str, ndots: int, asked: list[str]) -> None:
    assert candidates(name, ResolvConf((), ("a.test", "b.test"), ndots)) == asked
