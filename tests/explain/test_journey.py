"""The way of a request: how far it comes, and what it meets."""

from __future__ import annotations

from proxy.cli.reading import offline_house
from proxy.config import load_text
from proxy.explain.journey import Journey, Judges, judges_of, travel
from proxy.explain.question import Question
from proxy.routing import build

TEXT = """\
listen: [{endpoint: "tcp:80", redirect: https}, {endpoint: "tcp:443", tls: internal}]
routes:
  - {name: api, path: /v1, upstream: http://127.0.0.1:1, gates: [{strip_prefix: /v1}, {add_prefix: /x}]}
  - {name: fixed, path: /fixed, methods: [GET], respond: 204}
"""


def journeys(*asked: tuple[str, str]) -> list[Journey]:
    loaded = load_text(TEXT, "x.yaml", {})
    judges = judges_of(loaded, build(loaded.require().routes, loaded.position))
    return [travel(judges, Question(*one)) for one in asked]


def test_a_request_comes_to_its_target_through_its_gates() -> None:
    [journey] = journeys(("GET", "https://a/v1/b"))
    assert journey.route is not None and journey.route.name == "api"
    assert journey.reached and journey.answer is None and journey.error is None
    assert [(step.wish.kind, step.number) for step in journey.steps] == [("strip_prefix", 0), ("add_prefix", 1)]
    assert [step.after.target for step in journey.steps if step.after is not None] == [b"/b", b"/x/b"]
    assert journey.admitted is not None and journey.admitted.path == b"/v1/b"
    assert journey.exchange is not None and journey.exchange.path == b"/x/b"


def test_an_answer_that_is_known_is_there() -> None:
    fixed, refused, nowhere, away = journeys(
        ("GET", "https://a/fixed"), ("POST", "https://a/fixed"), ("GET", "https://a/"), ("GET", "http://a/fixed")
    )
    assert fixed.answer is not None and fixed.answer.status == 204 and fixed.reached
    assert refused.answer is not None and refused.answer.status == 405 and refused.route is None
    assert nowhere.error is not None and nowhere.error.reason.code == "route.none"
    assert away.answer is not None and away.answer.status == 308 and away.sent_away and away.admitted is None


def test_a_request_that_is_none_meets_nobody() -> None:
    [journey] = journeys(("GET", "https://a/\u00e9"))
    assert (journey.head, journey.exchange, journey.admitted) == (None, None, None)
    assert journey.answer is not None and journey.answer.status == 400 and not journey.sent_away


def test_the_judges_of_a_house_and_those_of_its_configuration_agree() -> None:
    loaded = load_text(TEXT, "x.yaml", {})
    house = offline_house(loaded)
    for url in ("http://a/v1", "https://a/v1/x", "https://a/fixed", "https://a/", "https://a/%zz"):
        told = [
            (one.answer, one.route and one.route.name, one.exchange and one.exchange.path, one.reached)
            for one in (
                travel(Judges(loaded, house.admission, house.root), Question("GET", url)),
                travel(judges_of(loaded, build(loaded.require().routes)), Question("GET", url)),
            )
        ]
        assert told[0] == told[1]
