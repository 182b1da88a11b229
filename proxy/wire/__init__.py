"""The languages of the wire, as codecs that do no IO: bytes in, events out; messages in, bytes out."""

from proxy.wire.framing import CHUNKED, UNTIL_CLOSE, request_body_length, response_body_length
from proxy.wire.reader import End
from proxy.wire.request_reader import RequestLimits, RequestReader
from proxy.wire.response_reader import ResponseLimits, ResponseReader
from proxy.wire.writer import (
    LAST_CHUNK,
    encode_chunk,
    encode_last_chunk,
    encode_request,
    encode_response,
    field_lines,
    frame_response,
)

__all__ = [
    "CHUNKED",
    "LAST_CHUNK",
    "UNTIL_CLOSE",
    "End",
    "RequestLimits",
    "RequestReader",
    "ResponseLimits",
    "ResponseReader",
    "encode_chunk",
    "encode_last_chunk",
    "encode_request",
    "encode_response",
    "field_lines",
    "frame_response",
    "request_body_length",
    "response_body_length",
]
