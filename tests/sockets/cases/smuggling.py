"""The public families of request smuggling: each hides `GET /smuggled` in what two readers could see in two ways.

Whatever a client is told, `/smuggled` never reaches the origin as a request, and the next client gets its own answer.
"""

from __future__ import annotations

HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
_POST = b"POST /t HTTP/1.1\r\nHost: a\r\n"
_SIZED = _POST + b"Content-Length: %d\r\n" % (len(HIDDEN) + 5)
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_END = b"\r\n0\r\n\r\n"

CASES: dict[str, bytes] = {}

# CL.TE and TE.CL: both lengths, in either order.
CASES["CL.TE"] = _SIZED + _CHUNKED + _END + HIDDEN
CASES["TE.CL"] = _POST + _CHUNKED + b"Content-Length: 4\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
CASES["CL.TE in 1.0"] = (_SIZED + _CHUNKED + _END + HIDDEN).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
CASES["CL.CL"] = _POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n%b" % (len(HIDDEN), HIDDEN)
CASES["CL list"] = _POST + b"Content-Length: 0, %d\r\n\r\n%b" % (len(HIDDEN), HIDDEN)

# TE.TE: a second length that one of the two does not take for one.
for number, line in enumerate(
    [
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding:\tchunked\r\nTransfer-Encoding: x",
        b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"Transfer-Encoding:\x0bchunked",
        b"Transfer-Encoding:\x0cchunked",
        b"Transfer-Encoding: \x00chunked",
        b"Transfer-Encoding: chunked\x00",
        b"Transfer-Encoding: \xa0chunked",
        b"Transfer-Encoding: chunked\x85",
        b"Transfer-Encoding\x00: chunked",
        b"Transfer-Encoding\t: chunked",
        b" Transfer-Encoding: chunked",
        b"X: x\nTransfer-Encoding: chunked",
        b"X: x\rTransfer-Encoding: chunked",
        b"X: x\r\n Transfer-Encoding: chunked",
        b"Transfer-Encoding:\r\n chunked",
        b"Transfer-Encoding: 'chunked'",
        b'Transfer-Encoding: "chunked"',
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: identity, chunked",
        b"Transfer-Encoding: ,chunked",
        b"Transfer-Encoding: chunked,",
        b"Transfer-Encoding: chunked;q=1",
        b"Transfer-Encoding: CHUNKED ;",
        b"Transfer-Encoding: chunk",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer_Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Tran\rsfer-Encoding: chunked",
        b"Transfer-Encoding: ch\xc5\xb1nked",
    ]
):
    CASES[f"TE.TE {number}, with a length"] = _SIZED + line + b"\r\n" + _END + HIDDEN
    CASES[f"TE.TE {number}, alone"] = _POST + line + b"\r\n" + _END + HIDDEN

# CL.0 and TE.0: bodies of requests that mostly have none are bodies. 0.CL: lengths that one of the two does not see.
for method in (b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"POST", b"PUT", b"BREW"):
    start = method + b" /t HTTP/1.1\r\nHost: a\r\n"
    name = method.decode()
    CASES[f"CL.0 {name}"] = start + b"Content-Length: %d\r\n\r\n%b" % (len(HIDDEN), HIDDEN)
    CASES[f"TE.0 {name}"] = start + _CHUNKED + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
for number, line in enumerate(
    [
        b"Content-Length : %d",
        b"Content-Length\x00: %d",
        b" Content-Length: %d",
        b"X: x\r\n Content-Length: %d",
        b"Content-Length: +%d",
        b"Content-Length: -%d",
        b"Content-Length: %d.0",
        b"Content-Length: 0x%x",
        b"Content-Length: 0_%d",
        b"Content-Length: \x0b%d",
        b"Content-Length: %d \x00",
        b"Content-Length: \xef\xbc\x91%d",
        b"Content-Length: 1e%d",
        b"Content-Length: 4294967296%d",
        b"Content-Length: 18446744073709551616%d",
        b"X: x\nContent-Length: %d",
        b"Content-Length: %d\r\nContent-Length: 0",
        b"Content-Length:\r\n %d",
    ]
):
    CASES[f"0.CL {number}"] = b"GET /t HTTP/1.1\r\nHost: a\r\n" + line % len(HIDDEN) + b"\r\n\r\n" + HIDDEN

# Expect, obfuscated or not, never changes where a body ends.
for number, line in enumerate(
    [
        b"Expect: 100-continue",
        b"Expect: 100-Continue",
        b"Expect: y 100-continue",
        b"Expect:100-continue, x",
        b"Expect: x",
    ]
):
    CASES[f"Expect {number}, CL.0"] = _POST + line + b"\r\nContent-Length: %d\r\n\r\n%b" % (len(HIDDEN), HIDDEN)
    CASES[f"Expect {number}, TE.0"] = (
        _POST + line + b"\r\n" + _CHUNKED + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
    )

