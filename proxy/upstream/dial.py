"""How a server is reached: its address as an endpoint, and what a failed attempt means."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.error import (
    ConnectError,
    ConnectionRefusedError,
    DNSLookupError,
    TCPTimedOutError,
    TimeoutError,
)
from twisted.internet.interfaces import IStreamClientEndpoint

from proxy.errors import (
    CONNECT_FAILED,
    CONNECT_REFUSED,
    CONNECT_TIMEOUT,
    NAME_UNRESOLVED,
    ProxyError,
    Reason,
    Retry,
)
from proxy.upstream.eyeballs import EitherFamily


class Address(NamedTuple):
    """Where a server listens: a host (name, IPv4 or IPv6 literal) and port, or the path of a UNIX socket.

    @ivar other: its IPv6 address, where `host` is its IPv4 address and it has both.
    """

    host: str
    port: int = 0
    path: str = ""
    other: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def endpoint_for(reactor: Any, address: Address, timeout: float) -> IStreamClientEndpoint:
    """The endpoint that connects to `address` within `timeout` seconds."""
    if address.path:
        return UNIXClientEndpoint(reactor, address.path, timeout=timeout)
    if address.other:
        new = TCP6ClientEndpoint(reactor, address.other, address.port, timeout=timeout)
        return EitherFamily(reactor, new, endpoint_for(reactor, address._replace(other=""), timeout))
    if isIPAddress(address.host):
        return TCP4ClientEndpoint(reactor, address.host, address.port, timeout=timeout)
    if isIPv6Address(address.host):
        return TCP6ClientEndpoint(reactor, address.host, address.port, timeout=timeout)
    return HostnameEndpoint(reactor, address.host, address.port, timeout=timeout)


_MEANINGS: tuple[tuple[type[Exception], Reason], ...] = (
    (ConnectionRefusedError, CONNECT_REFUSED),
    (TimeoutError, CONNECT_TIMEOUT),
    (TCPTimedOutError, CONNECT_TIMEOUT),
    (DNSLookupError, NAME_UNRESOLVED),
)


def dial_error(error: Exception, address: Address) -> ProxyError:
    """Why `address` could not be reached. Nothing of the request was sent, so any request may be tried elsewhere."""
    if isinstance(error, ProxyError):
        return ProxyError(error.reason, f"{address}: {error.detail}", error.retry)
    for kind, reason in _MEANINGS:
        if isinstance(error, kind):
            return ProxyError(reason, f"{address}: {error}", Retry.UNSENT)
    return ProxyError(CONNECT_FAILED, f"{address}: {_words(error)}", Retry.UNSENT)


def _words(error: Exception) -> str:
    """What the system says, without what Twisted puts around it."""
    number = getattr(error, "osError", None)  # errors that were made by hand have none
    if not isinstance(error, ConnectError) or number is None:
        return str(error)
    return str(error.args[0]) or (os.strerror(number) if isinstance(number, int) else str(number))
