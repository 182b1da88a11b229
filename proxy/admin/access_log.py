"""The access log: one JSON object a line, one line an exchange.

Lines are collected and written together, outside `twisted.logger`: at most `FLUSH_SECONDS` late, in whole lines, to one
descriptor. Credentials are never logged: neither cookies nor authorization fields are in an `ExchangeRecord` at all.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from proxy.observe import ExchangeRecord

log = Logger()

FLUSH_SECONDS = 0.5
FLUSH_BYTES = 64 * 1024
# What waits for a disk that does not take it; then lines are dropped and counted.
PENDING_BYTES = 8 * 1024 * 1024


def probe(path: str) -> None:
    """Look whether a log at `path` could be opened, without making one.

    @raise OSError: it could not.
    """
    file = Path(path)
    if path == "stdout":
        return
    if file.exists():
        os.close(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK))
    elif not file.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    elif not os.access(file.parent, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


def no_access_log(path: str, error: OSError) -> str:
    """Why there is none, in words."""
    return f"the access log {path} cannot be opened: {error.strerror}"


class AccessLog:
    """Writes a line for each exchange.

    @param path: a file, opened for appending; "stdout" for the standard output.
    @raise OSError: the file cannot be opened.
    """

    def __init__(self, reactor: IReactorTime, path: str) -> None:
        self._reactor = reactor
        self._path = path
        self._lines: list[bytes] = []
        self._size = 0
        self._dropped = 0
        self._timer: Any = None
        self._descriptor = -1
        self.reopen()

    def reopen(self) -> None:
        """Open the file anew: after somebody has moved it away (log rotation)."""
        if self._path == "stdout":
            self._descriptor = sys.__stdout__.fileno() if sys.__stdout__ is not None else 1
            return
        self.flush()
        opened = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = opened

    def observe(self, record: ExchangeRecord) -> None:
        line = line_of(record)
        if self._size + len(line) > PENDING_BYTES:
            self._dropped += 1
            return
        self._lines.append(line)
        self._size += len(line)
        if self._size > FLUSH_BYTES:
            self.flush()
        elif self._timer is None:
            self._timer = self._reactor.callLater(FLUSH_SECONDS, self._time_to_flush)

    def _time_to_flush(self) -> None:
        self._timer = None
        self.flush()

    def flush(self) -> None:
        """Write what has been collected."""
        if not self._lines:
            return
        data = b"".join(self._lines)
        self._lines.clear()
        self._size = 0
        try:
            written = os.write(self._descriptor, data)
        except BlockingIOError:
            written = 0
        except OSError as error:
            log.error("the access log {path} cannot be written: {error}", path=self._path, error=error)
            return
        if written < len(data):
            self._lines.append(data[written:])
            self._size = len(data) - written
        elif self._dropped:
            log.warn("the access log was too slow: {dropped} lines are missing", dropped=self._dropped)
            self._dropped = 0

    def close(self) -> None:
        """Write the rest and close."""
        self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._path != "stdout" and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __repr__(self) -> str:
        return f"<AccessLog {self._path} {self._size} bytes pending>"


# What needs no escaping in JSON. Methods and hosts never do: their grammar has no such characters.
_PLAIN = re.compile(rb"[\x20\x21\x23-\x5b\x5d-\x7e]*")

# Times are whole microseconds here, written as milliseconds: `%.3f` takes three times as long.
_LINE = (
    b'{"time":"%b","client":%b,"method":"%b","scheme":"%b","host":"%b","target":"%b","protocol":"HTTP/1.%d",'
    b'"status":%d,"bytes_in":%d,"bytes_out":%d,"ms":%d.%b,"route":%b,"request_id":"%b"%b}\n'
)
_UPSTREAM = b',"upstream":%b,"server":%b,"attempts":%d,"reused":%b,"queue_ms":%d.%b,"upstream_ms":%d.%b'
_THOUSANDTHS = tuple(b"%03d" % number for number in range(1000))


def line_of(record: ExchangeRecord) -> bytes:
    """The line of one exchange. Times in milliseconds; what did not happen is left out.

    Lines of exchanges that went well are formatted, not serialized: 1.5 microseconds where a dictionary through
    `orjson` takes 4.
    """
    if record.reason or not _PLAIN.fullmatch(record.target):
        return _line_with_care(record)
    way = b""
    if record.head_at and record.upstream:
        queued = int(0.5 + (record.sent_at - record.began) * 1e6)
        answered = int(0.5 + (record.head_at - record.sent_at) * 1e6)
        way = _UPSTREAM % (
            _quoted(record.upstream),
            _quoted(record.server),
            record.attempts,
            b"true" if record.reused else b"false",
            queued // 1000,
            _THOUSANDTHS[queued % 1000],
            answered // 1000,
            _THOUSANDTHS[answered % 1000],
        )
    took = int(0.5 + (record.ended - record.began) * 1e6)
    return _LINE % (
        _moment(record.started),
        orjson.dumps(record.client or record.peer),
        record.method,
        record.scheme,
        record.host,
        record.target,
        record.minor,
        record.status,
        record.bytes_in,
        record.bytes_out,
        took // 1000,
        _THOUSANDTHS[took % 1000],
        orjson.dumps(record.route),
        record.request_id,
        way,
    )


def _line_with_care(record: ExchangeRecord) -> bytes:
    """The same for an exchange of which some part is missing, or holds what must be escaped."""
    said: dict[str, Any] = {
        "time": _moment(record.started).decode("ascii"),
        "client": record.client or record.peer,
        "method": record.method.decode("latin-1"),
        "scheme": record.scheme.decode("latin-1"),
        "host": record.host.decode("latin-1"),
        "target": record.target.decode("latin-1"),
        "protocol": f"HTTP/1.{record.minor}",
        "status": record.status,
        "bytes_in": record.bytes_in,
        "bytes_out": record.bytes_out,
        "ms": _ms(record.ended - record.began),
        "route": record.route,
        "request_id": record.request_id.decode("latin-1"),
    }
    if record.upstream:
        said |= {"upstream": record.upstream, "server": record.server, "attempts": record.attempts}
        said["reused"] = record.reused
        if record.sent_at:
            said["queue_ms"] = _ms(record.sent_at - record.began)
            if record.head_at:
                said["upstream_ms"] = _ms(record.head_at - record.sent_at)
    if record.reason:
        said |= {"reason": record.reason, "detail": record.detail}
    return orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


@lru_cache(maxsize=256)
def _quoted(text: str) -> bytes:
    """The JSON string of a name that comes again and again: of an upstream, of a server. (Of routes and clients there
    are thousands: to remember them costs more than the 50 nanoseconds of quoting them once more.)"""
    return orjson.dumps(text)


@lru_cache(maxsize=2)
def _second(whole: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)).encode("ascii")


@lru_cache(maxsize=2)
def _millisecond(milliseconds: int) -> bytes:
    return b"%b.%03dZ" % (_second(milliseconds // 1000), milliseconds % 1000)


def _moment(moment: float) -> bytes:
    """RFC 3339 in UTC, with milliseconds. Many exchanges begin in one millisecond; their time is written once."""
    return _millisecond(int(moment * 1000))
