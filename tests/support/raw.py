"""A client that sends the very bytes it is given, and a parser of answers that owes nothing to `proxy/`."""

import socket
import struct
from dataclasses import dataclass
from types import TracebackType

from tests.support.ports import LOOPBACK

TIMEOUT_SECONDS = 10.0
_CHUNK = 65536


class ClosedEarlyError(AssertionError):
    """The peer closed before the message was complete; `received` is what had come."""

    def __init__(self, received: bytes) -> None:
        super().__init__(f"connection closed after {received!r}")
        self.received = received


@dataclass(frozen=True)
class Answer:
    """One HTTP/1.1 response. Field names keep their case in `fields`; `field()` ignores it."""

    status: int
    reason: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def field(self, name: bytes) -> bytes | None:
        """The value of a field, several lines joined by a comma; None when it is absent."""
        values = self.values(name)
        return b", ".join(values) if values else None

    def values(self, name: bytes) -> list[bytes]:
        """The value of every line of a field, in order."""
        return [value for key, value in self.fields if key.lower() == name.lower()]


class RawClient:
    """One TCP connection. Every wait ends after `timeout` seconds with TimeoutError."""

    def __init__(self, port: int, host: str = LOOPBACK, timeout: float = TIMEOUT_SECONDS) -> None:
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def half_close(self) -> None:
        """Say that nothing more is sent (FIN); answers can still be read."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Leave with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def request(self, method: bytes, target: bytes, *fields: bytes, body: bytes = b"") -> Answer:
        """Send a request with `Host: test` (unless a field line names one) and read its answer."""
        lines = [method + b" " + target + b" HTTP/1.1"]
        if not any(line.lower().startswith(b"host:") for line in fields):
            lines.append(b"Host: test")
        lines.extend(fields)
        if body and not any(line.lower().startswith(b"transfer-encoding:") for line in fields):
            lines.append(b"Content-Length: %d" % len(body))
        self.send(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        return self.read_answer(method)

    def get(self, target: bytes, *fields: bytes) -> Answer:
        return self.request(b"GET", target, *fields)

    def read_answer(self, method: bytes = b"GET") -> Answer:
        """Read one response, 1xx included; ClosedEarlyError when it is cut short (RFC 9112 section 6.3)."""
        head = self.read_until(b"\r\n\r\n")
        start, *lines = head[:-4].split(b"\r\n")
        version, code, reason = (start + b" ").split(b" ", 2)
        assert version in (b"HTTP/1.1", b"HTTP/1.0"), head
        fields = []
        for line in lines:
            name, colon, value = line.partition(b":")
            assert colon, head
            fields.append((name, value.strip(b" \t")))
        answer = Answer(int(code), reason.strip(), tuple(fields), b"")
        if method == b"HEAD" or answer.status < 200 or answer.status in (204, 304):
            return answer
        return Answer(answer.status, answer.reason, answer.fields, self._read_body(answer))

    def _read_body(self, answer: Answer) -> bytes:
        if answer.values(b"transfer-encoding"):
            assert answer.values(b"transfer-encoding") == [b"chunked"], answer
            assert not answer.values(b"content-length"), answer
            return self._read_chunks()
        lengths = answer.values(b"content-length")
        if not lengths:
            return self.read_until_close()
        assert len(lengths) == 1, answer
        return self.read_exactly(int(lengths[0]))

    def _read_chunks(self) -> bytes:
        body = []
        while size := int(self.read_until(b"\r\n")[:-2].partition(b";")[0], 16):
            body.append(self.read_exactly(size))
            assert self.read_exactly(2) == b"\r\n"
        while self.read_until(b"\r\n") != b"\r\n":
            pass  # a trailer field
        return b"".join(body)

    def read_exactly(self, size: int) -> bytes:
        parts = [self._received[:size]]
        self._received = self._received[size:]
        missing = size - len(parts[0])
        while missing:
            data = self.socket.recv(min(_CHUNK, missing))
            if not data:
                raise ClosedEarlyError(b"".join(parts))
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def read_until(self, mark: bytes) -> bytes:
        """What comes up to and with `mark`."""
        while (end := self._received.find(mark)) < 0:
            self._fill()
        end += len(mark)
        data, self._received = self._received[:end], self._received[end:]
        return data

    def read_some(self) -> bytes:
        """What is there, at least one byte; b"" when the peer has closed."""
        if not self._received:
            return self.socket.recv(_CHUNK)
        data, self._received = self._received, b""
        return data

    def read_until_close(self) -> bytes:
        """Everything up to the peer's FIN; a reset raises ConnectionResetError."""
        parts = [self._received]
        self._received = b""
        while data := self.socket.recv(_CHUNK):
            parts.append(data)
        return b"".join(parts)

    def is_closed(self, seconds: float = 5.0) -> bool:
        """Whether the peer closes (FIN or RST) within `seconds`, sending nothing more."""
        self.socket.settimeout(seconds)
        try:
            return not self._received and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def _fill(self) -> None:
        data = self.socket.recv(_CHUNK)
        if not data:
            raise ClosedEarlyError(self._received)
        self._received += data
