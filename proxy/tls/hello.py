"""The first message of a TLS client, read before OpenSSL does.

Why at all: OpenSSL asks whose certificate to use only after it has looked at the session that the client wants to
resume. A session made with one host can so be resumed at another, which never verified the client. Whoever knows the
name first can give each host a context of its own, with its own session keys, and nothing carries over.

Only what is needed is read. What cannot be read is no error here: OpenSSL says what is wrong with it, in alerts that
clients understand.
"""

from __future__ import annotations

from typing import NamedTuple

from proxy import limits

_SERVER_NAME, _ALPN = 0, 16
_RECORD_HEADER = 5


class Hello(NamedTuple):
    """What a client asks for.

    @ivar server_name: the host name (RFC 6066 section 3) in lower case, without a dot at its end; "" where there is
        none.
    @ivar protocols: what it offers to speak (ALPN, RFC 7301), the one it likes best first.
    """

    server_name: str = ""
    protocols: tuple[bytes, ...] = ()


NO_HELLO = Hello()
#: What is cut into more records than anybody needs.
SHREDDED = Hello()


class HelloReader:
    """Collects bytes until they are a whole ClientHello. Each is looked at once, in however many packets they come:
    else a client that sends them one by one would have us do a thousand times its own work."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._message = bytearray()
        self._at = 0  # where the last record begins
        self._taken = 0  # how much of it is in the message already
        self._records = 1

    @property
    def data(self) -> bytes:
        """All bytes so far; OpenSSL gets them from their beginning."""
        return bytes(self._data)

    def feed(self, data: bytes) -> Hello | None:
        """More bytes: the hello, `NO_HELLO` if these are not the beginning of one, `SHREDDED`, or None while more is
        needed."""
        self._data += data
        try:
            message = self._collected()
            if message is None:
                return NO_HELLO if len(self._data) > limits.HELLO_BYTES else None
            return parse(message) if message else SHREDDED
        except (ValueError, IndexError):
            return NO_HELLO

    def _collected(self) -> bytes | None:
        """The body of the handshake message at the beginning, which may be spread over several records (RFC 8446
        section 5.1); None while it is not complete, nothing if there are too many of them.

        @raise ValueError: it is not a ClientHello.
        """
        data, message = self._data, self._message
        while True:
            header = bytes(data[self._at : self._at + _RECORD_HEADER])
            if not b"\x16\x03".startswith(header[:2]):
                raise ValueError("not a handshake record of TLS")
            if len(header) < _RECORD_HEADER:
                return None
            begin = self._at + _RECORD_HEADER
            end = begin + (header[3] << 8 | header[4])
            if end == begin:
                raise ValueError("an empty record")
            fresh = data[begin + self._taken : end]
            self._taken += len(fresh)
            message += fresh
            if _is_whole(message):
                return bytes(message[4:])
            if len(data) < end:
                return None
            self._at, self._taken = end, 0
            self._records += 1
            if self._records > limits.HELLO_RECORDS:
                return b""


def _is_whole(message: bytearray) -> bool:
    """Whether a handshake message is complete; what comes after it is cut off.

    @raise ValueError: it is not a ClientHello.
    """
    if message and message[0] != 1:
        raise ValueError("not a ClientHello")  # which is the type
    if len(message) < 4:
        return False
    end = 4 + (message[1] << 16 | message[2] << 8 | message[3])
    if end > limits.HELLO_BYTES:
        raise ValueError("too long")
    if len(message) < end:
        return False
    if end == 4:
        raise ValueError("an empty message")
    del message[end:]
    return True


def parse(body: bytes) -> Hello:
    """What a ClientHello (RFC 8446 section 4.1.2) asks for.

    Vectors have their length before them (section 3.4). They are walked over by their places in `body`: every
    connection comes this way, and reading them off piece by piece took five times as long.

    @raise ValueError, IndexError: it is malformed.
    """
    at = 2 + 32  # legacy_version, random
    at += 1 + body[at]  # legacy_session_id
    at += 2 + _number(body, at)  # cipher_suites
    at += 1 + body[at]  # legacy_compression_methods
    name, protocols = "", tuple[bytes, ...]()
    at, end = _vector(body, at) if at != len(body) else (at, at)
    while at < end:
        kind = _number(body, at)
        at, after = _vector(body, at + 2, end)
        if kind == _SERVER_NAME:
            name = _server_name(body[at:after])
        elif kind == _ALPN:
            protocols = _protocols(body[at:after])
        at = after
    return Hello(name, protocols)


def _number(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]


def _vector(data: bytes, at: int, limit: int = 0) -> tuple[int, int]:
    """Where a vector with a length of two bytes begins and ends, which may not be behind `limit`, or all of `data`."""
    begin = at + 2
    end = begin + (data[at] << 8 | data[at + 1])
    if end > (limit or len(data)):
        raise ValueError("truncated")
    return begin, end


def _server_name(content: bytes) -> str:
    at, end = _vector(content, 0)
    while at < end:
        kind = content[at]
        at, after = _vector(content, at + 1, end)
        if kind == 0:
            return normal_name(content[at:after])
        at = after
    return ""


def _protocols(content: bytes) -> tuple[bytes, ...]:
    at, end = _vector(content, 0)
    found = []
    while at < end:
        after = at + 1 + content[at]
        if after > end:
            raise ValueError("truncated")
        found.append(content[at + 1 : after])
        at = after
    return tuple(found)


def normal_name(raw: bytes) -> str:
    """A server name as tables have it.

    @raise ValueError: it is not ASCII.
    """
    return raw.decode("ascii").lower().removesuffix(".")


def looks_like_http(data: bytes) -> bool:
    """Whether somebody speaks plain HTTP to a TLS port: the beginning of a method, in capitals."""
    return data[:3].isalpha() and data[:3].isupper()
