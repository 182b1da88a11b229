"""What the heads of requests and responses have in common."""

from __future__ import annotations

from proxy.errors import ProxyError, Reason
from proxy.message import Fields
from proxy.message.fields import Pair
from proxy.wire.grammar import FIELD_LINE, FIELD_LINE_TRAILING_SPACE, STRAY


def read_fields(block: bytes, limit: int, invalid: Reason, too_many: Reason) -> Fields:
    """The fields of a whole block of lines, each ended by CRLF, without the empty line after them.

    Every expression starts at the beginning of a line and takes one LF, its last byte. So the block is nothing but
    field lines exactly if there are as many matches as LFs.

    @param limit: the most fields there may be.
    @raise ProxyError: `invalid` where a line is not a field line, `too_many` where there are more than `limit`.
    """
    lines = block.count(b"\n")
    pairs: list[Pair] = FIELD_LINE.findall(block)
    if len(pairs) != lines:
        pairs = FIELD_LINE_TRAILING_SPACE.findall(block)
        if len(pairs) != lines:
            raise ProxyError(invalid, f"not a field line: {_first_bad_line(block)!r}")
        pairs = [(name, value.rstrip(b" \t")) for name, value in pairs]
    if lines > limit:
        raise ProxyError(too_many, f"{lines} fields")
    return Fields(pairs)


def refuse_stray(buffer: bytes, start: int, end: int, invalid: Reason) -> None:
    """Raise if a byte between `start` and `end` has no place in any head: no need to wait for the rest of it.

    A bare LF is the case that matters: a client that ends its lines with it waits for an answer already.
    """
    if found := STRAY.search(buffer, start, end):
        raise ProxyError(invalid, f"stray {found[0]!r} in {buffer[max(start, found.start() - 30) : found.end()]!r}")


def keeps_alive(fields: Fields, minor: int) -> bool:
    """Whether the sender lets its connection be used again (RFC 9112 section 9.3)."""
    if b"connection" not in fields.shape.places:
        return minor > 0
    if fields.all(b"connection") == [b"keep-alive"]:
        return True
    options = fields.tokens(b"connection")
    return b"close" not in options and (minor > 0 or b"keep-alive" in options)


def _first_bad_line(block: bytes) -> bytes:
    """For the log: the line that spoiled the block, cut to a size that fits there."""
    for line in block.splitlines(keepends=True):
        if not FIELD_LINE_TRAILING_SPACE.fullmatch(line):
            return line[:60]
    return block[:60]
