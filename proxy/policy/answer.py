"""The one place where a failure becomes an answer.

What is said is small, never reflects what the client sent, and is the same in every dress: the status, the stable
reason code, a sentence, and the request id, by which the operator finds the line in the access log. `ProxyError.detail`
stays in that log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from enum import Enum
from math import ceil

from proxy.errors import (
    MAX_FORWARDS,
    NO_SERVER,
    ProxyError,
    Reason,
)
from proxy.message.fields import Fields, Pair
from proxy.message.head import RequestHead, ResponseHead
from proxy.policy.status import phrase

#: How this program is called in `Proxy-Status` where it was given no name of its own.
PROXY_NAME = b"reverseproxy"

# How long a client should wait before it asks again, where whoever refuses it does not know better (`come_again`). A
# queue empties in moments; servers need longer to come back.
_RETRY_AFTER = b"Retry-After"
_RETRY_SECONDS = 1
_RETRY_SECONDS_BY_CODE = {NO_SERVER.code: 5}

# A request id that came from a trusted peer has been looked at already. It is looked at again: it stands in a page.
_SHOWN_ID = re.compile(rb"[A-Za-z0-9._~+/=:@-]{1,128}")

_PAGE = (
    b'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
    b'<meta name="viewport" content="width=device-width">\n<title>%(status)d %(phrase)b</title>\n'
    b"<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}"
    b"code{color:#666}</style>\n<h1>%(status)d %(phrase)b</h1>\n<p>%(words)b</p>\n"
    b"<p><code>%(code)b</code>%(id)b</p>\n</html>\n"
)


class Dress(Enum):
    """The form of an answer; the value is its media type."""

    TEXT = b"text/plain; charset=utf-8"
    HTML = b"text/html; charset=utf-8"
    JSON = b"application/problem+json"


def answer(
    error: ProxyError,
    request_id: bytes = b"",
    head: RequestHead | None = None,
    *,
    proxy: bytes = PROXY_NAME,
    extra: Iterable[Pair] = (),
) -> tuple[ResponseHead, bytes]:
    """What to tell a client whose request failed.

    The head has neither framing nor `Connection`: whether the connection lives on is for the channel to know, and a
    body that answers HEAD is for the channel not to send. A reason without status is answered as a 500.

    @param request_id: empty where none was given yet.
    @param head: the request, where it could be read.
    @param proxy: our name in `Proxy-Status` (RFC 9209 section 2), a token.
    @param extra: further fields, such as `Allow`.
    """
    reason = error.reason
    status = reason.status or 500
    if reason is MAX_FORWARDS:
        return ResponseHead(status, phrase(status), Fields(extra)), b""
    dress = _dress(head)
    shown = request_id if _SHOWN_ID.fullmatch(request_id) else b""
    pairs: list[Pair] = [
        (b"Content-Type", dress.value),
        (b"Cache-Control", b"no-store"),
        (b"Proxy-Status", proxy_status(reason, proxy)),
    ]
    if status == 503 and not any(name == _RETRY_AFTER for name, _ in error.fields):
        seconds = _RETRY_SECONDS_BY_CODE.get(reason.code, _RETRY_SECONDS)
        pairs.append((_RETRY_AFTER, b"%d" % seconds))
    if dress is Dress.HTML:
        pairs.append((b"Content-Security-Policy", b"default-src 'none'; style-src 'unsafe-inline'"))
    pairs.extend(error.fields)
    pairs.extend(extra)
    return ResponseHead(status, phrase(status), Fields(pairs)), _body(dress, status, reason, shown)


def come_again(seconds: float) -> tuple[Pair, ...]:
    """What an error says besides (`ProxyError.fields`) where it is known that nothing changes for `seconds`."""
    return ((_RETRY_AFTER, b"%d" % max(ceil(seconds), _RETRY_SECONDS)),)


def proxy_status(reason: Reason, proxy: bytes = PROXY_NAME) -> bytes:
    """The value of `Proxy-Status`: who failed, in which of RFC 9209's ways, and our own word for it."""
    return b'%b; error=%b; details="%b"' % (proxy, reason.kind.encode("ascii"), reason.code.encode("ascii"))


def _dress(head: RequestHead | None) -> Dress:
    """What the client can show best. Browsers name text/html; programs name JSON; curl gets what a terminal shows."""
    accepted = b",".join(head.fields.all(b"accept")).lower() if head is not None else b""
    if b"text/html" in accepted:
        return Dress.HTML
    if b"application/json" in accepted or b"application/problem+json" in accepted:
        return Dress.JSON
    return Dress.TEXT


def _body(dress: Dress, status: int, reason: Reason, request_id: bytes) -> bytes:
    """Words, code and request id in one of the forms. None of the three can hold markup (a test reads all reasons)."""
    words, code = reason.words.encode("utf-8"), reason.code.encode("ascii")
    if dress is Dress.HTML:
        shown = b" &middot; <code>%b</code>" % request_id if request_id else b""
        values = {b"status": status, b"phrase": phrase(status), b"words": words, b"code": code, b"id": shown}
        return _PAGE % values
    if dress is Dress.JSON:
        problem = {
            "title": phrase(status).decode("ascii"),
            "status": status,
            "detail": reason.words,
            "reason": reason.code,
            "request_id": request_id.decode("ascii"),
        }
        return json.dumps(problem).encode("ascii") + b"\n"
    shown = b"request id: %b\n" % request_id if request_id else b""
    return b"%d %b\n%b\nreason: %b\n%b" % (status, phrase(status), words, code, shown)
