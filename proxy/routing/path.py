"""One spelling for each path: what routes are matched on, so that no spelling walks around a route.

The policy, in the order in which it is applied:

- Percent-encoded characters that mean the same bare are decoded: unreserved characters, sub-delimiters, `:` and `@`
  (RFC 3986 sections 2.3 and 3.3). Everything else stays encoded, in upper case, and what should have been encoded is.
- `%00` and an incomplete `%` are refused: they are never honest.
- An encoded slash or backslash stays `%2F` or `%5C` (a bare backslash becomes `%5C`): servers disagree whether it
  separates segments, so only a route that says so takes it (`encoded_slash: allow`), and never beside a dot segment.
- Dot segments are resolved (RFC 3986 section 5.2.4) and empty segments dropped. A path that climbs above its root is
  refused, and so is one where it matters which of the two comes first (`/a//../b`).

The path is what routes see. The raw target is what an upstream gets, unless a gate changes it.
"""

from __future__ import annotations

import re
import string

from proxy.errors import REQUEST_PATH, ProxyError

_BARE = frozenset((string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@").encode("ascii"))
# Nothing to do: segments of bare characters, none empty but the last, none that begins with two dots or is a dot.
_NORMAL = re.compile(rb"((?:/\.?[\w~!$&'()*+,;=:@-][\w.~!$&'()*+,;=:@-]*)*/?)(?:\?|\Z)", re.ASCII)
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})?|[^%A-Za-z0-9._~!$&'()*+,;=:@/-]")
_AMBIGUOUS = re.compile(rb"%2F|%5C")


def normalize(target: bytes) -> bytes:
    """The normalized path of a request target.

    @param target: origin-form (`/path?query`) or `*`, which stays as it is.
    @raise ProxyError: REQUEST_PATH, where the policy refuses the path.
    """
    match = _NORMAL.match(target)
    if match is not None:
        path: bytes = match.group(1)
        if path:
            return path
    if target == b"*":
        return target
    return normalize_path(target.partition(b"?")[0])


def normalize_path(path: bytes) -> bytes:
    """The same for a path without query, the long way."""
    if not path.startswith(b"/"):
        raise ProxyError(REQUEST_PATH, f"the path {path[:64]!r} does not begin with a slash")
    decoded = _ENCODED.sub(_one_spelling, path)
    segments = decoded.split(b"/")[1:]
    if any(segment in (b".", b"..") for segment in segments):
        segments = _climb(segments)
    if has_ambiguous_slash(decoded):
        for segment in segments:
            if _AMBIGUOUS.search(segment) and any(part in (b".", b"..") for part in _AMBIGUOUS.split(segment)):
                raise ProxyError(REQUEST_PATH, "dot segments beside encoded slashes")
    directory = not segments[-1]
    kept = [segment for segment in segments if segment]
    if not kept:
        return b"/"
    return b"/" + b"/".join(kept) + (b"/" if directory else b"")


def has_ambiguous_slash(path: bytes) -> bool:
    """Whether a normalized path contains an encoded slash or backslash."""
    return b"%" in path and _AMBIGUOUS.search(path) is not None


def _one_spelling(match: re.Match[bytes]) -> bytes:
    found = match.group()
    if found[0] != 0x25:
        return b"%%%02X" % found[0]
    digits = match.group(1)
    if digits is None:
        raise ProxyError(REQUEST_PATH, "an incomplete percent-encoding")
    code = int(digits, 16)
    if code == 0:
        raise ProxyError(REQUEST_PATH, "an encoded NUL")
    return bytes((code,)) if code in _BARE else found.upper()


def _climb(segments: list[bytes]) -> list[bytes]:
    """`segments` without `.` and `..`; a dot segment at the end leaves its directory's slash."""
    kept: list[bytes] = []
    for segment in segments:
        if segment == b".":
            continue
        if segment != b"..":
            kept.append(segment)
        elif not kept:
            raise ProxyError(REQUEST_PATH, "the path climbs above its root")
        elif not kept.pop():
            # RFC 3986 removes the empty segment, servers that merge slashes the one before it.
            raise ProxyError(REQUEST_PATH, "a dot segment after an empty one")
    if segments[-1] in (b".", b".."):
        kept.append(b"")
    return kept
