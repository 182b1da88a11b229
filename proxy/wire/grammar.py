"""The grammar of HTTP/1.1 as compiled expressions: RFC 9110, RFC 9112 and, for targets and hosts, RFC 3986.

Every run of characters is possessive (`++`, `*+`), and groups that repeat leave no choice of how to read the same
bytes: what does not match fails after one look back at each group. So the time is linear in the input, whatever a peer
sends. Groups themselves are never possessive: before Python 3.11.5 (Debian 12 has 3.11.2) `(?:...)*+` matches what it
should not. Nothing here knows what a match means.

Where this grammar is narrower or wider than the RFC, the place says so:

- Only CRLF ends a line (RFC 9112 section 2.2 would let a recipient take a bare LF), and obs-fold is no field line.
- A target may hold some characters that RFC 3986 wants encoded, because browsers send them raw: the "path
  percent-encode set" and the "query percent-encode set" of the WHATWG URL standard leave `[ ] | ^` in a path, and
  besides those backslash, backquote and braces, and a `%` that encodes nothing, in a query. A `%` in a path must encode
  something, because routes are matched on the decoded path. The quote, `<`, `>`, `#` and all bytes above 126 are
  refused everywhere.
- A host may be neither percent-encoded (a second spelling of a name would walk around the routes of the first) nor
  hold a comma (that is what two Host fields look like once somebody has joined them), nor be an IPvFuture (RFC 3986
  section 3.2.2: who does not know the version reports an error).
"""

from __future__ import annotations

import re

# RFC 9110 section 5.6.2: tchar.
TCHAR = rb"!#$%&'*+\-.^_`|~0-9A-Za-z"
# RFC 9110 section 5.5: field-vchar, SP and HTAB; obs-text is opaque data.
_VALUE = rb"\t\x20-\x7e\x80-\xff"
# RFC 3986 section 2.3 and 2.2: unreserved and sub-delims.
_UNRESERVED = rb"A-Za-z0-9\-._~"
_SUB_DELIMS = rb"!$&'()*+,;="
_PATH = _UNRESERVED + _SUB_DELIMS + rb":@/" + rb"\[\]|^"
_QUERY = _PATH + rb"?%" + rb"\\`{}"
_ESCAPE = rb"%[0-9A-Fa-f]{2}"

# RFC 3986 section 3.3 and 3.4: path-abempty and query.
_PATH_ABEMPTY = rb"(?:/(?:[" + _PATH + rb"]++|" + _ESCAPE + rb")*)?"
_QUERY_PART = rb"(?:\?[" + _QUERY + rb"]*+)?"

TOKEN = re.compile(rb"[" + TCHAR + rb"]++")

#: RFC 9112 section 3, as nearly every client writes it: a method other than CONNECT, an origin-form target, 1.0 or 1.1.
#: Groups: method, target, minor version.
REQUEST_LINE = re.compile(
    rb"(?!CONNECT\x20)([" + TCHAR + rb"]++)\x20(?=/)(" + _PATH_ABEMPTY + _QUERY_PART + rb")\x20HTTP/1\.([01])\r\n"
)

#: RFC 9112 section 3 with nothing said about the target. Groups: method, target, major version, minor version.
ANY_REQUEST_LINE = re.compile(rb"([" + TCHAR + rb"]++)\x20([!-~]++)\x20HTTP/([0-9])\.([0-9])\r\n")

#: What every request line that is still arriving looks like.
REQUEST_LINE_START = re.compile(rb"(?:[" + TCHAR + rb"]++(?:\Z|\x20)|\r?\Z)")

#: RFC 9112 section 3.2.1.
ORIGIN_FORM = re.compile(rb"(?=/)" + _PATH_ABEMPTY + _QUERY_PART)

#: RFC 9112 section 3.2.2, for the two schemes that are served here. Groups: authority, path, query with its `?`.
ABSOLUTE_FORM = re.compile(rb"(?i:https?)://([^/?#]*+)(" + _PATH_ABEMPTY + rb")(" + _QUERY_PART + rb")")

#: RFC 9112 section 4; the space before an absent reason phrase is forgiven, servers forget it.
#: Groups: minor version, status, reason phrase or None.
STATUS_LINE = re.compile(rb"HTTP/1\.([0-9])\x20([1-9][0-9]{2})(?:\x20([" + _VALUE + rb"]*+))?\r\n")

#: What every status line that is still arriving looks like.
STATUS_LINE_START = re.compile(rb"(?:HTTP/1\.|HTTP/1?\Z|H?\Z|HTT?\Z|HTTP\Z)")

#: RFC 9112 section 5: one field line, its value free of white space at both ends. Groups: name, value.
FIELD_LINE = re.compile(rb"(?m)^([" + TCHAR + rb"]++):[ \t]*+([" + _VALUE + rb"]*+)(?<![ \t])\r\n")

