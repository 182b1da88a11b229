"""Requests, byte for byte, and what comes of them behind the proxy: what the client is told, what the origin hears.

They stand in the order of RFC 9112; the last part is what public work on request smuggling has found to fool others.
"""

# ruff: noqa: E501 - a conversation that is read as bytes is not broken into lines
from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """One conversation.

    @ivar statuses: of the final responses; none where the connection is only closed.
    @ivar heard: method, target and body of each request that the origin hears, nothing more and nothing less.
    @ivar lines: bytes that the origin must see.
    @ivar never: bytes that it must not see.
    """

    name: str
    raw: bytes
    statuses: tuple[int, ...]
    heard: tuple[tuple[bytes, bytes, bytes], ...] = ()
    lines: tuple[bytes, ...] = ()
    never: tuple[bytes, ...] = ()
    client_never: tuple[bytes, ...] = ()
    half_close: bool = False


CASES: list[Case] = []


def case(name: str, raw: bytes, statuses: tuple[int, ...], **more: object) -> None:
    CASES.append(Case(name, raw, statuses, **more))  # type: ignore[arg-type]  # the table below names fields


# baseline
case("baseline: head plain", b"HEAD /t HTTP/1.1\r\nHost: a\r\n\r\n", (200,), heard=((b"HEAD", b"/t", b""),))
case(
    "baseline: post content length",
    b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    (200,),
    heard=((b"POST", b"/t", b"hello"),),
)
case(
    "baseline: post chunked",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (200,),
    heard=((b"POST", b"/t", b"hello"),),
)
case("baseline: post no length", b"POST /t HTTP/1.1\r\nHost: a\r\n\r\n", (200,), heard=((b"POST", b"/t", b""),))
case(
    "baseline: get with body",
    b"GET /t HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    (200,),
    heard=((b"GET", b"/t", b"hello"),),
)
case(
    "baseline: http10 keepalive",
    b"GET /t HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
)
case(
    "baseline: pipelined after close",
    b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: abc\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    never=(b"/smuggled",),
)
case(
    "baseline: bytewise get",
    b"GET /t HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    lines=(b"X-A: b",),
)

