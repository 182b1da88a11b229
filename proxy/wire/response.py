"""From the bytes of a response's head to what it means."""

from __future__ import annotations

from typing import NamedTuple

from proxy.errors import RESPONSE_HEAD_TOO_LARGE, RESPONSE_INVALID, ProxyError
from proxy.message import ResponseHead
from proxy.wire.framing import UNTIL_CLOSE, response_body_length
from proxy.wire.grammar import STATUS_LINE
from proxy.wire.head import keeps_alive, read_fields


class ReadResponse(NamedTuple):
    """The whole head of a response and all that it means as an answer to a `request_method` request.

    Servers repeat themselves: the same head, byte for byte, until the clock in its Date moves on or the answer
    changes. So a reader keeps the last one.
    """

    raw: bytes
    request_method: bytes
    head: ResponseHead
    body_length: int
    keep_alive: bool


def read_response(raw: bytes, request_method: bytes, max_fields: int) -> ReadResponse:
    """One whole head: status line and field lines, each ended by CRLF, without the empty line.

    @raise ProxyError: RESPONSE_INVALID, RESPONSE_HEAD_TOO_LARGE.
    """
    line = STATUS_LINE.match(raw)
    if line is None:
        raise ProxyError(RESPONSE_INVALID, f"status line {raw[:60]!r}")
    minor, status, reason = line.groups()
    fields = read_fields(raw[line.end() :], max_fields, RESPONSE_INVALID, RESPONSE_HEAD_TOO_LARGE)
    # RFC 9110 section 2.5: a higher minor version is understood as the highest we know.
    head = ResponseHead(int(status), reason or b"", fields, 0 if minor == b"0" else 1)
    length = response_body_length(head, request_method)
    keep_alive = length != UNTIL_CLOSE and head.status != 101 and keeps_alive(fields, head.minor)
    return ReadResponse(raw, request_method, head, length, keep_alive)
