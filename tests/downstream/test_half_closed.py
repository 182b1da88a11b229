"""A client that sends nothing more: waited for as long as its answer goes on."""

from __future__ import annotations

from twisted.internet.task import Clock

from proxy.alarm import Alarm
from proxy.downstream.half_closed import HalfClosed
from proxy.limits import HALF_CLOSED_SECONDS


class Connection:
    def __init__(self) -> None:
        self.clock = Clock()
        self.given: int | None = 0
        self.cuts = 0
        self.half = HalfClosed(Alarm(self.clock, self.clock.seconds), lambda: self.given, self.cut)

    def cut(self) -> None:
        self.cuts += 1

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.1] * round(seconds * 10))


def test_without_an_answer_it_is_cut_once() -> None:
    connection = Connection()
    connection.wait(HALF_CLOSED_SECONDS - 0.2)
    assert connection.cuts == 0
    connection.wait(10)
    assert connection.cuts == 1


def test_an_answer_that_goes_on_is_waited_for() -> None:
    connection = Connection()
    for _ in range(4):
        connection.given = (connection.given or 0) + 1
        connection.wait(HALF_CLOSED_SECONDS)
    assert connection.cuts == 0
    connection.wait(2 * HALF_CLOSED_SECONDS + 0.2)
    assert connection.cuts == 1


def test_while_the_client_has_yet_to_read_its_deadline_is_another() -> None:
    connection = Connection()
    connection.given = None
    connection.wait(10 * HALF_CLOSED_SECONDS)
    assert connection.cuts == 0


def test_nobody_is_kept_when_the_connection_is_closed() -> None:
    connection = Connection()
    assert repr(connection.half) == "<HalfClosed 0>"
    connection.half.stop()
    connection.wait(10)
    assert connection.cuts == 0
    assert not connection.clock.getDelayedCalls()