# request line
case("request-line: leading crlf", b"\r\nGET /t HTTP/1.1\r\nHost: a\r\n\r\n", (200,), heard=((b"GET", b"/t", b""),))
case(
    "request-line: leading crlf x50",
    b"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET /t HTTP/1.1\r\nHost: a\r\n\r\n",
    (400,),
)
case("request-line: leading lf", b"\nGET /t HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: leading space", b" GET /t HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: leading nul", b"\x00GET /t HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: sep method two spaces", b"GET  /t HTTP/1.1\r\nHost: a\r\n\r\n", (400,), never=(b"GET  /t",))
case("request-line: sep method ff", b"GET\x0c/t HTTP/1.1\r\nHost: a\r\n\r\n", (400,), never=(b"GET\x0c/t",))
case("request-line: sep method cr", b"GET\r/t HTTP/1.1\r\nHost: a\r\n\r\n", (400,), never=(b"GET\r/t",))
case("request-line: sep version two spaces", b"GET /t  HTTP/1.1\r\nHost: a\r\n\r\n", (400,), never=(b"/t  HTTP",))
case("request-line: bare lf line end", b"GET /t HTTP/1.1\nHost: a\r\n\r\n", (400,), never=(b"HTTP/1.1\nHost",))
case("request-line: http09", b"GET /t\r\n\r\n", (400,))
case("request-line: version lowercase", b"GET /t http/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: version 1 10", b"GET /t HTTP/1.10\r\nHost: a\r\n\r\n", (400,))
case("request-line: version 11 1", b"GET /t HTTP/11.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: version empty major", b"GET /t HTTP/.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: version negative", b"GET /t HTTP/-1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: version suffix", b"GET /t HTTP/1.1x\r\nHost: a\r\n\r\n", (400,))
case("request-line: version https", b"GET /t HTTPS/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: version overflow", b"GET /t HTTP/4294967297.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: version plus", b"GET /t HTTP/1.+1\r\nHost: a\r\n\r\n", (400,))
case(
    "request-line: version 1 2",
    b"GET /t HTTP/1.2\r\nHost: a\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    never=(b"HTTP/1.2",),
)
case("request-line: version 2 0", b"GET /t HTTP/2.0\r\nHost: a\r\n\r\n", (505,))
case("request-line: method lowercase", b"get /t HTTP/1.1\r\nHost: a\r\n\r\n", (200,), heard=((b"get", b"/t", b""),))
case(
    "request-line: method tchars",
    b"A!#$%&'*+-.^_`|~9 /t HTTP/1.1\r\nHost: a\r\n\r\n",
    (200,),
    heard=((b"A!#$%&'*+-.^_`|~9", b"/t", b""),),
)
case("request-line: method bad empty", b" /t HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: method bad paren", b"G(T /t HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: method bad comma", b"GET,POST /t HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: method bad quote", b'"GET" /t HTTP/1.1\r\nHost: a\r\n\r\n', (400,))
case("request-line: method bad nul", b"GE\x00T /t HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: method bad latin1", b"G\xc9T /t HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: method 20k", b"A" * 20_000 + b" /t HTTP/1.1\r\nHost: a\r\n\r\n", (501,))
case("request-line: connect authority", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", (501,))
case("request-line: connect origin form", b"CONNECT /t HTTP/1.1\r\nHost: a\r\n\r\n", (501,))
case("request-line: trace", b"TRACE /t HTTP/1.1\r\nHost: a\r\nCookie: s=1\r\n\r\n", (501,))
case("request-line: get star", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: absolute no host header", b"GET http://a/t HTTP/1.1\r\n\r\n", (400,))
case(
    "request-line: absolute no path",
    b"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
    (200,),
    heard=((b"GET", b"/", b""),),
    lines=(b"GET / ",),
)
case(
    "request-line: absolute query no path",
    b"GET http://a?x=1 HTTP/1.1\r\nHost: a\r\n\r\n",
    (200,),
    heard=((b"GET", b"/?x=1", b""),),
    lines=(b"GET /?x=1 ",),
)
case("request-line: absolute other scheme", b"GET ftp://a/t HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: absolute at trick", b"GET @evil/t HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: authority form get", b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: target query only", b"GET ?x HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: target space", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case("request-line: method only", b"GET\r\nHost: a\r\n\r\n", (400,))
case("request-line: target ctl del", b"GET /a\x7fb HTTP/1.1\r\nHost: a\r\n\r\n", (400,), never=(b"/a\x7fb",))
case("request-line: target ctl tab", b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", (400,), never=(b"/a\tb",))
case("request-line: target ctl esc", b"GET /a\x1bb HTTP/1.1\r\nHost: a\r\n\r\n", (400,), never=(b"/a\x1bb",))
case("request-line: target pct bad", b"GET /%zz%2 HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case(
    "request-line: target 7900",
    b"GET /" + b"a" * 7_900 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    (200,),
    heard=((b"GET", b"/" + b"a" * 7_900, b""),),
)
case("request-line: target 2m", b"GET /" + b"a" * 2_000_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", (414,))
case(
    "request-line: garbage tls hello",
    b"\x16\x03\x01\x00/\x01\x00\x00+\x03\x03\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x00\x00\x02\xc0/\x01\x00",
    (400,),
)

# host
case("host: host dup same", b"GET /t HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", (400,))
case("host: host dup diff", b"GET /t HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", (400,))
case("host: host empty", b"GET /t HTTP/1.1\r\nHost:\r\n\r\n", (400,))
case("host: host bad space", b"GET /t HTTP/1.1\r\nHost: a b\r\n\r\n", (400,))
case("host: host bad query", b"GET /t HTTP/1.1\r\nHost: a?x\r\n\r\n", (400,))
case("host: host bad comma list", b"GET /t HTTP/1.1\r\nHost: a, b\r\n\r\n", (400,))
case("host: host bad backslash", b"GET /t HTTP/1.1\r\nHost: a\\b\r\n\r\n", (400,))
case("host: host bad two ports", b"GET /t HTTP/1.1\r\nHost: a:80:80\r\n\r\n", (400,))
case("host: host bad port neg", b"GET /t HTTP/1.1\r\nHost: a:-1\r\n\r\n", (400,))
case("host: host bad v6 open", b"GET /t HTTP/1.1\r\nHost: [::1\r\n\r\n", (400,))
case("host: host bad caret", b"GET /t HTTP/1.1\r\nHost: a^b\r\n\r\n", (400,))
case("host: host bad latin1", b"GET /t HTTP/1.1\r\nHost: \xe9\r\n\r\n", (400,))
case("host: host bad tab", b"GET /t HTTP/1.1\r\nHost: a\tb\r\n\r\n", (400,))
case("host: host bad pipe", b"GET /t HTTP/1.1\r\nHost: a|b\r\n\r\n", (400,))
case("host: host port 99999", b"GET /t HTTP/1.1\r\nHost: a:99999\r\n\r\n", (400,))
case("host: host ok empty port", b"GET /t HTTP/1.1\r\nHost: a:\r\n\r\n", (200,), heard=((b"GET", b"/t", b""),))
case("host: host ok v4", b"GET /t HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", (200,), heard=((b"GET", b"/t", b""),))
case(
    "host: host ok trailing dot", b"GET /t HTTP/1.1\r\nHost: a.example.\r\n\r\n", (200,), heard=((b"GET", b"/t", b""),)
)
case("host: host ok underscore", b"GET /t HTTP/1.1\r\nHost: a_b.example\r\n\r\n", (200,), heard=((b"GET", b"/t", b""),))
case("host: host ok subdelim", b"GET /t HTTP/1.1\r\nHost: a;b\r\n\r\n", (200,), heard=((b"GET", b"/t", b""),))
case("host: host folded", b"GET /t HTTP/1.1\r\nHost:\r\n a\r\n\r\n", (400,))

# header syntax
case("header-syntax: tab before colon", b"GET /t HTTP/1.1\r\nHost: a\r\nX-A\t: 1\r\n\r\n", (400,))
case("header-syntax: no colon", b"GET /t HTTP/1.1\r\nHost: a\r\nX-A\r\n\r\n", (400,))
case("header-syntax: empty name", b"GET /t HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n", (400,))
case("header-syntax: colon only", b"GET /t HTTP/1.1\r\nHost: a\r\n:\r\n\r\n", (400,))
case("header-syntax: name bad paren", b"GET /t HTTP/1.1\r\nHost: a\r\nX(A: 1\r\n\r\n", (400,), never=(b"X(A:",))
case("header-syntax: name bad comma", b"GET /t HTTP/1.1\r\nHost: a\r\nX,A: 1\r\n\r\n", (400,), never=(b"X,A:",))
case("header-syntax: name bad slash", b"GET /t HTTP/1.1\r\nHost: a\r\nX/A: 1\r\n\r\n", (400,), never=(b"X/A:",))
case("header-syntax: name bad semicolon", b"GET /t HTTP/1.1\r\nHost: a\r\nX;A: 1\r\n\r\n", (400,), never=(b"X;A:",))
case("header-syntax: name bad lt", b"GET /t HTTP/1.1\r\nHost: a\r\nX<A: 1\r\n\r\n", (400,), never=(b"X<A:",))
case("header-syntax: name bad lbrack", b"GET /t HTTP/1.1\r\nHost: a\r\nX[A: 1\r\n\r\n", (400,), never=(b"X[A:",))
case("header-syntax: name bad backslash", b"GET /t HTTP/1.1\r\nHost: a\r\nX\\A: 1\r\n\r\n", (400,), never=(b"X\\A:",))
case("header-syntax: name bad quote", b'GET /t HTTP/1.1\r\nHost: a\r\nX"A: 1\r\n\r\n', (400,), never=(b'X"A:',))
case("header-syntax: name bad del", b"GET /t HTTP/1.1\r\nHost: a\r\nX\x7fA: 1\r\n\r\n", (400,), never=(b"X\x7fA:",))
case("header-syntax: name bad nel", b"GET /t HTTP/1.1\r\nHost: a\r\nX\x85A: 1\r\n\r\n", (400,), never=(b"X\x85A:",))
case("header-syntax: name bad vt", b"GET /t HTTP/1.1\r\nHost: a\r\nX\x0bA: 1\r\n\r\n", (400,), never=(b"X\x0bA:",))
case(
    "header-syntax: name tchars",
    b"GET /t HTTP/1.1\r\nHost: a\r\nA!#$%&'*+-.^_`|~9: 1\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
)
case("header-syntax: obs fold tab", b"GET /t HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\t2\r\n\r\n", (400,), never=(b"\r\n\t2",))
case(
    "header-syntax: obs fold looks like header",
    b"GET /t HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n X-Smuggled: 1\r\n\r\n",
    (400,),
    never=(b"\nX-Smuggled", b"\n X-Smuggled"),
)
case("header-syntax: bare cr in value", b"GET /t HTTP/1.1\r\nHost: a\r\nX-A: 1\r2\r\n\r\n", (400,), never=(b"1\r2",))
case("header-syntax: lf line end", b"GET /t HTTP/1.1\r\nHost: a\nX-A: 1\r\n\r\n", (400,), never=(b"a\nX-A",))
case("header-syntax: head end lf", b"GET /t HTTP/1.1\r\nHost: a\r\n\n", (400,))
case(
    "header-syntax: head end cr x",
    b"GET /t HTTP/1.1\r\nHost: a\r\n\rKGET /smuggled HTTP/1.1\r\nHost: abc\r\n\r\n",
    (400,),
    never=(b"/smuggled",),
)
case("header-syntax: value ctl del", b"GET /t HTTP/1.1\r\nHost: a\r\nX-A: 1\x7f2\r\n\r\n", (400,))
case("header-syntax: value ctl bs", b"GET /t HTTP/1.1\r\nHost: a\r\nX-A: 1\x082\r\n\r\n", (400,))
case(
    "header-syntax: value obs text",
    b"GET /t HTTP/1.1\r\nHost: a\r\nX-A: caf\xe9 \xc3\xa9\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    lines=(b"caf\xe9 \xc3\xa9",),
)
case(
    "header-syntax: value no space",
    b"GET /t HTTP/1.1\r\nHost: a\r\nX-A:1\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    lines=(b"X-A:",),
)
case(
    "header-syntax: value ows trim",
    b"GET /t HTTP/1.1\r\nHost: a\r\nX-A: \t 1 \t \r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    lines=(b"X-A:",),
)
case(
    "header-syntax: value 4k",
    b"GET /t HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 4_000 + b"\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
)
case(
    "header-syntax: fields 10000",
    b"GET /t HTTP/1.1\r\nHost: a\r\n" + b"X-A: 1\r\n" * 10_000 + b"X-Z: 1\r\n\r\n",
    (431,),
)
case(
    "header-syntax: fields 90",
    b"GET /t HTTP/1.1\r\nHost: a\r\n" + b"X-A: 1\r\n" * 90 + b"X-Z: 1\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
)
case(
    "header-syntax: underscore xff",
    b"GET /t HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 6.6.6.6\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    never=(b"x_forwarded_for",),
)
case(
    "header-syntax: underscore cl",
    b"POST /t HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\nContent-Length: 0\r\n\r\n",
    (200,),
    heard=((b"POST", b"/t", b""),),
    never=(b"content_length",),
)

# content length
case("content-length: cl minus", b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello", (400,))
case("content-length: cl underscore", b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 0_5\r\n\r\nhello", (400,))
case("content-length: cl exp", b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 5e0\r\n\r\nhello", (400,))
case("content-length: cl two words", b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\nhello", (400,))
case("content-length: cl param", b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 5;a\r\n\r\nhello", (400,))
case("content-length: cl quoted", b'POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: "5"\r\n\r\nhello', (400,))
case("content-length: cl empty", b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\nhello", (400,))
case("content-length: cl nul", b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 5\x00\r\n\r\nhello", (400,))
case("content-length: cl vt", b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: \x0b5\r\n\r\nhello", (400,))
case("content-length: cl nbsp", b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: \xa05\r\n\r\nhello", (400,))
case(
    "content-length: cl fullwidth", b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: \xef\xbc\x95\r\n\r\nhello", (400,)
)
case("content-length: cl arabic", b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: \xd9\xa5\r\n\r\nhello", (400,))
case("content-length: cl infinity", b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: inf\r\n\r\nhello", (400,))
case(
    "content-length: cl superscript",
    b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: \xe2\x81\xb5\r\n\r\nhello",
    (400,),
)
case(
    "content-length: cl comma same",
    b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello",
    (400,),
    never=(b"5, 5", b"5,5"),
)
case(
    "content-length: cl dup one empty",
    b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: \r\nContent-Length: 5\r\n\r\nhello",
    (400,),
)
case(
    "content-length: cl overflow 64",
    b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551621\r\n\r\nhello",
    (400,),
)
case(
    "content-length: cl overflow 32",
    b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 4294967301\r\n\r\nhelloGET /smuggled HTTP/1.1\r\nHost: abc\r\n\r\n",
    (413,),
    never=(b"/smuggled",),
)
case(
    "content-length: cl 30 digits",
    b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999999999999999999999\r\n\r\nhello",
    (400,),
)
case(
    "content-length: cl 5000 digits",
    b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\nhello",
    (400,),
)
case(
    "content-length: cl body short close",
    b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello",
    (),
    half_close=True,
)
case(
    "content-length: cl body longer",
    b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGARBAGE\r\n\r\n",
    (200, 400),
    heard=((b"POST", b"/t", b"hello"),),
    never=(b"GARBAGE",),
)
case("content-length: cl 413", b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\nx", (413,))

# transfer encoding
case(
    "transfer-encoding: te xchunked",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (501,),
)
case(
    "transfer-encoding: te chunkedx",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunkedx\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (501,),
)
case(
    "transfer-encoding: te identity",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (501,),
)
case(
    "transfer-encoding: te quoted",
    b'POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "chunked"\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    (400,),
)
case(
    "transfer-encoding: te inner space",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chun ked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "transfer-encoding: te truncated",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunke\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (501,),
)
case(
    "transfer-encoding: te empty",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "transfer-encoding: te cr",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \rchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "transfer-encoding: te colon",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: : chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "transfer-encoding: te del",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\x7f\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "transfer-encoding: te chunked gzip",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "transfer-encoding: te gzip chunked",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (501,),
)
case(
    "transfer-encoding: te comma last",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
    never=(b"chunked,",),
)
case(
    "transfer-encoding: te tab colon",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "transfer-encoding: te name suffix vt",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\x0b: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "transfer-encoding: te name suffix x1f",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\x1f: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "transfer-encoding: te folded value",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
    never=(b":\r\n chunked",),
)
case(
    "transfer-encoding: te lf before value",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\nchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "transfer-encoding: te split name",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-\r\nEncoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "transfer-encoding: te after lf",
    b"POST /t HTTP/1.1\r\nHost: a\r\nX: X\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
    (400,),
    never=(b"X\nTransfer",),
)
case(
    "transfer-encoding: te after cr",
    b"POST /t HTTP/1.1\r\nHost: a\r\nX: X\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
    (400,),
    never=(b"\rTransfer",),
)
case(
    "transfer-encoding: te underscore",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
    (200,),
    heard=((b"POST", b"/t", b"hello"),),
)
case(
    "transfer-encoding: te content encoding",
    b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
    (200,),
    heard=((b"POST", b"/t", b"hello"),),
)
case(
    "transfer-encoding: te http10",
    b"POST /t HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "transfer-encoding: te http10 cl",
    b"POST /t HTTP/1.0\r\nHost: a\r\nContent-Length: 15\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "transfer-encoding: te connection listed",
    b"POST /t HTTP/1.1\r\nHost: a\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (200,),
    heard=((b"POST", b"/t", b"hello"),),
)
case(
    "transfer-encoding: te te header",
    b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: gzip;q=0.5, trailers\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    never=(b"gzip",),
)

# smuggling
case(
    "smuggling: cl te equal",
    b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: abc\r\n\r\n",
    (400,),
    never=(b"/smuggled",),
)
case(
    "smuggling: cl te get",
    b"GET /t HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: abc\r\n\r\n",
    (400,),
    never=(b"/smuggled",),
)
case(
    "smuggling: clbad te",
    b"POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: abc\r\n\r\n",
    (400,),
    never=(b"/smuggled",),
)
case(
    "smuggling: te te cow",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "smuggling: comma chunked cl",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    (400,),
    never=(b"content-length: 5",),
)
case(
    "smuggling: te0 head",
    b"HEAD /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n25\r\nGET /smuggled HTTP/1.1\r\nHost: abc\r\n\r\n\r\n0\r\n\r\n",
    (200,),
    heard=((b"HEAD", b"/t", b"GET /smuggled HTTP/1.1\r\nHost: abc\r\n\r\n"),),
)
case(
    "smuggling: zero cl leading space",
    b"GET /t HTTP/1.1\r\nHost: a\r\n Content-Length: 37\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: abc\r\n\r\n",
    (400,),
    never=(b"/smuggled",),
)
case(
    "smuggling: upgrade with cl body",
    b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 37\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: abc\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b"GET /smuggled HTTP/1.1\r\nHost: abc\r\n\r\n"),),
)
case(
    "smuggling: websocket bad version",
    b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nRAWLEAK\x00\r\n\r\n",
    (200, 400),
    heard=((b"GET", b"/t", b""),),
    never=(b"RAWLEAK",),
)
case(
    "smuggling: h2c upgrade no settings option",
    b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    never=(b"upgrade: h2c",),
)
case(
    "smuggling: upgrade h2 in list",
    b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    never=(b"h2c",),
)
case(
    "smuggling: upgrade tls",
    b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    never=(b"TLS/1.0",),
)
case(
    "smuggling: get 0d0a header value",
    b"GET /t HTTP/1.1\r\nHost: a\r\nX-A: %0d%0aX-Smuggled: 1\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    never=(b"\nX-Smuggled",),
)

# chunked
case(
    "chunked: chunk ext quoted",
    b'POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a="b;c \\" d"\r\nhello\r\n0\r\n\r\n',
    (200,),
    heard=((b"POST", b"/t", b"hello"),),
)
case(
    "chunked: chunk ext bws",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 ; a = b\r\nhello\r\n0\r\n\r\n",
    (200,),
    heard=((b"POST", b"/t", b"hello"),),
)
case(
    "chunked: chunk ext last",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0;a=b\r\n\r\n",
    (200,),
    heard=((b"POST", b"/t", b"hello"),),
)
case(
    "chunked: chunk leading zeros",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0005\r\nhello\r\n000\r\n\r\n",
    (200,),
    heard=((b"POST", b"/t", b"hello"),),
)
case(
    "chunked: chunk 1000 zeros",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 1_000 + b"5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: chunk size hex prefix",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: chunk size plus",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: chunk size underscore",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0_5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: chunk size trailing space",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: chunk size tab",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\t5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: chunk size empty",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: chunk size comma",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5,5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: chunk size dot",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5.0\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: chunk size nul",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\x00\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: chunk size quoted",
    b'POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"5"\r\nhello\r\n0\r\n\r\n',
    (400,),
)
case(
    "chunked: chunk size minus zero hex",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-0x5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: chunk size huge",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: chunk lf after size",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: chunk lf after data",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: chunk two any bytes after data",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
    (400,),
)
case(
    "chunked: chunk leading crlf",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: ext lf hides chunk",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;z\nabc\r\n02a\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: abc\r\n\r\n\r\n0\r\n\r\n",
    (400,),
    never=(b"/smuggled",),
)
case(
    "chunked: ext cr x term",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r;n=v\r\nwxyz\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: ext ctl",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a\x01b\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: ext space inside",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a b\r\nhello\r\n0\r\n\r\n",
    (400,),
)
case(
    "chunked: ext unclosed quote",
    b'POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a="b\r\nhello\r\n0\r\n\r\n',
    (400,),
)
case(
    "chunked: last chunk lf",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\n\r\n",
    (400,),
)
case(
    "chunked: truncated in data",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    (),
    half_close=True,
)
case(
    "chunked: truncated before end",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    (),
    half_close=True,
)
case(
    "chunked: trailer ok",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
    (200,),
    heard=((b"POST", b"/t", b"hello"),),
)
case(
    "chunked: trailer framing",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 50\r\nTransfer-Encoding: identity\r\n\r\n",
    (200,),
    heard=((b"POST", b"/t", b"hello"),),
    never=(b"content-length: 50", b"identity"),
)
case(
    "chunked: trailer no colon",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T\r\n\r\n",
    (400,),
)
case(
    "chunked: trailer fold",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n 2\r\n\r\n",
    (400,),
    never=(b"\r\n 2",),
)
case(
    "chunked: trailer lf",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\n\r\n",
    (400,),
    never=(b"1\n\r\n",),
)
case(
    "chunked: trailer 70k",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: "
    + b"b" * 70_000
    + b"\r\n\r\n",
    (431,),
)
case(
    "chunked: trailer 10000",
    b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
    + b"X-T: 1\r\n" * 10_000
    + b"\r\n",
    (431,),
)

# connection
case(
    "connection: conn named case",
    b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: x-hOP\r\nX-Hop: 1\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    never=(b"x-hop: 1",),
)
case(
    "connection: conn list ws",
    b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: ,, X-Hop ,\t\r\nX-Hop: 1\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    never=(b"x-hop: 1",),
)
case(
    "connection: conn keep alive field",
    b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nKeep-Alive: timeout=99\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    never=(b"timeout=99",),
)
case(
    "connection: conn keep alive unlisted",
    b"GET /t HTTP/1.1\r\nHost: a\r\nKeep-Alive: timeout=99\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    never=(b"timeout=99",),
)
case(
    "connection: conn te unlisted",
    b"GET /t HTTP/1.1\r\nHost: a\r\nTE: gzip\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    never=(b"te: gzip",),
)
case(
    "connection: conn upgrade http10",
    b"GET /t HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    never=(b"upgrade: websocket",),
)
case(
    "connection: conn strip host",
    b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: Host\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    lines=(b"Host:",),
)
case(
    "connection: conn strip xff",
    b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: close, X-Forwarded-For\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
    never=(b"6.6.6.6",),
)
case(
    "connection: conn strip xfproto",
    b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: X-Forwarded-Proto, X-Real-IP, Forwarded, X-Request-Id\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
)
case(
    "connection: conn 1000 options",
    b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: " + b"x-a, " * 1_000 + b"close\r\n\r\n",
    (400,),
)
case(
    "connection: xff spoof",
    b"GET /t HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
)
case(
    "connection: xff two lines",
    b"GET /t HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
)
case(
    "connection: xfproto spoof",
    b"GET /t HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
)
case(
    "connection: x original url",
    b"GET /t HTTP/1.1\r\nHost: a\r\nX-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
)
case("connection: max forwards zero", b"OPTIONS /t HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n", (200,))
case(
    "connection: max forwards get",
    b"GET /t HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
)
case(
    "connection: expect 100 http10",
    b"POST /t HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    (200,),
    heard=((b"POST", b"/t", b"hello"),),
    client_never=(b" 100 ",),
)
case(
    "connection: expect 100 no body",
    b"GET /t HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
)
case(
    "connection: range overflow",
    b"GET /t HTTP/1.1\r\nHost: a\r\nRange: bytes=-9223372036854775808,-9223372036854775608\r\n\r\n",
    (200,),
    heard=((b"GET", b"/t", b""),),
)

# path
case("path: path enc slash only", b"GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", (400,))
case(
    "path: path double enc",
    b"GET /a/%252e%252e/admin/x HTTP/1.1\r\nHost: a\r\n\r\n",
    (200,),
    heard=((b"GET", b"/a/%252e%252e/admin/x", b""),),
)
case(
    "path: path semicolon param",
    b"GET /admin;x=1/x HTTP/1.1\r\nHost: a\r\n\r\n",
    (200,),
    heard=((b"GET", b"/admin;x=1/x", b""),),
)
case(
    "path: path double slash",
    b"GET //admin/x HTTP/1.1\r\nHost: a\r\n\r\n",
    (200,),
    heard=((b"GET", b"//admin/x", b""),),
)
case(
    "path: path inner double slash", b"GET /a//b HTTP/1.1\r\nHost: a\r\n\r\n", (200,), heard=((b"GET", b"/a//b", b""),)
)
case(
    "path: path overlong utf8",
    b"GET /a/%c0%ae%c0%ae/admin HTTP/1.1\r\nHost: a\r\n\r\n",
    (200,),
    heard=((b"GET", b"/a/%c0%ae%c0%ae/admin", b""),),
)
case(
    "path: path enc letter",
    b"GET /%61dmin/x HTTP/1.1\r\nHost: a\r\n\r\n",
    (200,),
    heard=((b"GET", b"/%61dmin/x", b""),),
)
case(
    "path: path trailing dot",
    b"GET /admin./x HTTP/1.1\r\nHost: a\r\n\r\n",
    (200,),
    heard=((b"GET", b"/admin./x", b""),),
)
case(
    "path: path trailing enc space",
    b"GET /admin%20/x HTTP/1.1\r\nHost: a\r\n\r\n",
    (200,),
    heard=((b"GET", b"/admin%20/x", b""),),
)
case("path: path case", b"GET /ADMIN/x HTTP/1.1\r\nHost: a\r\n\r\n", (200,), heard=((b"GET", b"/ADMIN/x", b""),))
case("path: path enc hash", b"GET /t%23x HTTP/1.1\r\nHost: a\r\n\r\n", (200,), heard=((b"GET", b"/t%23x", b""),))
case(
    "path: path unicode fullwidth",
    b"GET /%ef%bc%8e%ef%bc%8e/admin HTTP/1.1\r\nHost: a\r\n\r\n",
    (200,),
    heard=((b"GET", b"/%ef%bc%8e%ef%bc%8e/admin", b""),),
)
case(
    "path: path triple dot",
    b"GET /.../admin HTTP/1.1\r\nHost: a\r\n\r\n",
    (200,),
    heard=((b"GET", b"/.../admin", b""),),
)
case(
    "path: path enc tab", b"GET /admin%09/x HTTP/1.1\r\nHost: a\r\n\r\n", (200,), heard=((b"GET", b"/admin%09/x", b""),)
)
