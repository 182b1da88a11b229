"""The expressions, where the case tables do not reach: whole ranges of bytes, other authorities, time."""

from __future__ import annotations

import ipaddress
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire import grammar

TCHARS = set(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
VCHARS = {*range(0x21, 0x7F), *range(0x80, 0x100), 0x20, 0x09}


@pytest.mark.parametrize("byte", range(256))
def test_each_byte_has_its_places(byte: int) -> None:
    one = bytes([byte])
    assert bool(grammar.TOKEN.fullmatch(one)) is (byte in TCHARS)
    assert bool(grammar.FIELD_LINE.fullmatch(b"X%b: 1\r\n" % one)) is (byte in TCHARS or byte == ord(":"))
    assert bool(grammar.FIELD_LINE.fullmatch(b"X: 1%b2\r\n" % one)) is (byte in VCHARS)
    assert bool(grammar.STATUS_LINE.fullmatch(b"HTTP/1.1 200 a%bb\r\n" % one)) is (byte in VCHARS)
    assert bool(grammar.LENGTH.fullmatch(one)) is (byte in b"0123456789")
    assert bool(grammar.FIRST_CHUNK_LINE.fullmatch(one + b"\r\n")) is (byte in b"0123456789abcdefABCDEF")
    assert bool(grammar.STRAY.search(b"a%bb" % one)) is (byte not in VCHARS)


def test_what_a_target_is_made_of() -> None:
    unreserved = b"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    path = {*unreserved, *b"!$&'()*+,;=:@/", *b"[]|^"}
    query = {*path, *b"?%\\`{}"}
    assert {byte for byte in range(256) if grammar.ORIGIN_FORM.fullmatch(b"/%c" % byte)} == path | {ord("?")}
    assert {byte for byte in range(256) if grammar.ORIGIN_FORM.fullmatch(b"/?%c" % byte)} == query


@given(st.ip_addresses(v=6), st.sampled_from(["", ":", ":0", ":65535"]))
def test_every_ipv6_address_is_a_host(address: ipaddress.IPv6Address, port: str) -> None:
    for text in (str(address), address.exploded, str(address).upper()):
        assert grammar.HOST.fullmatch(f"[{text}]{port}".encode())


@given(
    st.text("0123456789abcdefABCDEF:.", max_size=45)
    | st.from_regex(r"([0-9a-f]{0,4}:){0,8}[0-9a-f]{0,4}", fullmatch=True)
)
def test_nothing_else_is_an_ipv6_address(text: str) -> None:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        valid = False
    else:
        valid = True
    assert bool(grammar.HOST.fullmatch(f"[{text}]".encode())) is valid


@given(st.integers(0, 200_000), st.integers(0, 3))
def test_ports_end_at_65535(port: int, zeros: int) -> None:
    assert bool(grammar.HOST.fullmatch(b"a:%b%d" % (b"0" * zeros, port))) is (port <= 65535)


@pytest.mark.parametrize("line", [b"5;a=b\r\n", b'\r\n1f ; a = "b\\"c";d\r\n', b"0\r\n", b"\r\n00A\t;b\r\n"])
def test_every_beginning_of_a_chunk_line_may_become_one(line: bytes) -> None:
    first = not line.startswith(b"\r\n")
    start = grammar.FIRST_CHUNK_LINE_START if first else grammar.NEXT_CHUNK_LINE_START
    assert (grammar.FIRST_CHUNK_LINE if first else grammar.NEXT_CHUNK_LINE).fullmatch(line)
    assert all(start.fullmatch(line[:size]) for size in range(len(line)))


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (grammar.REQUEST_LINE, b"GET /" + b"%41a" * 50_000 + b" "),
        (grammar.REQUEST_LINE, b"GET /?" + b"?/" * 100_000 + b"\0"),
        (grammar.FIELD_LINE, b"X: " + b"a \t" * 100_000 + b"\0"),
        (grammar.FIELD_LINE_TRAILING_SPACE, b"X:" + b" " * 200_000 + b"\0"),
        (grammar.HOST, b"a" * 200_000 + b","),
        (grammar.HOST, b"[" + b":" * 200_000),
        (grammar.HOST, b"a:" + b"0" * 200_000 + b"x"),
        (grammar.FIRST_CHUNK_LINE, b"5" + b' ;a = "b\\""' * 50_000 + b"\0"),
        (grammar.FIRST_CHUNK_LINE, b"5" + b" \t" * 100_000),
        (grammar.STATUS_LINE, b"HTTP/1.1 200 " + b" \t" * 100_000 + b"\0"),
        (grammar.REQUEST_HEAD, b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 50_000),
    ],
    ids=lambda value: None if isinstance(value, bytes) else "",
)
def test_no_expression_ever_backtracks(expression: re.Pattern[bytes], text: bytes) -> None:
    started = time.process_time()
    assert not expression.fullmatch(text)
    # A fifth of a megabyte in linear time takes milliseconds; in quadratic time, minutes.
    assert time.process_time() - started < 1
