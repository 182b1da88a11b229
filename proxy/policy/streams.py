"""Responses that are quiet for as long as nothing happens: server-sent events, and gRPC."""

from __future__ import annotations

from proxy.message.deadlines import Deadlines
from proxy.message.fields import Fields

# gRPC's media types have suffixes: application/grpc+proto, application/grpc-web.
_STREAMS = (b"text/event-stream", b"application/grpc")


def while_streaming(fields: Fields, deadlines: Deadlines) -> Deadlines:
    """The deadlines that hold while the body of a response with these fields comes in pieces.

    Not asked for a body that came whole with its head: it waits for nothing.
    """
    kind = fields.get(b"content-type")
    if kind is not None and kind.lower().startswith(_STREAMS):
        return deadlines._replace(response_idle=deadlines.stream_idle)
    return deadlines
