"""Gates that change the path: strip a prefix, add one, rewrite by a regular expression.

They work on the normalized path, the one that the route was matched on, and what they make of it replaces the raw
path: so nothing that was decided about one spelling is undone by another.
"""

from __future__ import annotations

import re

from proxy.errors import REQUEST_PATH, ProxyError
from proxy.gates.chain import Gate, Proceed
from proxy.message import Exchange, Response

# RFC 3986 section 3.3; whatever else a replacement may produce is escaped.
_UNSAFE = re.compile(rb"[^!$&'()*+,\-./0-9:;=@A-Z_a-z~%]|%(?![0-9A-Fa-f]{2})")


def strip_prefix(prefix: bytes) -> Gate:
    """Take `prefix` off the path, and say so in `X-Forwarded-Prefix`."""
    prefix = prefix.rstrip(b"/")

    async def gate(exchange: Exchange, proceed: Proceed) -> Response:
        path = exchange.path
        if path == prefix or path.startswith(prefix + b"/"):
            replace_path(exchange, path[len(prefix) :])
            head = exchange.head
            fields = head.fields.replaced(b"X-Forwarded-Prefix", prefix)
            exchange.head = head._replace(fields=fields)
        return await proceed(exchange)

    return gate


def add_prefix(prefix: bytes) -> Gate:
    """Put `prefix` before the path."""
    prefix = prefix.rstrip(b"/")

    async def gate(exchange: Exchange, proceed: Proceed) -> Response:
        replace_path(exchange, prefix + exchange.path)
        return await proceed(exchange)

    return gate


def rewrite(pattern: re.Pattern[bytes], replacement: bytes) -> Gate:
    """Replace every match of `pattern` in the path. `replacement` may name groups, as `re.sub` has them."""

    async def gate(exchange: Exchange, proceed: Proceed) -> Response:
        path = pattern.sub(replacement, exchange.path)
        if path != exchange.path:
            replace_path(exchange, path)
        return await proceed(exchange)

    return gate


def replace_path(exchange: Exchange, path: bytes) -> None:
    """Send the request to `path` instead, with the query it has.

    @raise ProxyError: the new path would climb out of where it is.
    """
    if not path.startswith(b"/"):
        path = b"/" + path
    path = _UNSAFE.sub(_escape, path)
    if b"/../" in path or b"/./" in path or path.endswith((b"/..", b"/.")):
        raise ProxyError(REQUEST_PATH, f"rewritten to {path[:100]!r}")
    _, mark, query = exchange.head.target.partition(b"?")
    exchange.path = path
    exchange.head = exchange.head._replace(target=path + mark + query)


def _escape(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % match.group()[0]
