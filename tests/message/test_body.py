"""Bodies that are here already: they keep the contract of every body."""

from __future__ import annotations

import pytest

from proxy.errors import ProxyError
from proxy.message import EMPTY, BodySource, BytesBody, Fields
from proxy.message.body import HeadOnly


class Taken:
    """A sink that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def body_data(self, data: bytes) -> None:
        assert data, "an empty piece says nothing"
        self.told.append(data)

    def body_end(self, trailers: Fields) -> None:
        self.told.append("end")

    def body_failed(self, error: ProxyError) -> None:
        self.told.append(error)


@pytest.mark.parametrize(
    ("body", "length", "told"),
    [
        (BytesBody(b"abc"), 3, [b"abc", "end"]),
        (BytesBody(memoryview(b"abc")[1:]), 2, [b"bc", "end"]),
        (BytesBody(b""), 0, ["end"]),
        (EMPTY, 0, ["end"]),
        (HeadOnly(1000), 1000, ["end"]),
        (HeadOnly(None), None, ["end"]),
    ],
)
def test_all_of_it_comes_at_once(body: BodySource, length: int | None, told: list[object]) -> None:
    sink = Taken()
    assert body.length == length
    body.start(sink)
    assert sink.told == told
    body.pause()
    body.resume()
    body.stop()
    assert sink.told == told, "the end comes once"


def test_nobody_has_to_start_a_body() -> None:
    BytesBody(b"abc").stop()
    HeadOnly(3).stop()


def test_a_body_does_not_print_what_it_holds() -> None:
    assert repr(BytesBody(b"secret")) == "BytesBody(6 bytes)"
