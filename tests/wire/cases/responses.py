"""Responses, byte for byte: those that are understood, and those that are refused and why.

The `rule` is the sentence that decides. Unless it names another one, a section number is one of RFC 9112.
"""

from __future__ import annotations

from typing import NamedTuple

from proxy import limits
from proxy.errors import RESPONSE_CLOSED, RESPONSE_HEAD_TOO_LARGE, RESPONSE_INVALID, RESPONSE_TRUNCATED, Reason

OK = b"HTTP/1.1 200 OK"
FIVE = b"Content-Length: 5"
CHUNKED = b"Transfer-Encoding: chunked"
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"


def message(start: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((start, *fields, b"", body))


class Accepted(NamedTuple):
    """A response that is understood, with what must be understood of it.

    @ivar eof: whether the server closes the connection after it.
    @ivar statuses: of all heads, interim ones first.
    @ivar rest: how many bytes stay unread behind it.
    """

    name: str
    rule: str
    raw: bytes
    method: bytes = b"GET"
    eof: bool = False
    statuses: tuple[int, ...] = (200,)
    reason: bytes = b"OK"
    body: bytes = b""
    minor: int = 1
    keep_alive: bool = True
    rest: int = 0


class Refused(NamedTuple):
    """A response that is refused.

    @ivar heads: how many heads have been understood before that.
    """

    name: str
    rule: str
    raw: bytes
    reason: Reason = RESPONSE_INVALID
    method: bytes = b"GET"
    eof: bool = False
    heads: int = 0


ACCEPTED: list[Accepted] = []
REFUSED: list[Refused] = []


def accept(name: str, rule: str, raw: bytes, **understood: object) -> None:
    ACCEPTED.append(Accepted(name, rule, raw, **understood))  # type: ignore[arg-type]  # the table below names fields


def refuse(name: str, rule: str, raw: bytes, reason: Reason = RESPONSE_INVALID, **more: object) -> None:
    REFUSED.append(Refused(name, rule, raw, reason, **more))  # type: ignore[arg-type]  # the table below names fields


# --- the status line --------------------------------------------------------------------------------------------

accept("plain", "4", message(OK, FIVE, body=b"hello"), body=b"hello")
for line, reason in {
    b"HTTP/1.1 200 ": b"",
    b"HTTP/1.1 200": b"",
    b"HTTP/1.1 200 Very  well,\tthank you!": b"Very  well,\tthank you!",
    b"HTTP/1.1 200 \xc3\xa9t\xe9": b"\xc3\xa9t\xe9",
    b"HTTP/1.1 200 200": b"200",
}.items():
    accept(f"reason in {line!r}", "4: may be absent, may be anything", message(line, FIVE, body=b"hello"),
           reason=reason, body=b"hello")  # fmt: skip
for status in (201, 205, 300, 404, 426, 451, 500, 599, 600, 999):
    accept(f"status {status}", "RFC 9110 15: three digits", message(b"HTTP/1.1 %d OK" % status, FIVE, body=b"hello"),
           statuses=(status,), body=b"hello")  # fmt: skip
accept("1.0", "9.3", message(b"HTTP/1.0 200 OK", FIVE, body=b"hello"), body=b"hello", minor=0, keep_alive=False)
accept("1.0 kept alive", "9.3", message(b"HTTP/1.0 200 OK", b"Connection: keep-alive", FIVE, body=b"hello"),
       body=b"hello", minor=0)  # fmt: skip
accept("1.2", "RFC 9110 2.5", message(b"HTTP/1.2 200 OK", FIVE, body=b"hello"), body=b"hello")
accept("close", "9.3", message(OK, FIVE, b"Connection: Close", body=b"hello"), body=b"hello", keep_alive=False)
for name, line in {
    "HTTP/0.9": b"hello world",
    "HTTP/2": b"HTTP/2.0 200 OK",
    "HTTP/0": b"HTTP/0.9 200 OK",
    "1.10": b"HTTP/1.10 200 OK",
    "lower case": b"http/1.1 200 OK",
    "ICY": b"ICY 200 OK",
    "no status": b"HTTP/1.1",
    "empty status": b"HTTP/1.1  OK",
    "two digits": b"HTTP/1.1 20 OK",
    "four digits": b"HTTP/1.1 2000 OK",
    "000": b"HTTP/1.1 000 OK",
    "099": b"HTTP/1.1 099 OK",
    "negative": b"HTTP/1.1 -20 OK",
    "letters": b"HTTP/1.1 2OO OK",
    "tabs": b"HTTP/1.1\t200\tOK",
    "two spaces": b"HTTP/1.1  200 OK",
    "leading space": b" HTTP/1.1 200 OK",
    "leading line": b"\r\nHTTP/1.1 200 OK",
    "no space before the reason": b"HTTP/1.1 200OK",
    "NUL in the reason": b"HTTP/1.1 200 O\0K",
    "CR in the reason": b"HTTP/1.1 200 O\rK",
    "LF in the reason": b"HTTP/1.1 200 O\nK",
    "DEL in the reason": b"HTTP/1.1 200 O\x7fK",
    "a request line": b"GET / HTTP/1.1",
}.items():
    refuse(f"line: {name}", "4", message(line, FIVE, body=b"hello"))
refuse("TLS alert", "4: another protocol", b"\x15\x03\x01\x00\x02\x02F")
refuse("HTTP/2 SETTINGS", "4: another protocol", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00")
refuse("line that never ends", "4", b"HTTP/1.1 200 " + b"a" * 100_000, RESPONSE_HEAD_TOO_LARGE)

# --- field lines ------------------------------------------------------------------------------------------------

accept("values", "5", message(OK, b"X:", b"Y: \tcaf\xe9 ", FIVE, body=b"hello"), body=b"hello")
accept("200 fields", "5", message(OK, *[b"X: 1"] * 200, FIVE, body=b"hello"), body=b"hello")
accept("60 KB", "5", message(OK, b"X: " + b"a" * 60_000, FIVE, body=b"hello"), body=b"hello")
for name, field in {
    "space before the colon": b"Content-Length : 5",
    "no colon": b"X",
    "no name": b": 1",
    "control character in the name": b"X\x01: 1",
    "obs-fold": b"X: 1\r\n 2",
    "white space first": b" X: 1",
    "CR": b"X: 1\r2",
    "LF": b"X: 1\nSet-Cookie: evil=1",
    "NUL": b"X: 1\0",
    "BEL": b"X: 1\x07",
}.items():
    refuse(f"field: {name}", "5", message(OK, field, FIVE, body=b"hello"))
refuse("bare LF throughout", "2.2", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello")
refuse("head too large", "RFC 9110 5.4", message(OK, b"X: " + b"a" * 200_000), RESPONSE_HEAD_TOO_LARGE)
refuse(
    "fields too many", "RFC 9110 5.4", message(OK, *[b"X: 1"] * (limits.RESPONSE_FIELDS + 1)), RESPONSE_HEAD_TOO_LARGE
)

# --- the length of the body -------------------------------------------------------------------------------------

accept("length 0", "6.3", message(OK, b"Content-Length: 0"))
for fields in ((FIVE, FIVE), (b"Content-Length: 5, 5",), (FIVE, b"content-length: 05,5")):
    accept(f"length repeated {fields!r}", "RFC 9110 8.6: may be taken as one", message(OK, *fields, body=b"hello"),
           body=b"hello")  # fmt: skip
accept("length named by Connection", "RFC 9110 7.6.1: framing survives",
       message(OK, b"Connection: Content-Length", FIVE, body=b"hello"), body=b"hello")  # fmt: skip
accept("until close", "6.3 rule 8", message(OK, body=b"hello"), eof=True, body=b"hello", keep_alive=False)
accept("until close, empty", "6.3 rule 8", message(OK), eof=True, keep_alive=False)
accept("until close although kept alive", "9.3", message(OK, b"Connection: keep-alive", body=b"hello"),
       eof=True, body=b"hello", keep_alive=False)  # fmt: skip
accept("close after a whole body", "9.6", message(OK, FIVE, body=b"hello"), eof=True, body=b"hello")
for value in (
    b"",
    b"-5",
    b"+5",
    b"5x",
    b"0x5",
    b"0_5",
    b"5 5",
    b"5,",
    b"5, 6",
    b'"5"',
    b"\xa05",
    b"5.0",
    b"9" * 19,
    b"9" * 5000,
):
    refuse(f"length {value[:20]!r}", "6.3 rule 5", message(OK, b"Content-Length: " + value, body=b"hello"))
    refuse(f"length {value[:20]!r} to HEAD", "RFC 9110 8.6: it is passed on",
           message(OK, b"Content-Length: " + value), method=b"HEAD")  # fmt: skip
refuse("lengths that differ", "6.3 rule 5", message(OK, FIVE, b"Content-Length: 6", body=b"hello"))
refuse("length and coding", "6.3 rule 3", message(OK, FIVE, CHUNKED, body=b"0\r\n\r\n"))
for value in (b"xchunked", b"gzip", b"identity", b"gzip, chunked", b"chunked, gzip", b"", b"chunked;a=b", b"chunked,"):
    raw = message(OK, b"Transfer-Encoding: " + value, body=b"0\r\n\r\n")
    refuse(f"coding {value!r}", "6.1: none was offered", raw)
refuse("coding twice", "7", message(OK, CHUNKED, CHUNKED, body=b"0\r\n\r\n"))
refuse("coding in 1.0", "6.1", message(b"HTTP/1.0 200 OK", CHUNKED, body=b"0\r\n\r\n"))
for name, body in {
    "chunked": b"5\r\nhello\r\n0\r\n\r\n",
    "extension": b"5;a=b\r\nhello\r\n0\r\n\r\n",
    "trailers": b"5\r\nhello\r\n0\r\nX: 1\r\n\r\n",
}.items():
    accept(name, "7.1", message(OK, CHUNKED, body=body), body=b"hello")
for name, body in {
    "no size": b"x\r\nhello\r\n0\r\n\r\n",
    "hex prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "overflow": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "LF": b"5\nhello\r\n0\r\n\r\n",
    "bad end": b"5\r\nhelloXX0\r\n\r\n",
    "bad trailer": b"0\r\nX\r\n\r\n",
    "large trailers": b"0\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
}.items():
    refuse(f"chunks: {name}", "7.1", message(OK, CHUNKED, body=body), heads=1)
for name, raw, reason, heads in (
    ("at once", b"", RESPONSE_CLOSED, 0),
    ("in the first word", b"HT", RESPONSE_TRUNCATED, 0),
    ("in the head", b"HTTP/1.1 200 OK\r\nContent-Le", RESPONSE_TRUNCATED, 0),
    ("before the empty line", b"HTTP/1.1 200 OK\r\n", RESPONSE_TRUNCATED, 0),
    ("in the body", message(OK, FIVE, body=b"hell"), RESPONSE_TRUNCATED, 1),
    ("before the body", message(OK, FIVE), RESPONSE_TRUNCATED, 1),
    ("in a chunk", message(OK, CHUNKED, body=b"5\r\nhel"), RESPONSE_TRUNCATED, 1),
    ("before the last chunk", message(OK, CHUNKED, body=b"5\r\nhello\r\n"), RESPONSE_TRUNCATED, 1),
    ("before the last line", message(OK, CHUNKED, body=b"5\r\nhello\r\n0\r\n"), RESPONSE_TRUNCATED, 1),
    ("after an interim response", message(b"HTTP/1.1 100 Continue"), RESPONSE_CLOSED, 1),
):
    refuse(f"close {name}", "8: incomplete", raw, reason, eof=True, heads=heads)

# --- no body ----------------------------------------------------------------------------------------------------

for field in (FIVE, CHUNKED, b"X: 1"):
    accept(f"HEAD with {field!r}", "6.3 rule 1", message(OK, field), method=b"HEAD")
    for status in (204, 304):
        accept(f"{status} with {field!r}", "6.3 rule 1", message(b"HTTP/1.1 %d OK" % status, field), statuses=(status,))
accept("204 with a body", "6.3 rule 1: surplus", message(b"HTTP/1.1 204 OK", FIVE, body=POISON), statuses=(204,),
       rest=len(POISON))  # fmt: skip
accept("HEAD with a body", "6.3 rule 1: surplus", message(OK, FIVE, body=b"hello"), method=b"HEAD", rest=5)
accept("head is not HEAD", "RFC 9110 9.1", message(OK, FIVE, body=b"hello"), method=b"head", body=b"hello")
accept("surplus", "6.3: not a response to anything", message(OK, FIVE, body=b"hello" + POISON), body=b"hello",
       rest=len(POISON))  # fmt: skip
accept("surplus after chunks", "7.1", message(OK, CHUNKED, body=b"0\r\n\r\n" + POISON), rest=len(POISON))

# --- interim responses ------------------------------------------------------------------------------------------

HELLO = message(OK, FIVE, body=b"hello")
for status in (100, 102, 103, 199):
    for field in (b"Link: </a>", FIVE, CHUNKED):
        first = message(b"HTTP/1.1 %d X" % status, field)
        accept(f"{status} with {field!r}", "6.3 rule 1", first + HELLO, statuses=(status, 200), body=b"hello")
accept("several first", "RFC 9110 15.2", message(b"HTTP/1.1 103 X") * 3 + HELLO,
       statuses=(103, 103, 103, 200), body=b"hello")  # fmt: skip
accept("101", "RFC 9110 15.2.2", message(b"HTTP/1.1 101 OK", b"Upgrade: x", body=b"\0raw"), statuses=(101,),
       keep_alive=False, rest=4)  # fmt: skip
refuse("interim without end", "a limit on everything", message(b"HTTP/1.1 103 X") * 100, heads=limits.INTERIM_RESPONSES)
