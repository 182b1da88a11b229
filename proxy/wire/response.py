"""From the bytes of a response's head to what it means."""

from __future__ import annotations

from proxy.errors import RESPONSE_HEAD_TOO_LARGE, RESPONSE_INVALID, ProxyError
from proxy.message import ResponseHead
from proxy.wire.grammar import STATUS_LINE
from proxy.wire.head import read_fields


def read_response(raw: bytes, max_fields: int) -> ResponseHead:
    """One whole head: status line and field lines, each ended by CRLF, without the empty line.

    @raise ProxyError: RESPONSE_INVALID, RESPONSE_HEAD_TOO_LARGE.
    """
    line = STATUS_LINE.match(raw)
    if line is None:
        raise ProxyError(RESPONSE_INVALID, f"status line {raw[:60]!r}")
    minor, status, reason = line.groups()
    fields = read_fields(raw[line.end() :], max_fields, RESPONSE_INVALID, RESPONSE_HEAD_TOO_LARGE)
    # RFC 9110 section 2.5: a higher minor version is understood as the highest we know.
    return ResponseHead(int(status), reason or b"", fields, 0 if minor == b"0" else 1)
