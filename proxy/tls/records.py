"""Where TLS records end, without decrypting them.

OpenSSL tells that it has no more by an error, and pyOpenSSL raises that, which takes as long as decrypting a small
message. Mostly one read of a socket is one whole record: then there is no need to ask.
"""

from __future__ import annotations

# Type, version and length of a record (RFC 8446 section 5.1).
_HEADER_BYTES = 5


class RecordWalk:
    """Follows a stream of records, piece by piece."""

    __slots__ = ("_header", "_missing")

    def __init__(self) -> None:
        self._header = b""
        self._missing = 0

    def is_one(self, data: bytes) -> bool:
        """The stream goes on with `data`: is that one whole record, no more and no less?"""
        fresh = not self._missing and not self._header and len(data) > _HEADER_BYTES
        if fresh and len(data) == _HEADER_BYTES + (data[3] << 8 | data[4]):
            return True
        self._follow(data)
        return False

    def _follow(self, data: bytes) -> None:
        at, end = 0, len(data)
        while at < end:
            if self._missing:
                step = min(self._missing, end - at)
                self._missing -= step
            else:
                step = min(_HEADER_BYTES - len(self._header), end - at)
                self._header += data[at : at + step]
                if len(self._header) == _HEADER_BYTES:
                    self._missing = self._header[3] << 8 | self._header[4]
                    self._header = b""
            at += step
