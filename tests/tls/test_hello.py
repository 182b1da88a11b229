"""The hello of a client is read as OpenSSL reads it, however it is cut, and noise is no hello."""

import ssl
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy import limits
from proxy.tls.hello import NO_HELLO, SHREDDED, Hello, HelloReader, looks_like_http, parse


def said_by_openssl(name: str | None, protocols: list[str] | None = None) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if protocols:
        context.set_alpn_protocols(protocols)
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


HELLO = said_by_openssl("A.Example", ["h2", "http/1.1"])
READ = Hello("a.example", (b"h2", b"http/1.1"))


def shred(message: bytes, size: int) -> list[bytes]:
    """A message in records of `size` bytes."""
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return [b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces]


def read(data: bytes) -> Hello | None:
    return HelloReader().feed(data)


def test_name_and_protocols() -> None:
    assert read(HELLO) == READ
    assert read(said_by_openssl(None)) == Hello("", ())
    assert read(said_by_openssl("b.example")) == Hello("b.example", ())


def test_at_every_cut() -> None:
    for cut in range(1, len(HELLO)):
        reader = HelloReader()
        assert reader.feed(HELLO[:cut]) is None, cut
        assert reader.feed(HELLO[cut:]) == READ
        assert reader.data == HELLO


@pytest.mark.parametrize("size", [50, 77, 300])
def test_spread_over_several_records(size: int) -> None:
    assert read(b"".join(shred(HELLO[5:], size))) == READ
    for packet in (1, 2, 3, 6):
        reader, data = HelloReader(), b"".join(shred(HELLO[5:], size))
        found = [reader.feed(data[at : at + packet]) for at in range(0, len(data), packet)]
        assert found[-1] == READ
        assert set(found[:-1]) == {None}
        assert reader.data == data


def test_shredded() -> None:
    pieces = shred(HELLO[5:], 1)
    assert len(pieces) > limits.HELLO_RECORDS
    assert read(b"".join(pieces)) is SHREDDED
    reader = HelloReader()
    found = [reader.feed(piece) for piece in pieces[: limits.HELLO_RECORDS]]
    assert found == [None] * (limits.HELLO_RECORDS - 1) + [SHREDDED]


@pytest.mark.parametrize(("record", "packet"), [(1, 6), (16, 1), (16000, 1)])
def test_each_byte_costs_the_same_in_however_many_packets(
    monkeypatch: pytest.MonkeyPatch, record: int, packet: int
) -> None:
    monkeypatch.setattr(limits, "HELLO_RECORDS", 10_000)

    def work(size: int) -> int:
        """How many lines of the module are run for a hello that does not end."""
        lines = 0

        def count(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal lines
            lines += frame.f_globals["__name__"] == "proxy.tls.hello"
            return count

        data = b"".join(shred(b"\x01\x00\x3f\xf0" + bytes(size), record))
        reader = HelloReader()
        before = sys.gettrace()
        sys.settrace(count)
        for at in range(0, len(data), packet):
            assert reader.feed(data[at : at + packet]) is None
        sys.settrace(before)
        return lines

    assert work(800) < 2.2 * work(400)


def test_bytes_after_it_do_not_matter() -> None:
    assert read(HELLO + b"\x14\x03\x03\x00\x01\x01") == READ


@pytest.mark.parametrize(
    "noise",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x16\x02\x00\x00\x05",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
    ],
)
def test_noise_is_no_hello(noise: bytes) -> None:
    assert read(noise) is NO_HELLO


def test_nobody_collects_for_ever() -> None:
    reader = HelloReader()
    record = b"\x16\x03\x01\x40\x00" + b"\x01\x00\x3f\xf0" + b"x" * 0x3FFC
    assert len(record) > limits.HELLO_BYTES
    assert reader.feed(record) is NO_HELLO


def test_a_name_that_is_no_ascii_is_no_hello() -> None:
    bad = HELLO.replace(b"A.Example", b"A.Ex\xe4mple")
    assert read(bad) is NO_HELLO


@settings(max_examples=300)
@given(st.integers(0, len(HELLO) - 10), st.binary(min_size=1, max_size=4))
def test_changed_bytes_never_raise(at: int, change: bytes) -> None:
    read(HELLO[: at + 9] + change + HELLO[at + 9 + len(change) :])


@given(st.binary(max_size=200))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    message = b"\x01\x00\x00" + bytes([len(body)]) + body
    found = read(b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message)
    try:
        assert found == parse(body)
    except (ValueError, IndexError):
        assert found is NO_HELLO


def test_plain_http_is_recognized() -> None:
    assert looks_like_http(b"GET / HTTP/1.1")
    assert looks_like_http(b"POST /")
    assert not looks_like_http(HELLO)
    assert not looks_like_http(b"\x00GE")