#: The same with white space after the value: rare, and slower to look for. The value keeps it.
FIELD_LINE_TRAILING_SPACE = re.compile(rb"(?m)^([" + TCHAR + rb"]++):[ \t]*+([" + _VALUE + rb"]*+)\r\n")

_LINES = rb"(?:[" + TCHAR + rb"]++:\x20[" + _VALUE + rb"]*+\r\n)*"
_FIELD_LINES = _LINES + rb"\r\n"

#: Whole heads as we write them: no leniency, our own version, what we send in place of a target.
REQUEST_HEAD = re.compile(
    rb"[" + TCHAR + rb"]++\x20(?:(?=/)" + _PATH_ABEMPTY + _QUERY_PART + rb"|\*)\x20HTTP/1\.1\r\n" + _FIELD_LINES
)
RESPONSE_HEAD = re.compile(rb"HTTP/1\.1\x20[1-9][0-9]{2}\x20[" + _VALUE + rb"]*+\r\n" + _FIELD_LINES)
#: The parts of such a head: its first line, and its field lines.
STATUS_LINE_WRITTEN = re.compile(rb"HTTP/1\.1\x20[1-9][0-9]{2}\x20[" + _VALUE + rb"]*+\r\n")
FIELD_LINES = re.compile(_LINES)
CHUNKED_END = re.compile(rb"0\r\n" + _FIELD_LINES)

#: A byte that no start line and no field line may hold: a control character, or half of a line end. A CR that is the
#: last byte so far is none yet.
STRAY = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?![\n])(?!\Z)")

#: RFC 9110 section 8.6: Content-Length. Nineteen digits hold every length below 2 ** 63.
LENGTH = re.compile(rb"[0-9]{1,19}+")

#: RFC 3986 section 3.2.2: IPv6address.
_H16 = rb"[0-9A-Fa-f]{1,4}"
_OCTET = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rb"(?:" + _OCTET + rb"\.){3}" + _OCTET
_LS32 = rb"(?:" + _H16 + rb":" + _H16 + rb"|" + _IPV4 + rb")"
_IPV6 = (
    rb"(?:(?:H:){6}L"
    rb"|::(?:H:){5}L"
    rb"|(?:H)?::(?:H:){4}L"
    rb"|(?:(?:H:){0,1}H)?::(?:H:){3}L"
    rb"|(?:(?:H:){0,2}H)?::(?:H:){2}L"
    rb"|(?:(?:H:){0,3}H)?::H:L"
    rb"|(?:(?:H:){0,4}H)?::L"
    rb"|(?:(?:H:){0,5}H)?::H"
    rb"|(?:(?:H:){0,6}H)?::)"
)
_IPV6 = _IPV6.replace(b"H", _H16).replace(b"L", _LS32)

#: RFC 3986 section 3.2.3: port, at most 65535; RFC 9110 section 4.2.1 lets it be empty.
_PORT = rb"(?::(?:0*+(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5]?[0-9]{1,4})?)?)?"

#: RFC 9110 section 7.2: Host, never empty.
HOST = re.compile(rb"(?:[" + _UNRESERVED + rb"!$&'()*+;=]++|\[" + _IPV6 + rb"\])" + _PORT)

# RFC 9110 section 5.6.4: quoted-string, and section 5.6.3: BWS.
_QUOTED = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]++|\\[\t\x20-\x7e\x80-\xff])*"'
_BWS = rb"[ \t]*+"
# RFC 9112 section 7.1.1: chunk-ext.
_CHUNK_EXTENSIONS = (
    rb"((?:" + _BWS + rb";" + _BWS + rb"[" + TCHAR + rb"]++"
    rb"(?:" + _BWS + rb"=" + _BWS + rb"(?:[" + TCHAR + rb"]++|" + _QUOTED + rb"))?)*)"
)
_CHUNK_LINE = rb"([0-9A-Fa-f]{1,16}+)" + _CHUNK_EXTENSIONS + rb"\r\n"

#: RFC 9112 section 7.1: the line before the data of a chunk. Groups: size, extensions.
FIRST_CHUNK_LINE = re.compile(_CHUNK_LINE)
#: The same, with the end of the chunk before it. Groups: size, extensions.
NEXT_CHUNK_LINE = re.compile(rb"\r\n" + _CHUNK_LINE)

_CHUNK_LINE_START = rb"[0-9A-Fa-f]{0,16}+(?:(?<=[0-9A-Fa-f])[ \t]*+(?:;[\t\x20-\x7e\x80-\xff]*+)?\r?)?"
#: What both look like while they are still arriving.
FIRST_CHUNK_LINE_START = re.compile(_CHUNK_LINE_START)
NEXT_CHUNK_LINE_START = re.compile(rb"(?:\r(?:\n" + _CHUNK_LINE_START + rb")?)?")
