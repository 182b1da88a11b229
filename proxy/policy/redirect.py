"""Where a redirect leads: a `Location` built from a configured target and, where asked, the request's path and query.

The target's scheme and host come from the configuration alone. What is taken from the request is appended to them
as a path, so that neither `//evil.example` nor `/\\evil.example` (which browsers read alike) can become a host, and
only visible ASCII is written, so that nothing can end the line.
"""

from __future__ import annotations

import re
from typing import NamedTuple

STATUSES = frozenset({301, 302, 303, 307, 308})

# RFC 3986: what may stand in a path or query as it is; everything else is percent-encoded.
_UNSAFE = re.compile(rb"[^A-Za-z0-9\-._~!$&'()*+,;=:@/%?]|%(?![0-9A-Fa-f]{2})")
_LEADING_SLASHES = re.compile(rb"\A(?:/|\\|%2[fF]|%5[cC])+")
# Visible ASCII, without the backslash.
_VISIBLE = rb"[\x21-\x5b\x5d-\x7e]*"
_URL = re.compile(rb"[a-z][a-z0-9+.-]*://[^/?#\x00-\x20\x7f-\xff\\]+(?:[/?#]" + _VISIBLE + rb")?")
_PATH = re.compile(rb"/(?![/\\])" + _VISIBLE)


class Redirect(NamedTuple):
    """A configured redirect.

    @ivar target: an absolute URL, or a path that begins with a single slash. With `keep_path`, its path is put before
        that of the request.
    @ivar status: one of `STATUSES`.
    @ivar keep_path: append the request's path.
    @ivar keep_query: append the request's query, where the target has none of its own.
    """

    target: bytes
    status: int = 308
    keep_path: bool = False
    keep_query: bool = False


def redirect(target: bytes, status: int = 308, *, keep_path: bool = False, keep_query: bool = False) -> Redirect:
    """A `Redirect`, looked at.

    @raise ValueError: with what is wrong, in words for the person who wrote it.
    """
    if status not in STATUSES:
        raise ValueError(f"{status} is not a redirect; take one of {', '.join(map(str, sorted(STATUSES)))}")
    if not (_URL.fullmatch(target) or _PATH.fullmatch(target)):
        raise ValueError("a redirect leads to an absolute URL, or to a path that begins with one slash")
    if keep_path and (b"?" in target or b"#" in target):
        raise ValueError("a target with a query or a fragment cannot be followed by the request's path")
    return Redirect(target, status, keep_path, keep_query)


def location(to: Redirect, request_target: bytes) -> bytes:
    """The value of `Location`.

    @param request_target: the raw request target in origin-form, or `*`.
    """
    path, mark, query = request_target.partition(b"?")
    where = to.target
    if to.keep_path and path != b"*":
        where = where.rstrip(b"/") + b"/" + escaped(_LEADING_SLASHES.sub(b"", path))
    if to.keep_query and mark and b"?" not in where:
        where, hash_sign, fragment = where.partition(b"#")
        where += b"?" + escaped(query) + hash_sign + fragment
    return where


def to_https(host: bytes, request_target: bytes, port: int = 443, status: int = 308) -> tuple[int, bytes]:
    """The redirect from http to https: the same host, path and query.

    @param host: the validated authority of the request; must not be empty.
    @return: status and value of `Location`.
    """
    name = re.sub(rb":[0-9]*\Z", b"", host)
    authority = name if port == 443 else b"%b:%d" % (name, port)
    return status, location(Redirect(b"https://" + authority, status, keep_path=True, keep_query=True), request_target)


def escaped(raw: bytes) -> bytes:
    """`raw`, fit for a path or a query: what may not stand there is percent-encoded, what is encoded stays."""
    return _UNSAFE.sub(lambda match: b"".join(b"%%%02X" % byte for byte in match.group()), raw)
