"""Hosts that ask clients for certificates, and the connections that requests for them may come on.

A handshake is for one name, a request for another if the client likes. Where a certificate is in play the two must be
the same: else whoever got in through a host that asks for nothing could go on to one that asks (421, RFC 9110
section 15.5.20).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from proxy.errors import MISDIRECTED, ProxyError
from proxy.tls.contexts import ClientPolicy


class Host(Protocol):
    """Whoever answers for some names on a listener."""

    @property
    def client(self) -> ClientPolicy | None:
        """What it asks of clients; None for nothing."""


class Hosts(Protocol):
    """The hosts of a listener with TLS."""

    @property
    def default(self) -> Host:
        """Whom clients meet that name nobody."""

    def known(self, name: str) -> Host | None:
        """Whose name this is."""


class Credentials(NamedTuple):
    """What a handshake has settled about a client's connection.

    @ivar server_name: the name it was for, in lower case; "" for none.
    @ivar host: whom the client met.
    @ivar hosts: whom it could have met on this listener.
    @ivar forwarded: what the upstream is told about the client's certificate; empty where it showed none.
    """

    server_name: str
    host: Host
    hosts: Hosts
    forwarded: bytes = b""


class Guard:
    """Looks at each request.

    @param listeners: the hosts of each listener with TLS.
    """

    def __init__(self, listeners: Sequence[Hosts]) -> None:
        self._listeners = listeners

    def check(self, authority: bytes, credentials: Credentials | None) -> None:
        """May a request for `authority` (a validated host, maybe with a port) come on this connection?

        @param credentials: None where there was no handshake.
        @raise ProxyError: it may not.
        """
        name = host_name(authority)
        if credentials is None:
            self._refuse_if_asked(name)
            return
        own, hosts = credentials.host, credentials.hosts
        known = hosts.known(name)
        target = hosts.default if known is None else known
        if own.client is None and target.client is None:
            if known is None:  # where this listener has the name, its word counts and not that of another
                self._refuse_if_asked(name)
            return
        if name == credentials.server_name or (target is own and not credentials.server_name):
            return
        told = credentials.server_name or "no name"
        raise ProxyError(MISDIRECTED, f"the handshake was for {told}, the request is for {name}")

    def _refuse_if_asked(self, name: str) -> None:
        for hosts in self._listeners:
            host = hosts.known(name)
            if host is not None and host.client is not None and host.client.required:
                raise ProxyError(MISDIRECTED, f"{name} needs a client certificate, and this connection has none")


def host_name(authority: bytes) -> str:
    """The name in `authority` as tables have it: lower case, without port and without a dot at its end."""
    text = authority.decode("latin-1").lower()
    if text.startswith("["):
        return text.partition("]")[0][1:]
    return text.partition(":")[0].removesuffix(".")
