"""The hello of a client is read as OpenSSL reads it, however it is cut, and noise is no hello."""

import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy import limits
from proxy.tls.hello import NO_HELLO, Hello, HelloReader, looks_like_http, parse


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


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_spread_over_several_records(size: int) -> None:
    body = HELLO[5:]
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    assert read(b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)) == READ


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
