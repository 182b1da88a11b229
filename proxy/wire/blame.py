"""Who is to blame for what: the same mistake is a 400 when a client makes it and a 502 when a server does."""

from __future__ import annotations

from typing import NamedTuple

from proxy import errors
from proxy.errors import Reason


class Blame(NamedTuple):
    """The reasons that one side of a connection fails for.

    @ivar invalid: it broke the grammar.
    @ivar framing: the length of its message cannot be told.
    @ivar coding: it used a transfer coding that is not spoken here.
    @ivar head: its head is too large.
    @ivar trailers: its trailer section is too large, or has too many fields.
    """

    invalid: Reason
    framing: Reason
    coding: Reason
    head: Reason
    trailers: Reason


CLIENT = Blame(
    invalid=errors.REQUEST_INVALID,
    framing=errors.REQUEST_FRAMING,
    coding=errors.REQUEST_CODING,
    head=errors.HEAD_TOO_LARGE,
    trailers=errors.TRAILERS_TOO_LARGE,
)

SERVER = Blame(
    invalid=errors.RESPONSE_INVALID,
    framing=errors.RESPONSE_INVALID,
    coding=errors.RESPONSE_INVALID,
    head=errors.RESPONSE_HEAD_TOO_LARGE,
    trailers=errors.RESPONSE_INVALID,
)
