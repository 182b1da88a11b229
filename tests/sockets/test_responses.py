"""Raw responses from a real origin through the running proxy to a real client: in one piece, and in every other way."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.sockets.cases import responses
from tests.sockets.lanes import Lane, Script, cut, in_lanes
from tests.sockets.street import Street, opened
from tests.support.proxy import RunningProxy


@pytest.fixture(scope="module")
def street(serve: Callable[..., RunningProxy]) -> Iterator[Street]:
    with opened(serve) as street:
        yield street


_CHUNK = re.compile(rb"\r\n(?!0)[0-9a-f]+\r\n")


class Work(NamedTuple):
    case: responses.Case
    pieces: tuple[bytes, ...]


async def judge(lane: Lane, work: Work) -> list[str]:
    """Hold one conversation and say what was wrong with it; two more requests must get answers of their own."""
    case = work.case
    lane.origin.reset(Script(work.pieces, case.close, case.early))
    seen = await lane.talk([case.request], responses=len(case.statuses) or None)
    heard = len(lane.origin.heard)
    lane.origin.forget_script()
    wrong = [*await lane.barrier(), *await lane.barrier()]
    refused = not case.statuses and seen.statuses == (502,)  # told before its head was passed on: better than a cut
    if not refused and (seen.statuses != case.statuses or seen.interim != case.interim):
        wrong.append(f"the client got {seen.interim} {seen.statuses}, {seen.raw[:200]!r}")
    if not case.statuses and not refused and not seen.closed:
        wrong.append("the connection was not cut")
    if heard != (not case.early):
        wrong.append(f"the origin heard {heard} requests")
    joined = _CHUNK.sub(b"", seen.raw)
    wrong.extend(f"the client did not see {line!r}" for line in case.has if line not in joined)
    wrong.extend(f"the client saw {line!r}" for line in case.never if line.lower() in seen.raw.lower())
    return [f"{case.name} in {len(work.pieces)} pieces: {what}" for what in wrong]


def whole(case: responses.Case) -> list[list[bytes]]:
    return [[case.raw]]


def bytewise(case: responses.Case) -> list[list[bytes]]:
    return [cut(case.raw, range(1, len(case.raw), max(1, len(case.raw) // 400)))]


def in_two(case: responses.Case) -> list[list[bytes]]:
    places = range(1, len(case.raw))
    chance = random.Random(len(case.raw))
    return [cut(case.raw, [place]) for place in chance.sample(places, min(len(places), 12))]


@pytest.mark.parametrize("way", [whole, bytewise, in_two])
def test_every_case_at_any_split(street: Street, way: Callable[[responses.Case], list[list[bytes]]]) -> None:
    work = [
        Work(case, tuple(pieces))
        for case in responses.CASES
        # What comes after a response, and after the next request too, nobody can tell from the answer to that one.
        if way is whole or b"POISON" not in case.raw
        for pieces in way(case)
    ]
    wrong = street.runner.run(in_lanes(street.lanes, work, judge))
    assert not wrong, "\n".join(wrong[:20])
