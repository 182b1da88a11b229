"""Raw requests from a real client through the running proxy to a real origin: in one piece, and in every other way."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import pytest

from tests.sockets.cases import requests, smuggling
from tests.sockets.lanes import Lane, cut, in_lanes, methods_in, read_responses
from tests.sockets.street import Street, opened
from tests.support.proxy import RunningProxy
from tests.wire.cases import requests as grammar

#: Two-piece cuts of each case: all places with REVERSEPROXY_FULL=1.
CUTS = 0 if os.environ.get("REVERSEPROXY_FULL") else 6


@pytest.fixture(scope="module")
def street(serve: Callable[..., RunningProxy]) -> Iterator[Street]:
    with opened(serve) as street:
        yield street


Work = tuple[requests.Case, Sequence[bytes]]


async def judge(lane: Lane, work: Work) -> list[str]:
    """Hold one conversation and say what was wrong with it."""
    case, pieces = work
    lane.origin.reset(None)
    closing = not case.statuses
    seen = await lane.talk(
        pieces, responses=None if closing else len(case.statuses), half_close=case.half_close, pause=0.001
    )
    raw, heard, broken = bytes(lane.origin.raw), list(lane.origin.heard), list(lane.origin.broken)
    wrong = await lane.barrier()
    after = [request.target for request in lane.origin.heard]
    if seen.statuses != case.statuses or (closing and not seen.closed):
        wrong.append(f"the client got {seen.statuses}, {seen.raw[:200]!r}")
    if tuple((request.method, request.target, request.body) for request in heard) != case.heard or after != [
        target for _, target, _ in case.heard
    ]:
        wrong.append(f"the origin heard {heard}, then {after}")
    wrong.extend(f"the origin could not read: {what}" for what in broken)
    wrong.extend(f"the origin did not see {line!r}" for line in case.lines if line not in raw)
    wrong.extend(f"the origin saw {line!r}" for line in case.never if line in raw)
    wrong.extend(f"the client saw {line!r}" for line in case.client_never if line in seen.raw)
    return [f"{case.name} in {len(pieces)} pieces: {what}" for what in wrong]


def whole(data: bytes) -> list[list[bytes]]:
    return [[data]]


def by(size: int) -> Callable[[bytes], list[list[bytes]]]:
    def cuts(data: bytes) -> list[list[bytes]]:
        step = max(size, len(data) // 400)
        return [cut(data, range(step, len(data), step))]

    return cuts


def in_two(data: bytes) -> list[list[bytes]]:
    """At every place, or at some: always around line ends, where readers look ahead."""
    places = range(1, len(data))
    if CUTS or len(data) > 600:
        ends = [at for at in places if data[at - 1 : at + 1] in (b"\r\n", b"\n\r")]
        chance = random.Random(len(data))
        places = sorted({*chance.sample(ends, min(len(ends), 2)), *chance.sample(places, min(len(places), CUTS or 40))})
    return [cut(data, [place]) for place in places]


WAYS = {
    "whole": whole,
    "bytewise": by(1),
    "by 2": by(2),
    "by 3": by(3),
    "by 7": by(7),
    "by 16": by(16),
    "in two": in_two,
}


@pytest.mark.parametrize("way", WAYS)
def test_every_case_at_any_split(street: Street, way: str) -> None:
    work: list[Work] = [(case, pieces) for case in requests.CASES for pieces in WAYS[way](case.raw)]
    wrong = street.runner.run(in_lanes(street.lanes, work, judge))
    assert not wrong, "\n".join(wrong[:20])


async def judge_smuggling(lane: Lane, work: tuple[str, Sequence[bytes]]) -> list[str]:
    name, pieces = work
    lane.origin.reset(None)
    seen = await lane.talk(pieces, pause=0.001)
    wrong = await lane.barrier()
    answered = len(seen.statuses)
    targets = [request.target for request in lane.origin.heard]
    if len(targets) > answered:
        wrong.append(f"the origin heard {targets}, the client got {seen.statuses}")
    if b"/smuggled" in targets:
        wrong.append("the origin heard the hidden request")
    if lane.origin.broken:
        wrong.append(f"the origin could not read: {lane.origin.broken}")
    return [f"{name} in {len(pieces)} pieces: {what}" for what in wrong]


@pytest.mark.parametrize("way", ["whole", "by 7"])
def test_nothing_is_smuggled(street: Street, way: str) -> None:
    work = [(name, pieces) for name, raw in smuggling.CASES.items() for pieces in WAYS[way](raw)]
    wrong = street.runner.run(in_lanes(street.lanes, work, judge_smuggling))
    assert not wrong, "\n".join(wrong[:20])


class Judged(NamedTuple):
    name: str
    raw: bytes
    status: int
    heads: int
    body: bytes


def grammar_cases() -> list[Judged]:
    accepted = [Judged(case.name, case.raw, 0, 1, case.body) for case in grammar.ACCEPTED]
    refused = [Judged(case.name, case.raw, case.reason.status, case.heads, b"") for case in grammar.REFUSED]
    return [*accepted, *refused]


async def judge_grammar(lane: Lane, work: tuple[Judged, Sequence[bytes]]) -> list[str]:
    case, pieces = work
    lane.origin.reset(None)
    seen = await lane.talk(pieces, responses=1 if case.status and not case.heads else None, pause=0)
    wrong = await lane.barrier()
    if lane.origin.broken:
        wrong.append(f"the origin could not read: {lane.origin.broken}")
    if case.status:
        if seen.statuses[-1:] != (case.status,):
            wrong.append(f"the client got {seen.statuses}, not {case.status}")
        if len(lane.origin.heard) > case.heads:
            wrong.append(f"the origin heard {lane.origin.heard}")
    elif seen.statuses[:1] == (200,) and (not lane.origin.heard or lane.origin.heard[0].body != case.body):
        wrong.append(f"the origin heard {lane.origin.heard}, not {case.body[:100]!r}")
    return [f"{case.name}: {what}" for what in wrong]


def test_what_the_codec_refuses_is_refused_on_the_wire(street: Street) -> None:
    """The tables that hold the codec, once more with everything around it."""
    work = [(case, [case.raw]) for case in grammar_cases()]
    wrong = street.runner.run(in_lanes(street.lanes, work, judge_grammar))
    assert not wrong, "\n".join(wrong[:20])


def test_a_response_that_is_none_is_noticed() -> None:
    """The reader of this test is strict itself."""
    with pytest.raises(AssertionError):
        read_responses(b"HTTP/1.1 2000 OK\r\n\r\n", [b"GET"], True)
    assert read_responses(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", [b"GET"], True).partial == 200
    assert methods_in(b"HEAD /t HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n") == [b"HEAD", b"GET"]
