"""What is known about one exchange when it is over: the only thing that log, metrics and dashboard ever see."""

from __future__ import annotations

from typing import Protocol


class ExchangeRecord:
    """The story of one exchange. Filled in on the way, observed exactly once, at the end.

    Times: `started` is the wall clock in seconds since 1970, `began` and all others are seconds on the monotonic
    clock; 0.0 means "did not happen". Sizes are bytes of body.

    @ivar reason: the reason code where the exchange failed, else "".
    @ivar detail: the words behind `reason`.
    @ivar attempts: how many servers were tried.
    """

    __slots__ = (
        "attempts",
        "began",
        "bytes_in",
        "bytes_out",
        "client",
        "detail",
        "ended",
        "head_at",
        "host",
        "listener",
        "method",
        "minor",
        "peer",
        "reason",
        "request_id",
        "reused",
        "route",
        "scheme",
        "sent_at",
        "server",
        "started",
        "status",
        "target",
        "upstream",
    )

    def __init__(self, started: float, began: float) -> None:
        self.started = started
        self.began = began
        self.sent_at = 0.0
        self.head_at = 0.0
        self.ended = 0.0
        self.method = b""
        self.scheme = b"http"
        self.host = b""
        self.target = b""
        self.minor = 1
        self.peer = ""
        self.client = ""
        self.listener = ""
        self.route = ""
        self.upstream = ""
        self.server = ""
        self.request_id = b""
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.attempts = 0
        self.reused = False
        self.reason = ""
        self.detail = ""

    @property
    def seconds(self) -> float:
        """How long the exchange took, from the first byte of its head to its end."""
        return self.ended - self.began

    def __repr__(self) -> str:
        return f"<ExchangeRecord {self.method!r} {self.target!r} {self.status} {self.reason or 'ok'}>"


class Observer(Protocol):
    """Somebody who wants every record: the access log, the metrics."""

    def observe(self, record: ExchangeRecord) -> None:
        """`record` is complete. Must be quick and must not raise."""
