"""Requests, byte for byte: those that are understood, and those that are refused and why.

The `rule` is the sentence that decides. Unless it names another one, a section number is one of RFC 9112.
"""

from __future__ import annotations

from typing import NamedTuple

from proxy import limits
from proxy.errors import (
    HEAD_TOO_LARGE,
    LINE_TOO_LONG,
    REQUEST_CODING,
    REQUEST_FRAMING,
    REQUEST_HOST,
    REQUEST_INVALID,
    REQUEST_METHOD,
    REQUEST_VERSION,
    TOO_MANY_FIELDS,
    TRAILERS_TOO_LARGE,
    Reason,
)

HOST = b"Host: a"
CHUNKED = b"Transfer-Encoding: chunked"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def message(start: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((start, *fields, b"", body))


def get(target: bytes = b"/t", *fields: bytes, host: bytes = HOST) -> bytes:
    return message(b"GET %b HTTP/1.1" % target, host, *fields)


def post(*fields: bytes, body: bytes = b"hello", version: bytes = b"HTTP/1.1") -> bytes:
    return message(b"POST /t " + version, HOST, *fields, body=body)


def chunked(body: bytes) -> bytes:
    return post(CHUNKED, body=body)


class Accepted(NamedTuple):
    """One request that is understood, with what must be understood of it."""

    name: str
    rule: str
    raw: bytes
    method: bytes = b"GET"
    target: bytes = b"/t"
    host: bytes = b"a"
    body: bytes = b""
    trailers: tuple[tuple[bytes, bytes], ...] = ()
    minor: int = 1
    keep_alive: bool = True


class Refused(NamedTuple):
    """A request that is refused. Nothing but a complete head may have been understood before."""

    name: str
    rule: str
    raw: bytes
    reason: Reason
    heads: int = 0


ACCEPTED: list[Accepted] = []
REFUSED: list[Refused] = []


def accept(name: str, rule: str, raw: bytes, **understood: object) -> None:
    ACCEPTED.append(Accepted(name, rule, raw, **understood))  # type: ignore[arg-type]  # the table below names fields


def refuse(name: str, rule: str, raw: bytes, reason: Reason = REQUEST_INVALID, heads: int = 0) -> None:
    REFUSED.append(Refused(name, rule, raw, reason, heads))


# --- the request line -------------------------------------------------------------------------------------------

accept("plain", "3", get())
accept("head", "RFC 9110 9.3.2: HEAD is a method like others here", message(b"HEAD /t HTTP/1.1", HOST), method=b"HEAD")
accept("empty line first", "2.2: at least one empty line should be ignored", b"\r\n" + get())
for method in (b"get", b"Get", b"FOO", b"M-SEARCH", b"PROPFIND", b"QUERY", b"X", b"A!#$%&'*+-.^_`|~9", b"CONNECTS"):
    accept(
        f"method {method!r}",
        "RFC 9110 9.1: any token, its case kept",
        message(method + b" /t HTTP/1.1", HOST),
        method=method,
    )
accept("higher minor version", "RFC 9110 2.5: as the highest minor that is known", message(b"GET /t HTTP/1.2", HOST))
accept("highest minor version", "RFC 9110 2.5", message(b"GET /t HTTP/1.9", HOST))
accept("1.0", "9.3: not persistent unless asked", message(b"GET /t HTTP/1.0", HOST), minor=0, keep_alive=False)
accept(
    "1.0 without a field", "3.2: Host came with 1.1", message(b"GET /t HTTP/1.0"), minor=0, host=b"", keep_alive=False
)
accept("1.0 keep-alive", "9.3", message(b"GET /t HTTP/1.0", HOST, b"Connection: keep-alive"), minor=0)
accept(
    "1.0 Keep-Alive", "9.3: options have no case", message(b"GET /t HTTP/1.0", HOST, b"connection: Keep-Alive"), minor=0
)
accept(
    "1.0 keep-alive and close",
    "9.3: close wins",
    message(b"GET /t HTTP/1.0", HOST, b"Connection: keep-alive, close"),
    minor=0,
    keep_alive=False,
)
accept("close", "9.3", get(b"/t", b"Connection: close"), keep_alive=False)
accept("Close in a list", "9.3", get(b"/t", b"Connection: foo ,, CLOSE\t"), keep_alive=False)
accept("close in a second field", "9.3", get(b"/t", b"Connection: foo", b"Connection: close"), keep_alive=False)
accept("closed is not close", "9.3", get(b"/t", b"Connection: closed, x-close"))
accept(
    "a line of the longest length",
    "3",
    get(b"/" + b"a" * (limits.REQUEST_LINE_BYTES - 14)),
    target=b"/" + b"a" * (limits.REQUEST_LINE_BYTES - 14),
)

for name, line in {
    "leading space": b" GET /t HTTP/1.1",
    "leading tab": b"\tGET /t HTTP/1.1",
    "no method": b" /t HTTP/1.1",
    "no target": b"GET HTTP/1.1",
    "empty target": b"GET  HTTP/1.1",
    "two spaces before the target": b"GET  /t HTTP/1.1",
    "two spaces before the version": b"GET /t  HTTP/1.1",
    "tab for the first space": b"GET\t/t HTTP/1.1",
    "tab for the second space": b"GET /t\tHTTP/1.1",
    "trailing space": b"GET /t HTTP/1.1 ",
    "four words": b"GET /a b HTTP/1.1",
    "method alone": b"GET",
    "version alone": b"HTTP/1.1",
    "a status line": b"HTTP/1.1 200 OK",
    "HTTP/0.9": b"GET /t",
    "lower-case version": b"GET /t http/1.1",
    "1.10": b"GET /t HTTP/1.10",
    "1.01": b"GET /t HTTP/1.01",
    "01.1": b"GET /t HTTP/01.1",
    "11.1": b"GET /t HTTP/11.1",
    "no minor": b"GET /t HTTP/1",
    "empty minor": b"GET /t HTTP/1.",
    "empty major": b"GET /t HTTP/.1",
    "negative major": b"GET /t HTTP/-1.1",
    "signed minor": b"GET /t HTTP/1.+1",
    "suffix": b"GET /t HTTP/1.1x",
    "hexadecimal": b"GET /t HTTP/1.A",
    "comma": b"GET /t HTTP/1,1",
    "HTTPS": b"GET /t HTTPS/1.1",
    "overflowing major": b"GET /t HTTP/4294967297.1",
    "only spaces": b"   ",
    "JSON": b'{"a": 1}',
}.items():
    refuse(f"line: {name}", "3: method SP request-target SP HTTP-version", message(line, HOST))
for major in (0, 2, 3, 9):
    refuse(f"HTTP/{major}", "RFC 9110 15.6.6", message(b"GET /t HTTP/%d.0" % major, HOST), REQUEST_VERSION)
refuse("HTTP/2 preface", "RFC 9113 3.4: not on this reader", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", REQUEST_VERSION)
for separator in b'(),/:;<=>?@[\\]{}"':
    refuse(f"method with {chr(separator)}", "RFC 9110 5.6.2", message(b"G%cT /t HTTP/1.1" % separator, HOST))
for byte in (0x00, 0x01, 0x08, 0x0B, 0x0C, 0x1F, 0x7F, 0x80, 0xA0, 0xC9, 0xFF):
    refuse(f"method with byte {byte:#x}", "RFC 9110 5.6.2", message(b"G%cT /t HTTP/1.1" % byte, HOST))
    refuse(f"target with byte {byte:#x}", "RFC 3986 2", get(b"/a%cb" % byte))
    refuse(f"query with byte {byte:#x}", "RFC 3986 2", get(b"/a?b%cc" % byte))
for name, raw in {
    "LF": b"\n" + get(),
    "CR": b"\r" + get(),
    "NUL": b"\0" + get(),
    "two empty lines": b"\r\n\r\n" + get(),
    "TLS": b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03",
    "SOCKS": b"\x05\x01\x00",
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "PROXY line": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + get(),
}.items():
    refuse(f"first bytes: {name}", "2.2", raw)
refuse("line too long", "3: 414", get(b"/" + b"a" * (limits.REQUEST_LINE_BYTES - 13)), LINE_TOO_LONG)
refuse("line that never ends", "3: 414", b"GET /" + b"a" * 100_000, LINE_TOO_LONG)
refuse("method that never ends", "3: 501", b"A" * 100_000, REQUEST_METHOD)
refuse("method too long", "3: 501", message(b"A" * 20_000 + b" /t HTTP/1.1", HOST), REQUEST_METHOD)

# --- the target -------------------------------------------------------------------------------------------------

for target in (
    b"/", b"//", b"//evil.example/x", b"/a/../b", b"/.", b"/a//b", b"/a;b=c", b"/a:b@c", b"/!$&'()*+,;=:@-._~",
    b"/%00", b"/%2f%2E%5c", b"/caf%C3%A9", b"/a?", b"/a??b?", b"/?a=b&c=d", b"/a?x=http://b/", b"/a?%",
    b"/a?100%&b=%zz", b"/a[0]", b"/a|b^c", b"/?a[]=1|2^3", b"/?{%22a%22:1}", b"/?`\\", b"/http://b/",
):  # fmt: skip
    accept(f"target {target!r}", "3.2.1, RFC 3986 3.3: passed on as it came", get(target), target=target)
for target in (
    b"@b/t", b"t", b"?x", b"a:80", b"#", b"/t#f", b"/t?q#f", b"*", b"/*#", b"/%", b"/%2", b"/%zz", b"/a%2gb", b"/%%20",
    b'/"', b"/<", b"/>", b"/\\", b"/`", b"/{}", b'/?"', b"/?<", b"/?>", b"\\", b"\\\\b\\t", b".", b"..", b"../t",
    b"ftp://a/t", b"ws://a/t", b"file:///etc/passwd", b"javascript:1", b"http:/a/t", b"http:a/t", b"http//a",
    b"://a/t", b"http://a/t#f", b"http://a#f", b"http://a/%", b"http://a/\"", b"httpx://a/", b"xhttp://a/",
):  # fmt: skip
    refuse(f"target {target!r}", "3.2: none of the four forms", get(target))
for authority in (
    b"", b":80", b"u@a", b"u:p@a", b"@a", b"a:b", b"a:99999", b"a:-1", b"[::1", b"::1", b"a,b", b"%61", b"a\\t",
):  # fmt: skip
    refuse(
        f"authority {authority!r}", "RFC 9110 4.2: uri-host [ : port ], not empty, no userinfo",
        get(b"http://" + authority + b"/t"), REQUEST_HOST,
    )  # fmt: skip
for target, reduced in {
    b"http://b/t": b"/t",
    b"HTTP://b/t": b"/t",
    b"https://b/t": b"/t",
    b"http://b": b"/",
    b"http://b/": b"/",
    b"http://b?x=1": b"/?x=1",
    b"http://b?": b"/?",
    b"http://b/t?a/b?c": b"/t?a/b?c",
    b"http://b//t": b"//t",
}.items():
    accept(
        f"absolute {target!r}", "3.2.2: the target's authority counts, not Host", get(target), target=reduced, host=b"b"
    )
accept("absolute with port", "3.2.2", get(b"http://b:8080/t"), host=b"b:8080")
accept("absolute with IPv6", "3.2.2", get(b"http://[::1]:80/t"), host=b"[::1]:80")
accept("absolute in 1.0", "3.2.2", message(b"GET http://b/t HTTP/1.0"), host=b"b", minor=0, keep_alive=False)
accept("asterisk", "3.2.4", message(b"OPTIONS * HTTP/1.1", HOST), method=b"OPTIONS", target=b"*")
accept(
    "asterisk through a proxy",
    "3.2.4: an empty path means it",
    message(b"OPTIONS http://b HTTP/1.1", HOST),
    method=b"OPTIONS",
    target=b"*",
    host=b"b",
)
accept(
    "slash through a proxy",
    "3.2.4: a path is a path",
    message(b"OPTIONS http://b/ HTTP/1.1", HOST),
    method=b"OPTIONS",
    target=b"/",
    host=b"b",
)
accept(
    "query through a proxy",
    "3.2.4",
    message(b"OPTIONS http://b?x HTTP/1.1", HOST),
    method=b"OPTIONS",
    target=b"/?x",
    host=b"b",
)
refuse("asterisk with a query", "3.2.4", message(b"OPTIONS *?x HTTP/1.1", HOST))
refuse("lower-case options asterisk", "3.2.4: another method", message(b"options * HTTP/1.1", HOST))
for target in (b"a:443", b"/t", b"http://a/t", b"*", b"a"):
    refuse(
        f"CONNECT {target!r}",
        "RFC 9110 9.3.6: no tunnel here",
        message(b"CONNECT " + target + b" HTTP/1.1", HOST),
        REQUEST_METHOD,
    )
accept("connect", "RFC 9110 9.1: another method than CONNECT", message(b"connect /t HTTP/1.1", HOST), method=b"connect")

# --- Host -------------------------------------------------------------------------------------------------------

for host in (
    b"a", b"A.Example", b"a.example.", b"a_b.example", b"a-b.c", b"127.0.0.1", b"256.256.256.256", b"1", b"a:80",
    b"a:", b"a:0", b"a:00080", b"a:65535", b"[::1]", b"[::1]:8080", b"[::]:", b"[2001:db8::a]", b"[1:2:3:4:5:6:7:8]",
    b"[::ffff:1.2.3.4]", b"a;b", b"a!$&'()*+=b", b"xn--caf-dma.example", b"~a",
):  # fmt: skip
    accept(f"host {host!r}", "RFC 3986 3.2.2", get(host=b"Host: " + host), host=host)
accept("host with white space around", "5.1: not part of the value", get(host=b"host:\t a \t"))
accept("HOST", "RFC 9110 5.1: names have no case", get(host=b"HOST: a"))
for host in (
    b"", b"a b", b"a\tb", b"a,b", b"a, b", b"a/b", b"a?x", b"a#x", b"u@a", b"a\\b", b"a|b", b"a^b", b"a`b", b"a<b",
    b'a"b', b"{a}", b"a%41", b"%00", b"a%", b":80", b"a:b", b"a:80:80", b"a:-1", b"a:+1", b"a: 80", b"a:0x50",
    b"a:65536", b"a:99999", b"a:999999999999", b"::1", b"[::1", b"::1]", b"[]", b"[a]", b"[::1]a", b"[::1]80",
    b"[1:2:3]", b"[1:2:3:4:5:6:7:8:9]", b"[::1.2.3]", b"[::256.1.1.1]", b"[::g]", b"[12345::]", b"[1::2::3]",
    b"[fe80::1%25eth0]", b"[fe80::1%eth0]", b"[v1.a]", b"\xe9", b"\xef\xbc\x8e", b"http://a",
):  # fmt: skip
    refuse(f"host {host!r}", "3.2: an invalid value gets 400", get(host=b"Host: " + host), REQUEST_HOST)
refuse("no host", "3.2", message(b"GET /t HTTP/1.1", b"X: 1"), REQUEST_HOST)
refuse("no field at all", "3.2", message(b"GET /t HTTP/1.1"), REQUEST_HOST)
refuse("host twice", "3.2", get(b"/t", HOST), REQUEST_HOST)
refuse("host twice, differing", "3.2", get(b"/t", b"X: 1", b"hOST: b"), REQUEST_HOST)
refuse("host twice in 1.0", "3.2", message(b"GET /t HTTP/1.0", HOST, HOST), REQUEST_HOST)
refuse("bad host in 1.0", "3.2", message(b"GET /t HTTP/1.0", b"Host: a b"), REQUEST_HOST)
refuse("empty host in 1.0", "3.2", message(b"GET /t HTTP/1.0", b"Host:"), REQUEST_HOST)
refuse("absolute without host", "3.2: Host even so", message(b"GET http://a/t HTTP/1.1"), REQUEST_HOST)
refuse("absolute with two hosts", "3.2", get(b"http://a/t", HOST), REQUEST_HOST)
refuse("absolute with bad host", "3.2", get(b"http://a/t", host=b"Host: a b"), REQUEST_HOST)

# --- field lines ------------------------------------------------------------------------------------------------

for line in (
    b"X:1",
    b"X: 1",
    b"X:\t1",
    b"X: 1 \t",
    b"X:",
    b"X: ",
    b"X: a: b",
    b"X: a  b\tc",
    b"X: caf\xe9 \xc3\xa9",
    b"X: %0d%0a",
    b"X: ,,,",
    b"x!#$%&'*+-.^_`|~9: 1",
    b"0: 1",
):
    accept(f"field {line!r}", "5", get(b"/t", line))
accept("90 fields", "RFC 9110 5.4", get(b"/t", *[b"X: 1"] * 90))
accept("as many fields as may be", "RFC 9110 5.4", get(b"/t", *[b"X: 1"] * (limits.REQUEST_FIELDS - 1)))
accept("a value of 8 KB", "RFC 9110 5.4", get(b"/t", b"X: " + b"a" * 8000))
accept(
    "names that a CGI would fold",
    "RFC 9110 5.1: not this floor's to drop",
    post(b"Content-Length: 5", b"Content_Length: 9", b"Transfer_Encoding: chunked"),
    method=b"POST",
    body=b"hello",
)
for byte in (*b'()/;<=>?@[\\]{}",', *range(0x09), 0x0B, 0x0C, *range(0x0E, 0x21), 0x7F, 0x80, 0x85, 0xA0, 0xFF):
    refuse(f"name with byte {byte:#x}", "RFC 9110 5.1: a token", get(b"/t", b"X%cA: 1" % byte))
for byte in (*range(0x09), 0x0A, *range(0x0B, 0x20), 0x7F):
    refuse(f"value with byte {byte:#x}", "RFC 9110 5.5", get(b"/t", b"X: 1%c2" % byte))
    refuse(f"value beginning with byte {byte:#x}", "RFC 9110 5.5", get(b"/t", b"X:%c1" % byte))
    refuse(f"value ending with byte {byte:#x}", "RFC 9110 5.5", get(b"/t", b"X: 1%c" % byte))
for name, field in {
    "space before the colon": b"X : 1",
    "tab before the colon": b"X\t: 1",
    "no colon": b"X",
    "no name": b": 1",
    "colon alone": b":",
    "space in the name": b"X A: 1",
    "obs-fold": b"X: 1\r\n 2",
    "obs-fold with a tab": b"X: 1\r\n\t2",
    "obs-fold that looks like a field": b"X: 1\r\n Content-Length: 5",
    "obs-fold of white space": b"X: 1\r\n \t ",
    "line of spaces": b"  ",
    "a second request line": b"GET / HTTP/1.1",
}.items():
    refuse(f"field: {name}", "5: field-name : OWS field-value OWS", get(b"/t", field))
refuse("field after white space", "2.2: white space between start line and first field", get(b"/t", host=b" Host: a"))
refuse("folded host", "5.2", get(host=b"Host:\r\n a"))
for name, raw in {
    "all lines": b"GET /t HTTP/1.1\nHost: a\n\n",
    "request line": b"GET /t HTTP/1.1\nHost: a\r\n\r\n",
    "field line": b"GET /t HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n",
    "last line": b"GET /t HTTP/1.1\r\nHost: a\r\n\n",
    "last field line": b"GET /t HTTP/1.1\r\nHost: a\n\r\n",
    "after CR CR": b"GET /t HTTP/1.1\r\nHost: a\r\r\n\r\n",
    "CR alone ends the head": b"GET /t HTTP/1.1\r\nHost: a\r\n\rX" + SMUGGLED,
    "CR for all": b"GET /t HTTP/1.1\rHost: a\r\r",
    "CR in the request line": b"GET\r/t HTTP/1.1\r\nHost: a\r\n\r\n",
    "CR before the version": b"GET /t\r HTTP/1.1\r\nHost: a\r\n\r\n",
}.items():
    refuse(f"line end: {name}", "2.2: CRLF", raw)
refuse("a field too many", "RFC 9110 5.4: 431", get(b"/t", *[b"X: 1"] * limits.REQUEST_FIELDS), TOO_MANY_FIELDS)
refuse("10000 fields", "RFC 9110 5.4: 431", get(b"/t", *[b"X: 1"] * 10_000), HEAD_TOO_LARGE)
refuse("a head too large", "RFC 6585 5", get(b"/t", b"X: " + b"a" * limits.REQUEST_HEAD_BYTES), HEAD_TOO_LARGE)
refuse("a head that never ends", "RFC 6585 5", get()[:-2] + b"X: " + b"a" * 100_000, HEAD_TOO_LARGE)

# --- Content-Length ---------------------------------------------------------------------------------------------

for method in (b"POST", b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"FOO"):
    accept(
        f"{method.decode()} with a body",
        "6.2: the method says nothing",
        message(method + b" /t HTTP/1.1", HOST, b"Content-Length: 5", body=b"hello"),
        method=method,
        body=b"hello",
    )
    accept(
        f"{method.decode()} with chunks",
        "7.1: the method says nothing",
        message(method + b" /t HTTP/1.1", HOST, CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n"),
        method=method,
        body=b"hello",
    )
for value in (b"5", b"05", b"0000000000000000005", b"\t5 "):
    accept(
        f"length {value!r}", "RFC 9110 8.6: 1*DIGIT", post(b"Content-Length:" + value), method=b"POST", body=b"hello"
    )
accept(
    "length in 1.0",
    "6.3",
    post(b"Content-Length: 5", version=b"HTTP/1.0"),
    method=b"POST",
    body=b"hello",
    minor=0,
    keep_alive=False,
)
accept("length 0", "6.3", post(b"Content-Length: 0", body=b""), method=b"POST")
accept("no length", "6.3 rule 7: empty", post(body=b""), method=b"POST")
accept(
    "length in Upgrade",
    "7.8 of RFC 9110: still a body",
    get(b"/t", b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 5") + b"hello",
    body=b"hello",
)
accept(
    "length named by Connection",
    "RFC 9110 7.6.1: framing survives",
    post(b"Connection: Content-Length", b"Content-Length: 5"),
    method=b"POST",
    body=b"hello",
)
accept(
    "Expect changes no length",
    "RFC 9110 10.1.1",
    post(b"Expect: 100-continue", b"Content-Length: 5"),
    method=b"POST",
    body=b"hello",
)
for value in (
    b"", b"-5", b"+5", b"5.0", b"5e0", b"0x5", b"0_5", b"1_0", b"5 5", b"5,5", b"5, 5", b"5,", b",5", b"5;a", b'"5"',
    b"5x", b"x", b"inf", b"NaN", b"\xa05", b"5\xa0", b"\xd9\xa5", b"\xef\xbc\x95", b"\xe2\x81\xb5",
    b"9223372036854775808", b"18446744073709551621", b"9" * 20, b"9" * 5000, b"0" * 20 + b"5",
):  # fmt: skip
    refuse(f"length {value[:30]!r}", "6.3 rule 5", post(b"Content-Length: " + value), REQUEST_FRAMING)
refuse("length twice", "6.3 rule 5", post(b"Content-Length: 5", b"content-length: 5"), REQUEST_FRAMING)
refuse("length twice, differing", "6.3 rule 5", post(b"Content-Length: 5", b"Content-Length: 0"), REQUEST_FRAMING)
refuse("length twice, one empty", "6.3 rule 5", post(b"Content-Length:", b"Content-Length: 5"), REQUEST_FRAMING)
refuse(
    "length behind white space",
    "2.2: hides it from some",
    message(b"GET /t HTTP/1.1", HOST, b" Content-Length: 37", body=SMUGGLED),
)
refuse("length behind LF", "2.2", post(b"X: 1\nContent-Length: 5"))

# --- Transfer-Encoding ------------------------------------------------------------------------------------------

for value in (b"chunked", b"Chunked", b"CHUNKED", b" \tchunked\t "):
    accept(
        f"coding {value!r}",
        "7: codings have no case",
        post(b"Transfer-Encoding:" + value, body=b"5\r\nhello\r\n0\r\n\r\n"),
        method=b"POST",
        body=b"hello",
    )
accept(
    "coding named by Connection",
    "RFC 9110 7.6.1: framing survives",
    post(b"Connection: Transfer-Encoding", CHUNKED, body=b"0\r\n\r\n"),
    method=b"POST",
)
accept(
    "coding in Content-Encoding",
    "RFC 9110 8.4: says nothing of framing",
    post(b"Content-Encoding: chunked", b"Content-Length: 5"),
    method=b"POST",
    body=b"hello",
)
for value in (b"xchunked", b"chunkedx", b"chunke", b"identity", b"gzip", b"gzip, chunked", b"identity,chunked", b"cow"):
    refuse(f"coding {value!r}", "6.1: 501", post(b"Transfer-Encoding: " + value, body=b"0\r\n\r\n"), REQUEST_CODING)
for value in (
    b"", b",", b"chunked,", b",chunked", b", chunked", b"chunked, chunked", b"chunked, gzip", b"chunked, identity",
    b"chunked;a=b", b"chunked;", b'"chunked"', b"'chunked' x", b"chun ked", b": chunked", b"chunked\xa0",
    b"\xa0chunked", b"chunked \xff",
):  # fmt: skip
    refuse(f"coding {value!r}", "6.3 rule 4", post(b"Transfer-Encoding: " + value, body=b"0\r\n\r\n"), REQUEST_FRAMING)
for name, codings in {
    "twice": (CHUNKED, CHUNKED),
    "twice, one unknown": (CHUNKED, b"Transfer-encoding: cow"),
    "twice, one empty": (b"Transfer-Encoding:", CHUNKED),
    "and length": (b"Content-Length: 5", CHUNKED),
    "before length": (CHUNKED, b"Content-Length: 5"),
    "and a bad length": (b"Content-Length: x", CHUNKED),
    "unknown and length": (b"Transfer-Encoding: identity", b"Content-Length: 5"),
}.items():
    refuse(f"coding {name}", "6.3 rule 3", post(*codings, body=b"0\r\n\r\n" + SMUGGLED), REQUEST_FRAMING)
refuse("coding in 1.0", "6.1", post(CHUNKED, body=b"0\r\n\r\n", version=b"HTTP/1.0"), REQUEST_FRAMING)
refuse(
    "coding in 1.0 kept alive",
    "6.1",
    post(b"Connection: keep-alive", CHUNKED, body=b"0\r\n\r\n", version=b"HTTP/1.0"),
    REQUEST_FRAMING,
)
for name, field in {
    "space before colon": b"Transfer-Encoding : chunked",
    "VT before colon": b"Transfer-Encoding\x0b: chunked",
    "VT before value": b"Transfer-Encoding:\x0bchunked",
    "CR before value": b"Transfer-Encoding: \rchunked",
    "LF before value": b"Transfer-Encoding:\nchunked",
    "DEL behind value": b"Transfer-Encoding: chunked\x7f",
    "folded": b"Transfer-Encoding:\r\n chunked",
    "split name": b"Transfer-\r\nEncoding: chunked",
    "behind LF": b"X: X\nTransfer-Encoding: chunked",
    "behind CR": b"X: X\rTransfer-Encoding: chunked",
}.items():
    refuse(f"coding hidden: {name}", "5", post(field, b"Content-Length: 5"))

# --- chunks -----------------------------------------------------------------------------------------------------

for name, body in {
    "one": b"5\r\nhello\r\n0\r\n\r\n",
    "several": b"1\r\nh\r\n3\r\nell\r\n1\r\no\r\n0\r\n\r\n",
    "leading zeros": b"0005\r\nhello\r\n000\r\n\r\n",
    "sixteen digits": b"0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n",
    "extension": b"5;a=b\r\nhello\r\n0;c\r\n\r\n",
    "extension without value": b"5;a;b;c\r\nhello\r\n0\r\n\r\n",
    "quoted extension": b'5;a="b;c \\" d"\r\nhello\r\n0\r\n\r\n',
    "empty quoted extension": b'5;a=""\r\nhello\r\n0\r\n\r\n',
    "white space around": b"5 ; a = b\t;c\r\nhello\r\n0\r\n\r\n",
}.items():
    accept(f"chunks: {name}", "7.1", chunked(body), method=b"POST", body=b"hello")
accept(
    "chunks: hexadecimal",
    "7.1",
    chunked(b"A\r\n0123456789\r\nb\r\nabcdefghijk\r\n0\r\n\r\n"),
    method=b"POST",
    body=b"0123456789abcdefghijk",
)
accept(
    "chunks: data that looks like more",
    "7.1",
    chunked(b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"),
    method=b"POST",
    body=b"\r\n0\r\n\r\n",
)
accept("chunks: none", "7.1", chunked(b"0\r\n\r\n"), method=b"POST")
for size in (
    b"", b" 5", b"\t5", b"5 ", b"5\t", b"0x5", b"0X5", b"+5", b"-5", b"-0", b"0_5", b"5,5", b"5.0", b"g", b"x", b'"5"',
    b"5\x00", b"\x005", b"5\x0b", b"5\xa0", b"\xef\xbc\x95", b"00000000000000005", b"10000000000000005", b"F" * 16,
    b"8" + b"0" * 15, b"F" * 24, b"0" * 1000 + b"5", b"5;", b"5;=b", b"5;a=", b"5;a b", b"5;a=b c", b"5;a\x01",
    b'5;a="', b'5;a="b', b'5;a="b"c', b'5;a="\x00"', b'5;a="\\', b"5;;a", b"5 a",
    b"5;" + b"a" * limits.CHUNK_LINE_BYTES,
):  # fmt: skip
    refuse(
        f"chunk size {size[:24]!r}",
        "7.1: 1*HEXDIG and extensions",
        chunked(size + b"\r\nhello\r\n0\r\n\r\n"),
        REQUEST_FRAMING,
        1,
    )
for name, body in {
    "LF after the size": b"5\nhello\r\n0\r\n\r\n",
    "CR after the size": b"5\rhello\r\n0\r\n\r\n",
    "CR CR LF after the size": b"5\r\r\nhello\r\n0\r\n\r\n",
    "LF after the data": b"5\r\nhello\n0\r\n\r\n",
    "CR after the data": b"5\r\nhello\r0\r\n\r\n",
    "any two bytes after the data": b"5\r\nhelloXX0\r\n\r\n",
    "two line ends after the data": b"5\r\nhello\r\n\r\n0\r\n\r\n",
    "nothing after the data": b"5\r\nhello0\r\n\r\n",
    "data longer than its size": b"3\r\nhello\r\n0\r\n\r\n",
    "an empty line first": b"\r\n5\r\nhello\r\n0\r\n\r\n",
    "LF in an extension": b"3;z\nabc\r\n02a\r\n0\r\n\r\n" + SMUGGLED + b"\r\n0\r\n\r\n",
    "CR in an extension": b"4\r;n=v\r\nwxyz\r\n0\r\n\r\n",
    "CR at the end of an extension": b"4;a\r\rwxyz\r\n0\r\n\r\n",
    "LF in a quoted extension": b'4;a="\n"\r\nwxyz\r\n0\r\n\r\n',
    "LF after the last size": b"5\r\nhello\r\n0\n\r\n",
    "extensions without end": b"".join(b"1;%b\r\nx\r\n" % (b"a" * 250) for _ in range(80)),
}.items():
    refuse(f"chunks: {name}", "7.1: CRLF, and only CRLF", chunked(body), REQUEST_FRAMING, 1)

# --- trailers ---------------------------------------------------------------------------------------------------


def trailers(*lines: bytes) -> bytes:
    return chunked(b"5\r\nhello\r\n0\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n")


accept(
    "trailer",
    "7.1.2",
    trailers(b"X-T: 1", b"x-t:2 "),
    method=b"POST",
    body=b"hello",
    trailers=((b"X-T", b"1"), (b"x-t", b"2")),
)
for name in (
    b"Content-Length", b"Transfer-Encoding", b"Host", b"Connection", b"Authorization", b"Cookie", b"Content-Type",
    b"Trailer", b"TE", b"Upgrade", b"X-Forwarded-For", b"X_Forwarded_For", b"Forwarded", b"Set-Cookie",
    b"Content-Encoding", b"Cache-Control", b"Expect", b"Range", b"Via",
):  # fmt: skip
    accept(
        f"trailer {name.decode()}",
        "RFC 9110 6.5.1: dropped",
        trailers(name + b": 9", b"X: 1"),
        method=b"POST",
        body=b"hello",
        trailers=((b"X", b"1"),),
    )
accept(
    "trailer named by Connection",
    "RFC 9110 7.6.1: dropped",
    post(b"Connection: x-hop, close", CHUNKED, body=b"0\r\nX-Hop: 1\r\nX: 2\r\n\r\n"),
    method=b"POST",
    trailers=((b"X", b"2"),),
    keep_alive=False,
)
for name, line in {
    "no colon": b"X",
    "space before the colon": b"X : 1",
    "folded": b"X: 1\r\n 2",
    "leading space": b" X: 1",
    "LF": b"X: 1\nY: 2",
    "CR": b"X: 1\rY: 2",
    "NUL": b"X: \0",
}.items():
    refuse(f"trailer: {name}", "7.1.2: field lines", trailers(line), REQUEST_INVALID, 1)
refuse("trailers too large", "7.1.2", trailers(b"X: " + b"a" * 70_000), TRAILERS_TOO_LARGE, 1)
refuse("trailers too many", "7.1.2", trailers(*[b"X: 1"] * (limits.TRAILER_FIELDS + 1)), TRAILERS_TOO_LARGE, 1)
refuse("trailers without end", "7.1.2", chunked(b"0\r\n" + b"X: 1\r\n" * 10_000), TRAILERS_TOO_LARGE, 1)

# --- what comes after -------------------------------------------------------------------------------------------

refuse(
    "garbage after a body",
    "2.2: surplus bytes are the next request",
    post(b"Content-Length: 5") + b"GARBAGE\r\n\r\n",
    REQUEST_INVALID,
    1,
)
refuse("body without a length", "6.3 rule 7: the next request", post(body=b"hello there\r\n\r\n"), REQUEST_INVALID, 1)
