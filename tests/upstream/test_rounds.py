"""Questions that are asked again and again."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from twisted.internet.task import Clock

from proxy.alarm import Alarm
from proxy.flow.walk import Promise
from proxy.upstream.rounds import Pace, Rounds


class Asking:
    """Asks whoever the test plays."""

    def __init__(self, pace: Pace = Pace(10.0, 2.0)) -> None:  # noqa: B008 - immutable
        self.clock = Clock()
        self.open: list[Promise[str]] = []
        self.asked: list[float] = []
        self.heard: list[str] = []
        alarm = Alarm(self.clock, self.clock.seconds)
        self.rounds: Rounds[str] = Rounds(self, pace, alarm, Random(1))
        self.rounds.start()

    async def ask(self) -> str:
        self.asked.append(self.clock.seconds())
        self.open.append(Promise())
        return await self.open[-1]

    def answered(self, answer: str) -> None:
        self.heard.append(answer)

    def failed(self, error: BaseException) -> None:
        self.heard.append(f"failed: {error}")

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.05] * int(seconds * 20))


def test_the_first_comes_soon_and_the_others_an_interval_after_each_answer() -> None:
    asking = Asking()
    for number in range(50):
        while len(asking.open) == number:
            asking.wait(0.05)
        asking.open[-1].keep(str(number))
    assert asking.heard == [str(number) for number in range(50)]
    assert asking.asked[0] < 1.2
    gaps = [after - before for before, after in pairwise(asking.asked)]
    assert min(gaps) >= 10.0 * 0.85 - 0.05
    assert max(gaps) <= 10.0 * 1.15 + 0.25
    assert max(gaps) - min(gaps) > 1.0, "many proxies must not ask in step"


def test_one_that_takes_too_long_is_given_up_and_the_next_one_comes() -> None:
    asking = Asking()
    asking.wait(1.3)
    assert asking.rounds.under_way
    asking.wait(2.2)
    assert asking.heard == ["failed: no answer in 2 s"]
    assert not asking.rounds.under_way
    asking.wait(12.0)
    assert len(asking.asked) == 2


def test_what_a_round_raises_is_told() -> None:
    asking = Asking()
    asking.wait(1.3)
    asking.open[-1].fail(OSError("gone"))
    assert asking.heard == ["failed: gone"]


@pytest.mark.parametrize("under_way", [True, False])
def test_nothing_is_told_after_the_stop(under_way: bool) -> None:
    asking = Asking()
    asking.wait(1.3)
    if not under_way:
        asking.open[-1].keep("yes")
        asking.heard.clear()
    asking.rounds.stop()
    asking.wait(30.0)
    assert asking.heard == []
    assert len(asking.asked) == 1
    assert asking.clock.getDelayedCalls() == []
