"""What a bypass asks of a sink, and what it tells."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import WrappingFactory

from proxy.flow.bypass import Bypass, own_method
from proxy.message import Fields
from proxy.wire import ResponseReader

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"


class Ends:
    """A sink that takes pipes, and the connection that the body comes by."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, int]] = []
        self.told: list[str] = []

    def pipe_from(self, transport: Any, count: int, owner: Any) -> bool:
        self.asked.append((transport, count))
        return True

    def body_data(self, data: bytes) -> None:
        raise AssertionError

    def body_end(self, trailers: Fields) -> None:
        raise AssertionError

    body_failed = body_data  # type: ignore[assignment]

    def body_moved(self, size: int) -> None:
        self.told.append(f"moved {size}")

    def release_body(self) -> None:
        self.told.append("released")


def reading(arrived: bytes) -> ResponseReader:
    reader = ResponseReader()
    reader.expect(b"GET")
    reader.feed(HEAD + arrived)
    assert reader.next_event() is not None
    if arrived:
        assert reader.next_event() == arrived
    return reader


def test_the_rest_of_a_body_is_counted_as_read() -> None:
    ends, reader = Ends(), reading(b"abc")
    bypass = Bypass(reader, ends)
    bypass.begin(ends, "transport")
    assert ends.asked == [("transport", 7)]
    bypass.piped(5)
    assert reader.absent == 2
    bypass.piped(2)
    bypass.pipe_over()
    assert ends.told == ["moved 5", "moved 2", "released"]
    assert reader.next_event() is not None
    assert reader.complete


def test_a_sink_that_wants_to_see_the_bytes_is_not_asked() -> None:
    class Seeing:
        def body_data(self, data: bytes) -> None:
            raise AssertionError

        def body_end(self, trailers: Fields) -> None:
            raise AssertionError

        body_failed = body_data  # type: ignore[assignment]

    ends, reader = Ends(), reading(b"abc")
    Bypass(reader, ends).begin(Seeing(), "transport")
    Bypass(reader, ends).begin(None, "transport")
    assert (ends.asked, reader.absent) == ([], 7)


def test_a_method_that_a_wrapper_lends_is_not_its_own() -> None:
    """Bytes that went past it would be those before it has decrypted them."""
    factory = WrappingFactory(Factory.forProtocol(Protocol))

    class Plain(StringTransport):
        def pipe_to(self) -> None:
            raise AssertionError("TLS cannot have that")

    plain = Plain()
    wrapper = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
    wrapper.makeConnection(plain)
    assert wrapper.pipe_to is not None, "Twisted lends it"
    assert own_method(wrapper, "pipe_to") is None
    assert own_method(plain, "pipe_to") == plain.pipe_to
