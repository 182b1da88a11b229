"""What stands before a body: the head of a request and the head of a response."""

from __future__ import annotations

from typing import NamedTuple

from proxy.message.fields import Fields


class RequestHead(NamedTuple):
    """The head of a request, as understood.

    @ivar method: a token, in the spelling of the client.
    @ivar target: what goes into the request line of an upstream: origin-form (`/path?query`) or `*`. A client's
        absolute-form has been reduced to it (RFC 9112 section 3.2.2).
    @ivar host: the authority the request is for, validated: from the absolute-form target, else from Host, in the
        spelling of the client and with its port; empty where an HTTP/1.0 request names none.
    @ivar minor: the minor version of HTTP/1: 0 or 1.
    @ivar fields: all header fields, Host among them.
    """

    method: bytes
    target: bytes
    host: bytes
    minor: int
    fields: Fields


#: Stands for the request of a client whose bytes were none.
NO_REQUEST = RequestHead(b"", b"", b"", 1, Fields())


class ResponseHead(NamedTuple):
    """The head of a response, interim (1xx) or final.

    @ivar status: 100 to 999.
    @ivar reason: the reason phrase; may be empty.
    @ivar minor: the minor version of HTTP/1 that the sender speaks: 0 or 1.
    @ivar fields: all header fields.
    """

    status: int
    reason: bytes
    fields: Fields
    minor: int = 1
