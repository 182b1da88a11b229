"""Just enough of RFC 6455 to echo frames of one size: no state, so that its cost is small and the same for all."""

import base64
import hashlib

PAYLOAD = b"0123456789abcdef" * 4
# A binary frame from the client: masked, with a key of zeros, so that the payload stays as it is (section 5.3).
CLIENT_FRAME = bytes((0x82, 0x80 | len(PAYLOAD))) + bytes(4) + PAYLOAD
# The same from the server, which must not mask (section 5.1).
SERVER_FRAME = bytes((0x82, len(PAYLOAD))) + PAYLOAD
_KEY = base64.b64encode(bytes(16)).decode("ascii")
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_value(key: bytes) -> bytes:
    """The Sec-WebSocket-Accept for a Sec-WebSocket-Key (section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def opening(port: int, path: str) -> bytes:
    """A client's handshake."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {_KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode("ascii")


def answer(head: bytes) -> bytes:
    """The server's side of the handshake for the head of a request."""
    key = b""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"sec-websocket-key":
            key = value.strip()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_value(key) + b"\r\n\r\n"
    )
