"""Host and path: pure functions that decide where a request goes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from evolved.errors import ProxyError, Source

# Paths that two programs may resolve differently: an encoded slash, backslash or NUL, and a bad escape.
AMBIGUOUS = re.compile(rb"%2f|%5c|%00|\\|%(?![0-9a-f]{2})", re.IGNORECASE)


@dataclass(frozen=True)
class Route:
    """Which requests (`host`, or any host; a path that begins with these segments) go to which upstream."""

    host: str | None
    path: tuple[bytes, ...]
    upstream: str


def split_prefix(path: str) -> tuple[bytes, ...]:
    """`/a/b`, `a/b` and `/a/b/` are the same prefix; `/` is the empty one."""
    return tuple(segment.encode() for segment in path.split("/") if segment)


def split_path(target: bytes) -> list[bytes]:
    """The decoded segments of a request target: `/a/b%20c?q` is [a, b c]. Ambiguous ones are refused.

    If we chose by `/public/../admin` or `//admin` while the server behind us answers `/admin`, the choice
    would be worth nothing. What is sent on is the target as the client wrote it.
    """
    path = target.partition(b"?")[0]
    segments = [unquote_to_bytes(segment) for segment in path.removeprefix(b"/").split(b"/")]
    dots = any(segment.partition(b";")[0] in (b".", b"..") for segment in segments)
    if AMBIGUOUS.search(path) or dots or b"" in segments[:-1]:
        raise ProxyError(Source.CLIENT, "client.request.invalid", 400)
    return segments


def normal_host(value: bytes) -> str:
    """A Host field as a name to compare: no port, no final dot, lower case."""
    host = value.decode("ascii")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name.removesuffix(".").lower()


def choose_route(routes: Sequence[Route], host: str, path: Sequence[bytes]) -> Route | None:
    """The most specific route that fits, whatever the order: a named host before any, then the longest path.

    Pure: it reads nothing but its arguments, so a test is one line, and so is the question "why this one?".
    """
    fitting = [route for route in routes if route.host in (None, host) and tuple(path[: len(route.path)]) == route.path]
    return max(fitting, key=lambda route: (route.host is not None, len(route.path)), default=None)
