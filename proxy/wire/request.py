"""From the bytes of a request's head to what it means."""

from __future__ import annotations

from typing import NamedTuple

from proxy.errors import REQUEST_HOST, REQUEST_INVALID, REQUEST_METHOD, REQUEST_VERSION, TOO_MANY_FIELDS, ProxyError
from proxy.message import Fields, RequestHead
from proxy.wire.grammar import ABSOLUTE_FORM, ANY_REQUEST_LINE, HOST, ORIGIN_FORM
from proxy.wire.head import read_fields


class RequestLine(NamedTuple):
    """A request line whose target has been reduced to what an upstream gets.

    @ivar method: a token, never CONNECT.
    @ivar target: origin-form, or `*`.
    @ivar authority: from an absolute-form target, else None.
    @ivar minor: 0 or 1.
    @ivar end: where the next line begins.
    """

    method: bytes
    target: bytes
    authority: bytes | None
    minor: int
    end: int


def read_request_line(buffer: bytes, at: int) -> RequestLine:
    """The whole request line that begins at `at`, in any of the four forms (RFC 9112 section 3.2).

    @raise ProxyError: REQUEST_INVALID, REQUEST_HOST, REQUEST_METHOD, REQUEST_VERSION.
    """
    line = ANY_REQUEST_LINE.match(buffer, at)
    if line is None:
        # Three words are missing, or it is HTTP/0.9 (which must never reach a connection that others share).
        raise ProxyError(REQUEST_INVALID, f"request line {buffer[at : at + 60]!r}")
    method, target, major, minor = line.groups()
    if major != b"1":
        raise ProxyError(REQUEST_VERSION, f"HTTP/{major.decode()}.{minor.decode()}")
    if method == b"CONNECT":
        # RFC 9110 section 9.3.6: a reverse proxy is no tunnel. What follows the head would not even be HTTP.
        raise ProxyError(REQUEST_METHOD, "CONNECT")
    target, authority = _reduce_target(method, target)
    # RFC 9110 section 2.5: a higher minor version is understood as the highest we know.
    return RequestLine(method, target, authority, min(int(minor), 1), line.end())


def _reduce_target(method: bytes, target: bytes) -> tuple[bytes, bytes | None]:
    """What goes upstream of this target, and the authority in it, if any."""
    if ORIGIN_FORM.fullmatch(target):
        return target, None
    if target == b"*" and method == b"OPTIONS":
        return target, None  # RFC 9112 section 3.2.4
    absolute = ABSOLUTE_FORM.fullmatch(target)
    if absolute is None:
        raise ProxyError(REQUEST_INVALID, f"target {target[:60]!r}")
    authority, path, query = absolute.groups()
    if not HOST.fullmatch(authority):
        # Userinfo ends here too (RFC 9110 section 4.2.4).
        raise ProxyError(REQUEST_HOST, f"authority {authority[:60]!r}")
    if method == b"OPTIONS" and not path and not query:
        return b"*", authority  # RFC 9112 section 3.2.4: what `*` looks like on its way through a proxy
    return (path or b"/") + query, authority


def read_request(
    method: bytes, target: bytes, authority: bytes | None, minor: int, raw_fields: bytes, max_fields: int
) -> RequestHead:
    """The head of a request whose request line has been read.

    @param raw_fields: the field lines, each ended by CRLF, without the empty line.
    @raise ProxyError: REQUEST_INVALID, REQUEST_HOST, TOO_MANY_FIELDS.
    """
    fields = read_fields(raw_fields, max_fields, REQUEST_INVALID, TOO_MANY_FIELDS)
    host = _host(fields, minor)
    if authority is not None:
        fields = _with_host(fields, authority)
        host = authority
    return RequestHead(method, target, host, minor, fields)


def _host(fields: Fields, minor: int) -> bytes:
    """The value of Host: exactly one that is valid; none is enough in HTTP/1.0 (RFC 9112 section 3.2)."""
    places = fields.shape.places.get(b"host", ())
    if len(places) == 1:
        host = fields.pairs[places[0]][1]
        if HOST.fullmatch(host):
            return host
        raise ProxyError(REQUEST_HOST, f"Host {host[:60]!r}")
    if places or minor > 0:
        raise ProxyError(REQUEST_HOST, f"{len(places)} Host fields")
    return b""


def _with_host(fields: Fields, authority: bytes) -> Fields:
    """These fields with the authority of an absolute-form target in Host, whatever stood there.

    RFC 9112 section 3.2.2. From here on nobody can meet two hosts in one request.
    """
    if b"host" not in fields:
        return Fields(((b"Host", authority), *fields.pairs))
    return Fields((name, authority if name.lower() == b"host" else value) for name, value in fields.pairs)
