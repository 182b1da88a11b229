"""What can go wrong: whose fault, which reason, what status, and whether to try again."""

from __future__ import annotations

from enum import Enum


class Source(Enum):
    CLIENT = "client"
    UPSTREAM = "upstream"
    PROXY = "proxy"


class ProxyError(Exception):
    """Whose fault it is, what happened (a stable word), what a client is told, and whether to try again."""

    def __init__(self, source: Source, reason: str, status: int, *, retry: bool = False) -> None:
        super().__init__(f"{status} {reason}")
        self.source, self.reason, self.status, self.retry = source, reason, status, retry


def client_closed() -> ProxyError:
    return ProxyError(Source.CLIENT, "client.closed", 400)
