"""Where a body ends. Every rule about it is on this page, and nothing else in the program decides it.

Request smuggling is two programs that disagree about this. So a request whose length could be read in two ways is
refused, also where RFC 9112 section 6.3 would let a server guess: Content-Length with Transfer-Encoding, two
Content-Length fields or a list in one, any transfer coding but exactly `chunked`, a transfer coding in HTTP/1.0.

The method says nothing: GET, HEAD and DELETE have bodies when they announce them (CL.0 and TE.0 live on the opposite).
A server is forgiven one thing, a length that it repeats.
"""

from __future__ import annotations

from typing import Final

from proxy.errors import ProxyError
from proxy.message import Fields, RequestHead, ResponseHead
from proxy.wire.blame import CLIENT, SERVER, Blame
from proxy.wire.grammar import LENGTH, TOKEN

#: The body comes in chunks (RFC 9112 section 7.1).
CHUNKED: Final = -1
#: The body ends with the connection (RFC 9112 section 6.3, rule 8). Only a response can.
UNTIL_CLOSE: Final = -2
#: Lengths beyond this do not fit the signed integers of other programs, where they turn negative or small.
MAX_LENGTH: Final = 2**63 - 1


def request_body_length(head: RequestHead) -> int:
    """How long the body of this request is: bytes, or `CHUNKED`.

    @raise ProxyError: REQUEST_FRAMING or REQUEST_CODING.
    """
    places = head.fields.shape.places
    if b"transfer-encoding" in places:
        return _coded(head.fields, head.minor, CLIENT)
    if b"content-length" not in places:
        return 0  # RFC 9112 section 6.3, rule 7
    lengths = head.fields.all(b"content-length")
    if len(lengths) != 1:
        raise ProxyError(CLIENT.framing, f"{len(lengths)} Content-Length fields")
    return _length(lengths[0], CLIENT)


def response_body_length(head: ResponseHead, request_method: bytes) -> int:
    """How long the body of the response to a `request_method` request is: bytes, `CHUNKED` or `UNTIL_CLOSE`.

    A response that never has a body must still not announce nonsense, for its Content-Length is passed on.

    @raise ProxyError: RESPONSE_INVALID.
    """
    places = head.fields.shape.places
    if b"transfer-encoding" in places:
        announced = _coded(head.fields, head.minor, SERVER)
    elif b"content-length" in places:
        announced = _repeated_length(head.fields.all(b"content-length"))
    else:
        announced = UNTIL_CLOSE
    if head.status < 200 or head.status in (204, 304) or request_method == b"HEAD":
        return 0  # RFC 9112 section 6.3, rule 1
    return announced


def _coded(fields: Fields, minor: int, blame: Blame) -> int:
    """`CHUNKED`, for a message that has a Transfer-Encoding and everything right about it."""
    codings = fields.all(b"transfer-encoding")
    if b"content-length" in fields:
        raise ProxyError(blame.framing, "Content-Length and Transfer-Encoding")
    if minor == 0:
        # RFC 9112 section 6.1: whoever sent this does not know what it means.
        raise ProxyError(blame.framing, "Transfer-Encoding in HTTP/1.0")
    if len(codings) != 1:
        raise ProxyError(blame.framing, f"{len(codings)} Transfer-Encoding fields")
    coding = codings[0].lower()
    if coding == b"chunked":
        return CHUNKED
    members = [member.strip(b" \t") for member in coding.split(b",")]
    if b"chunked" not in members[:-1] and all(TOKEN.fullmatch(member) for member in members):
        raise ProxyError(blame.coding, f"Transfer-Encoding: {codings[0]!r}")
    raise ProxyError(blame.framing, f"Transfer-Encoding: {codings[0]!r}")


def _length(value: bytes, blame: Blame) -> int:
    """The value of one Content-Length field. Only ASCII digits: `int` alone takes signs, underscores and spaces."""
    if LENGTH.fullmatch(value) and (length := int(value)) <= MAX_LENGTH:
        return length
    raise ProxyError(blame.framing, f"Content-Length: {value[:40]!r}")


def _repeated_length(values: list[bytes]) -> int:
    """The one length that a server announces, perhaps repeatedly (RFC 9110 section 8.6)."""
    lengths = {_length(part.strip(b" \t"), SERVER) for value in values for part in value.split(b",")}
    if len(lengths) != 1:
        raise ProxyError(SERVER.framing, "Content-Length fields that differ")
    return lengths.pop()
