"""What agents say, and what it leads to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.health.agent import Agent, Mode, Report, Word, parse_report


@pytest.mark.parametrize(
    ("line", "report"),
    [
        (b"75%", Report(share=0.75)),
        (b"150%\r", Report(share=1.5)),
        (b"up", Report(word=Word.UP)),
        (b"UP ready 100%", Report(1.0, None, Mode.READY, Word.UP)),
        (b"drain,maxconn:30", Report(None, 30, Mode.DRAIN)),
        (b"maint\t0%", Report(0.0, None, Mode.MAINTENANCE)),
        (b"down #disk full ", Report(word=Word.DOWN, why="disk full")),
        (b"fail", Report(word=Word.DOWN)),
        (b"failed#x", Report(word=Word.DOWN, why="x")),
        (b"stopped", Report(word=Word.DOWN)),
        (b"maxconn:0", Report(connections=0)),
    ],
)
def test_a_line(line: bytes, report: Report) -> None:
    assert parse_report(line) == report


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "it said nothing"),
        (b"  # why", "it said nothing"),
        (b"fine", "it said 'fine', which is no word of an agent"),
        (b"up -5%", "it said '-5%', which is no word of an agent"),
        (b"HTTP/1.1 400 Bad Request", "it said 'HTTP/1.1', which is no word of an agent"),
        (b"maxconn:many", "it said 'maxconn:many', which is no word of an agent"),
    ],
)
def test_what_is_no_line_of_an_agent(line: bytes, why: str) -> None:
    with pytest.raises(ValueError, match="it said") as caught:
        parse_report(line)
    assert str(caught.value) == why


@given(st.binary(max_size=200))
def test_whatever_it_says_is_understood_or_refused(line: bytes) -> None:
    try:
        report = parse_report(line)
    except ValueError:
        return
    assert report != Report(why=report.why)


def test_what_is_not_spoken_of_stays() -> None:
    agent = Agent()
    assert agent.usable
    assert agent.weight == 1.0
    assert agent.heard(parse_report(b"50% maxconn:7")) == []
    assert (agent.weight, agent.connections) == (0.5, 7)
    assert [*map(str, agent.heard(parse_report(b"drain #deploying")))] == [
        "ready -> drain: its agent says so: deploying"
    ]
    assert agent.usable, "those who stick to it still come"
    assert agent.weight == 0.0
    assert agent.heard(parse_report(b"drain")) == [], "it is known"
    assert [*map(str, agent.heard(parse_report(b"ready maxconn:0")))] == ["drain -> ready: its agent says so"]
    assert (agent.weight, agent.connections) == (0.5, 0)


def test_down_and_maintenance_are_two_things() -> None:
    agent = Agent()
    agent.heard(parse_report(b"down"))
    agent.heard(parse_report(b"maint"))
    assert not agent.usable
    agent.heard(parse_report(b"up"))
    assert not agent.usable
    agent.heard(parse_report(b"ready"))
    assert agent.usable
