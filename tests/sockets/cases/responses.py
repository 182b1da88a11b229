"""Responses, byte for byte, and what the client gets of them."""

# ruff: noqa: E501 - a conversation that is read as bytes is not broken into lines
from __future__ import annotations

from typing import NamedTuple

GET = b"GET /t HTTP/1.1\r\nHost: a\r\n\r\n"


class Case(NamedTuple):
    """One conversation.

    @ivar raw: what the origin answers.
    @ivar statuses: of the final responses that the client gets whole; none where the connection is cut.
    @ivar close: the origin closes after its bytes.
    @ivar early: the origin answers when it has the head of the request.
    @ivar has: bytes that the client must get.
    @ivar never: bytes that it must not get.
    """

    name: str
    raw: bytes
    statuses: tuple[int, ...]
    request: bytes = GET
    interim: tuple[int, ...] = ()
    close: bool = False
    early: bool = False
    has: tuple[bytes, ...] = ()
    never: tuple[bytes, ...] = ()


CASES: list[Case] = []


def case(name: str, raw: bytes, statuses: tuple[int, ...], **more: object) -> None:
    CASES.append(Case(name, raw, statuses, **more))  # type: ignore[arg-type]  # the table below names fields


# status line
case("status-line: ok no reason no sp", b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", (200,))
case("status-line: reason obs text", b"HTTP/1.1 200 \xc3\xa9t\xe9\t!\r\nContent-Length: 5\r\n\r\nhello", (200,))
case("status-line: status bad http09", b"hello world\r\nContent-Length: 5\r\n\r\nhello", (502,), close=True)
case("status-line: status bad v2", b"HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", (502,), close=True)
case("status-line: status bad no status", b"HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", (502,), close=True)
case("status-line: status bad two digits", b"HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello", (502,), close=True)
case("status-line: status bad zero", b"HTTP/1.1 000 OK\r\nContent-Length: 5\r\n\r\nhello", (502,), close=True)
case("status-line: status bad tab sep", b"HTTP/1.1\t200\tOK\r\nContent-Length: 5\r\n\r\nhello", (502,), close=True)
case("status-line: status bad version 1 10", b"HTTP/1.10 200 OK\r\nContent-Length: 5\r\n\r\nhello", (502,), close=True)
case("status-line: status bad leading space", b" HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", (502,), close=True)
case("status-line: status 099", b"HTTP/1.1 099 X\r\nContent-Length: 5\r\n\r\nhello", (502,))
case("status-line: version 1 2", b"HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello", (200,), never=(b"HTTP/1.2",))
case("status-line: head truncated", b"HTTP/1.1 200 OK\r\nContent-Le", (502,), close=True)
case("status-line: garbage binary", b"\x15\x03\x01\x00\x02\x02F", (502,), close=True)
case(
    "status-line: h2 settings",
    b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00\x00\x05\x00\xff\xff\xff",
    (502,),
    close=True,
)

# header syntax
case(
    "header-syntax: cl space before colon",
    b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhelloEXTRA",
    (502,),
    close=True,
    never=(b"Length :",),
)
case(
    "header-syntax: bare cr",
    b"HTTP/1.1 200 OK\r\nX-A: 1\r2\r\nContent-Length: 5\r\n\r\nhello",
    (502,),
    never=(b"1\r2",),
)
case("header-syntax: bare lf", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", (502,), never=(b"OK\nC",))
case(
    "header-syntax: lf splits header",
    b"HTTP/1.1 200 OK\r\nX-A: 1\nSet-Cookie: evil=1\r\nContent-Length: 5\r\n\r\nhello",
    (502,),
    never=(b"1\nSet",),
)
case(
    "header-syntax: no colon",
    b"HTTP/1.1 200 OK\r\nX-A\r\nContent-Length: 5\r\n\r\nhello",
    (502,),
    never=(b"\r\nX-A\r\n",),
)
case(
    "header-syntax: empty name",
    b"HTTP/1.1 200 OK\r\n: 1\r\nContent-Length: 5\r\n\r\nhello",
    (502,),
    never=(b"\r\n: 1",),
)
case(
    "header-syntax: bad name ctl",
    b"HTTP/1.1 200 OK\r\nX\x01A: 1\r\nContent-Length: 5\r\n\r\nhello",
    (502,),
    never=(b"X\x01A",),
)
case(
    "header-syntax: leading ws first",
    b"HTTP/1.1 200 OK\r\n X-A: 1\r\nContent-Length: 5\r\n\r\nhello",
    (502,),
    never=(b"\r\n X-A",),
)
case(
    "header-syntax: header 200k",
    b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 200_000 + b"\r\nContent-Length: 5\r\n\r\nhello",
    (502,),
)

# content length
case("content-length: cl minus", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", (502,), close=True)
case("content-length: cl suffix", b"HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello", (502,), close=True)
case("content-length: cl empty", b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nhello", (502,), close=True)
case("content-length: cl underscore", b"HTTP/1.1 200 OK\r\nContent-Length: 0_5\r\n\r\nhello", (502,), close=True)
case("content-length: cl quoted", b'HTTP/1.1 200 OK\r\nContent-Length: "5"\r\n\r\nhello', (502,), close=True)
case("content-length: cl nbsp", b"HTTP/1.1 200 OK\r\nContent-Length: \xa05\r\n\r\nhello", (502,), close=True)
case(
    "content-length: cl dup same",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    (200,),
    never=(b"Length: 5\r\nContent-Length",),
)
case("content-length: cl short", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", (), close=True)
case("content-length: cl zero", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (200,))
case("content-length: close delimited", b"HTTP/1.1 200 OK\r\n\r\nhello", (200,), close=True, has=(b"hello",))
case(
    "content-length: close delimited to 10",
    b"HTTP/1.1 200 OK\r\n\r\nhello",
    (200,),
    request=b"GET /t HTTP/1.0\r\nHost: a\r\n\r\n",
    close=True,
    has=(b"hello",),
    never=(b"chunked",),
)

# transfer encoding
case(
    "transfer-encoding: chunked to http10",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (200,),
    request=b"GET /t HTTP/1.0\r\nHost: a\r\n\r\n",
    has=(b"hello",),
    never=(b"chunked",),
)
case(
    "transfer-encoding: chunked ext",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
    (200,),
    has=(b"hello",),
)
case(
    "transfer-encoding: te xchunked",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (502,),
    close=True,
)
case(
    "transfer-encoding: te empty",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (502,),
    close=True,
)
case(
    "transfer-encoding: te param",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked;a=b\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (502,),
    close=True,
)
case("transfer-encoding: te gzip", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello", (502,), close=True)
case(
    "transfer-encoding: te two lines",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (502,),
    close=True,
)
case(
    "transfer-encoding: te space colon",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (502,),
    close=True,
    never=(b"Encoding :",),
)
case(
    "transfer-encoding: chunk bad size",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nhello\r\n0\r\n\r\n",
    (),
    close=True,
)
case(
    "transfer-encoding: chunk hex prefix",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    (),
    close=True,
)
case(
    "transfer-encoding: chunk overflow",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
    (),
    close=True,
)
case(
    "transfer-encoding: chunk truncated",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    (),
    close=True,
)
case(
    "transfer-encoding: chunk no end",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    (),
    close=True,
)
case(
    "transfer-encoding: chunked surplus",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON",
    (200,),
    never=(b"POISON",),
)

# no body
case(
    "no-body: head cl",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    (200,),
    request=b"HEAD /t HTTP/1.1\r\nHost: a\r\n\r\n",
)
case(
    "no-body: head chunked",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    (200,),
    request=b"HEAD /t HTTP/1.1\r\nHost: a\r\n\r\n",
)
case("no-body: 204", b"HTTP/1.1 204 No Content\r\n\r\n", (204,))
case(
    "no-body: 204 chunked",
    b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    (204,),
    never=(b"chunked",),
)
case(
    "no-body: 204 with body",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON",
    (204,),
    never=(b"POISON",),
)
case("no-body: 205", b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", (205,))

# interim
case(
    "interim: 103 to http10",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    (200,),
    request=b"GET /t HTTP/1.0\r\nHost: a\r\n\r\n",
    has=(b"hello",),
    never=(b" 103 ",),
)
case(
    "interim: 1xx with cl",
    b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    (200,),
    interim=(103,),
    has=(b"hello",),
)
case(
    "interim: 101 unasked",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\nRAWLEAK",
    (502,),
    close=True,
    never=(b"RAWLEAK",),
)
case(
    "interim: 101 other protocol",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\nRAWLEAK",
    (502,),
    request=b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    close=True,
)
case(
    "interim: 426 upgrade",
    b"HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: HTTP/3.0\r\nContent-Length: 5\r\n\r\nhello",
    (426,),
    has=(b"hello",),
)

# hop by hop
case(
    "hop-by-hop: conn named",
    b"HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nContent-Length: 5\r\n\r\nhello",
    (200,),
    never=(b"x-hop: 1",),
)
case(
    "hop-by-hop: keep alive field",
    b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=99\r\nContent-Length: 5\r\n\r\nhello",
    (200,),
    never=(b"timeout=99",),
)
case(
    "hop-by-hop: conn strip cl",
    b"HTTP/1.1 200 OK\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\nhello",
    (200,),
    has=(b"hello",),
)

# early or late
case(
    "early-or-late: early 413",
    b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    (413,),
    request=b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000,
    close=True,
    early=True,
)
case(
    "early-or-late: unsolicited on idle",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 408 Request Timeout\r\nContent-Length: 6\r\n\r\nPOISON",
    (200,),
    never=(b"POISON",),
)
