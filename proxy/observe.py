"""What is known about one exchange when it is over: the only thing that log, metrics and dashboard ever see."""

from __future__ import annotations

from typing import Protocol

from proxy.errors import ProxyError


class ExchangeRecord:
    """The story of one exchange. Filled in on the way, observed exactly once, at the end.

    Times: `started` is the wall clock in seconds since 1970, `began` and all others are seconds on the monotonic
    clock; 0.0 means "did not happen". Sizes are bytes of body.

    @ivar reason: the reason code where the exchange failed, else "".
    @ivar detail: the words behind `reason`.
    @ivar attempts: how many servers were tried.
    """

    # Defaults live in the class: an exchange sets only what happened to it, and is born in a third of the time.
    sent_at = 0.0
    head_at = 0.0
    ended = 0.0
    method = b""
    scheme = b"http"
    host = b""
    target = b""
    minor = 1
    peer = ""
    client = ""
    listener = ""
    route = ""
    upstream = ""
    server = ""
    request_id = b""
    status = 0
    bytes_in = 0
    bytes_out = 0
    attempts = 0
    reused = False
    reason = ""
    detail = ""

    def __init__(self, started: float, began: float) -> None:
        self.started = started
        self.began = began

    def blame(self, error: ProxyError) -> None:
        """Why the exchange failed. The first reason counts: what fails later fails because of it."""
        if not self.reason:
            self.reason, self.detail = error.reason.code, error.detail

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
