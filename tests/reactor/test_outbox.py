from __future__ import annotations

from collections.abc import Callable

from proxy.reactor.outbox import Outbox


class Sender:
    def __init__(self, name: str, log: list[str], then: Callable[[], None] = lambda: None) -> None:
        self.name, self.log, self.then = name, log, then

    def flush(self) -> None:
        self.log.append(self.name)
        self.then()


def test_one_callback_flushes_all_senders_of_a_turn_in_order() -> None:
    turn: list[Callable[[], None]] = []
    log: list[str] = []
    outbox = Outbox(turn.append)
    for name in "abc":
        outbox.add(Sender(name, log))
    assert log == []
    assert len(turn) == 1
    turn.pop()()
    assert log == ["a", "b", "c"]


def test_who_writes_during_the_flush_waits_for_the_next_turn() -> None:
    turn: list[Callable[[], None]] = []
    log: list[str] = []
    outbox = Outbox(turn.append)
    outbox.add(Sender("first", log, then=lambda: outbox.add(Sender("second", log))))
    turn.pop()()
    assert log == ["first"]
    turn.pop()()
    assert log == ["first", "second"]
    assert turn == []
