"""A small body can be sent once more, from its beginning."""

from __future__ import annotations

from typing import Any

from proxy.errors import CLIENT_CLOSED, ProxyError
from proxy.flow.replay import Replay
from proxy.message import BytesBody, Fields
from tests.downstream.test_response_writer import Stream
from tests.message.test_body import Taken


def test_another_taker_hears_all_of_it_from_the_beginning() -> None:
    replay = Replay(BytesBody(b"hello"), 5)
    for _ in range(3):
        sink = Taken()
        replay.start(sink)
        assert sink.told == [b"hello", "end"]
        assert replay.replayable


def test_what_has_not_arrived_yet_goes_to_the_next_taker_only() -> None:
    source = Stream(5)
    replay = Replay(source, 100)
    first, second = Taken(), Taken()
    replay.start(first)
    source.taker.body_data(b"he")
    replay.stop()
    assert source.asked == ["pause"], "between two takers nothing is read"
    replay.start(second)
    assert source.asked == ["pause", "resume"]
    source.taker.body_data(b"llo")
    source.taker.body_end(Fields())
    assert first.told == [b"he"]
    assert second.told == [b"he", b"llo", "end"]


def test_what_is_too_large_to_keep_passes_once() -> None:
    source = Stream(9)
    replay = Replay(source, 5)
    sink = Taken()
    replay.start(sink)
    source.taker.body_data(b"hello")
    assert replay.replayable
    source.taker.body_data(b"!")
    assert not replay.replayable
    assert sink.told == [b"hello", b"!"]
    assert repr(replay) == "<Replay 6 of at most 5 bytes>"


def test_what_is_kept_must_be_seen_and_the_rest_need_not() -> None:
    class Piped(Taken):
        def pipe_from(self, transport: Any, count: int, owner: Any) -> bool:
            self.told.append(f"pipe {count}")
            return True

    source, owner = Stream(90), Any
    replay, sink = Replay(source, 5), Piped()
    replay.start(sink)
    source.taker.body_data(b"hello")
    assert not replay.pipe_from("transport", 85, owner)
    source.taker.body_data(b"!")
    assert replay.pipe_from("transport", 84, owner)
    assert sink.told[-1] == "pipe 84"
    replay.stop()
    assert not replay.pipe_from("transport", 84, owner)


def test_what_has_failed_fails_for_everybody() -> None:
    source = Stream(9)
    replay = Replay(source, 5)
    sink = Taken()
    replay.start(sink)
    error = ProxyError(CLIENT_CLOSED)
    source.taker.body_failed(error)
    assert sink.told == [error]
    assert not replay.replayable


def test_the_taker_sets_the_pace() -> None:
    source = Stream(9)
    replay = Replay(source, 5)
    assert replay.length == 9
    replay.start(Taken())
    replay.pause()
    replay.resume()
    assert source.asked == ["pause", "resume"]
