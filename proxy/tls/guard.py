"""Hosts that ask clients for certificates, and the connections that requests for them may come on.

A handshake is for one name, a request for another if the client likes. Where a certificate is in play the two must be
the same: else whoever got in through a host that asks for nothing could go on to one that asks (421, RFC 9110
section 15.5.20). Certificates take one label for `*.`, routes take any number: for a request, what a wildcard says
holds for all that is below it. Else the hosts further down, which nobody's handshake is for, would be open to all.

A connection may be older than what its host asks now. It goes on where that is the same, and the certificate that its
client has shown is believed still; else the client is sent away, and shakes hands anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from OpenSSL import SSL

from proxy.config.routes import HostMatch
from proxy.errors import MISDIRECTED, ProxyError
from proxy.routing.explain import host_fits
from proxy.tls.contexts import ClientPolicy, Shown
from proxy.tls.table import NameTable


class Host(Protocol):
    """Whoever answers for some names on a listener."""

    @property
    def client(self) -> ClientPolicy | None:
        """What it asks of clients; None for nothing."""

    @property
    def context(self) -> SSL.Context | None:
        """What its handshakes are made with now."""


class Hosts(Protocol):
    """The hosts of a listener with TLS."""

    @property
    def default(self) -> Host:
        """Whom clients meet that name nobody."""

    def known(self, name: str) -> Host | None:
        """Whose name this is."""

    def around(self, name: str) -> Host | None:
        """Whose name this is, or below whose wildcard it stands, at any depth."""


class Credentials(NamedTuple):
    """What a handshake has settled about a client's connection.

    @ivar server_name: the name it was for, in lower case; "" for none.
    @ivar host: whom the client met.
    @ivar hosts: whom it could have met on this listener.
    @ivar forwarded: what the upstream is told about the client's certificate; empty where it showed none.
    @ivar shown: that certificate; None where it showed none, or nobody has looked at it.
    """

    server_name: str
    host: Host
    hosts: Hosts
    forwarded: bytes = b""
    shown: Shown | None = None


class Guard:
    """Looks at each request.

    @param listeners: the hosts of each listener with TLS.
    @param asked: the names that need a client certificate. That a renewed certificate lacks one of them opens nothing.
    @param shared: hosts that no certificate names, on routes of others that need one; see `proxy.tls.reach`.
    """

    def __init__(
        self,
        listeners: Sequence[Hosts],
        asked: Mapping[str, ClientPolicy] | None = None,
        shared: Sequence[tuple[HostMatch, ClientPolicy]] = (),
    ) -> None:
        self._listeners = listeners
        self._asked = NameTable[ClientPolicy | None](None)
        for name, policy in (asked or {}).items():
            self._asked.add([name], policy)
        self._shared = shared

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
        if hosts.known(name) is None:  # where this listener has the name, its word counts and not that of another
            self._refuse_if_asked(name, own.client)
        target = hosts.around(name) or hosts.default
        if own.client is None and target.client is None:
            return
        if name != credentials.server_name and (target is not hosts.default or credentials.server_name):
            told = credentials.server_name or "no name"
            raise ProxyError(MISDIRECTED, f"the handshake was for {told}, the request is for {name}")
        if target.client is None:
            return
        if own.client != target.client:
            raise ProxyError(MISDIRECTED, f"{name} does not ask clients for what it did when they shook hands")
        if credentials.shown is not None and not credentials.shown.is_believed(target.context):
            raise ProxyError(MISDIRECTED, "the client's certificate is not believed any more")

    def _refuse_if_asked(self, name: str, shown: ClientPolicy | None = None) -> None:
        """@param shown: what the client of this connection was asked already."""
        for policy in self._policies(name):
            if policy is not None and policy.required and policy != shown:
                raise ProxyError(MISDIRECTED, f"{name} needs a client certificate, and this connection has none")

    def _policies(self, name: str) -> list[ClientPolicy | None]:
        """What whoever has this name asks, on any listener; where nobody has it, those whose routes take it."""
        found = [host.client for hosts in self._listeners if (host := hosts.around(name)) is not None]
        if found:
            return found
        text = name.encode("latin-1")
        return [self._asked.around(name), *(policy for wish, policy in self._shared if host_fits(wish, text))]


def host_name(authority: bytes) -> str:
    """The name in `authority` as tables have it: lower case, without port and without dots at its end."""
    text = authority.decode("latin-1").lower()
    if text.startswith("["):
        return text.partition("]")[0][1:]
    return text.partition(":")[0].rstrip(".")