# Funky chunks: line ends and bytes between chunks that some readers skip.
for name, body in {
    "TERM.EXT LF in an extension": b"2;\nxx\r\n%x\r\n" % (len(HIDDEN) + 4) + b"0\r\n\r\n" + HIDDEN + b"\r\n0\r\n\r\n",
    "TERM.EXT CR in an extension": b"2;\rxx\r\nab\r\n0\r\n\r\n" + HIDDEN,
    "EXT.TERM LF ends an extension": b"2;x\nab\r\n0\r\n\r\n" + HIDDEN,
    "TERM.SPILL LF after data": b"5\r\nhello\n2e\r\n" + HIDDEN + b"\r\n0\r\n\r\n",
    "SPILL.TERM two bytes too many": b"5\r\nhelloXX2e\r\n" + HIDDEN + b"\r\n0\r\n\r\n",
    "ONE.TWO one byte after data": b"5\r\nhello\r2e\r\n" + HIDDEN + b"\r\n0\r\n\r\n",
    "TWO.ONE LF LF after data": b"5\r\nhello\n\n2e\r\n" + HIDDEN + b"\r\n0\r\n\r\n",
    "ZERO.TWO nothing after data": b"5\r\nhello0\r\n\r\n" + HIDDEN,
    "TWO.ZERO CRLF CRLF after data": b"5\r\nhello\r\n\r\n0\r\n\r\n" + HIDDEN,
    "LF lines": b"5\nhello\n0\n\n" + HIDDEN,
    "CR lines": b"5\rhello\r0\r\r" + HIDDEN,
    "size with a sign": b"+5\r\nhello\r\n0\r\n\r\n" + HIDDEN,
    "size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n" + HIDDEN,
    "size with an underscore": b"0_5\r\nhello\r\n0\r\n\r\n" + HIDDEN,
    "size with a space": b"5 \r\nhello\r\n0\r\n\r\n" + HIDDEN,
    "size empty": b"\r\n\r\n" + HIDDEN,
    "size overflowing": b"10000000000000005\r\nhello\r\n0\r\n\r\n" + HIDDEN,
    "size negative as signed": b"fffffffffffffffe\r\nhello\r\n0\r\n\r\n" + HIDDEN,
    "last chunk 00000": b"00000\r\n\r\n" + b"",
    "last chunk ended by LF": b"0\n\n" + HIDDEN,
    "last chunk with a trailer that frames": b"0\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n",
    "trailer that begins a request": b"0\r\n" + HIDDEN,
    "extension with a quoted CRLF": b'5;x="\r\n"\r\nhello\r\n0\r\n\r\n' + HIDDEN,
    "bare CR in a trailer": b"0\r\nX: y\rGET /smuggled HTTP/1.1\r\n\r\n",
}.items():
    CASES[f"chunks: {name}"] = _POST + _CHUNKED + b"\r\n" + body

# Leaving HTTP, or seeming to: the client speaks on as if the connection were a tunnel.
_UPGRADE = b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: Upgrade%b\r\nUpgrade: %b\r\n%b\r\n"
_KEY = b"Sec-WebSocket-Version: %d\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
CASES["websocket, with a body"] = (
    _UPGRADE % (b"", b"websocket", _KEY % 13 + b"Content-Length: %d\r\n" % len(HIDDEN)) + HIDDEN
)
CASES["h2c, with a body"] = (
    _UPGRADE
    % (
        b", HTTP2-Settings",
        b"h2c",
        b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nContent-Length: %d\r\n" % len(HIDDEN),
    )
    + HIDDEN
)
CASES["preface of HTTP/2"] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN
CASES["CONNECT"] = b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n" + HIDDEN
CASES["TRACE with a body"] = b"TRACE /t HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN

# Lines that end early: what is behind them is a field or a request to some.
for number, line in enumerate(
    [
        b"X: y\r\r\n",
        b"X: y\n\n",
        b"X: y\r\n\rX: z\r\n",
        b"X: y\n\r\n",
        b"X: y\r\n\x00\r\n",
        b"X\r\n",
        b": y\r\n",
        b"X Y: z\r\n",
        b"X\xff: z\r\n",
        b"\x00X: z\r\n",
        b"X: \x01\r\n",
        b"X: \x7f\r\n",
    ]
):
    CASES[f"early end {number}"] = b"GET /t HTTP/1.1\r\nHost: a\r\n" + line + HIDDEN
CASES["target with CRLF"] = b"GET /t HTTP/1.1\r\nHost: a\r\n\r\n".replace(b"/t", b"/t\r\n" + HIDDEN.strip())
CASES["target with LF"] = b"GET /t\nX: y HTTP/1.1\r\nHost: a\r\n\r\n"
CASES["method with CR"] = b"GE\rT /t HTTP/1.1\r\nHost: a\r\n\r\n"
CASES["absolute form, other host"] = b"GET http://b/t HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"
CASES["version 2.0"] = b"GET /t HTTP/2.0\r\nHost: a\r\n\r\n" + HIDDEN
CASES["version 0.9"] = b"GET /t\r\n" + HIDDEN
