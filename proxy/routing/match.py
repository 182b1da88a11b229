"""The conditions of a route: each says yes or no to a request, and in words why not."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol
from urllib.parse import parse_qsl

from proxy.config.routes import Network, ValueMatch
from proxy.message import Fields

#: How a value that a route asks for may be shown, by its name: bytes for a header field, text for a query parameter.
Shown = Callable[[bytes | str, str], str]

# More parameters than any form has; a condition on one beyond them is not met.
_QUERY_PARAMETERS = 1000


class Request(NamedTuple):
    """What routes look at.

    @ivar host: canonical (see `canonical_host`).
    @ivar path: normalized (see `proxy.routing.path`).
    @ivar query: without its question mark.
    @ivar client: an IP address, as text; anything else is in no network.
    """

    host: bytes
    path: bytes
    method: bytes
    fields: Fields
    query: bytes
    client: str


class Condition(Protocol):
    """One thing that a route asks of a request beyond its host and path."""

    def accepts(self, request: Request) -> bool: ...

    def unmet(self, shown: Shown) -> str:
        """Why it was rejected, in words that follow the name of the route."""

    def covers(self, other: Condition) -> bool:
        """Whether this accepts every request that `other` accepts, as far as that can be told."""


class Methods:
    """The method is one of these. Whoever serves GET serves HEAD (RFC 9110 section 9.3.2)."""

    def __init__(self, methods: Sequence[str]) -> None:
        self.methods = frozenset(method.encode("ascii") for method in methods)
        if b"GET" in self.methods:
            self.methods |= {b"HEAD"}
        self._words = f"the method is not {' or '.join(methods)}"

    def accepts(self, request: Request) -> bool:
        return request.method in self.methods

    def unmet(self, shown: Shown) -> str:
        return self._words

    def covers(self, other: Condition) -> bool:
        return isinstance(other, Methods) and other.methods <= self.methods


class HeaderValue:
    """At least one field of this name has the value."""

    def __init__(self, name: bytes, wanted: ValueMatch) -> None:
        self.name = name.lower()
        self._written = name
        self._values = _Values(wanted)

    def accepts(self, request: Request) -> bool:
        return self._values.accept(request.fields.all(self.name))

    def unmet(self, shown: Shown) -> str:
        return f"the header {self._written.decode('ascii')} {self._values.unmet(self._written, shown)}"

    def covers(self, other: Condition) -> bool:
        return isinstance(other, HeaderValue) and other.name == self.name and self._values.cover(other._values)


class QueryValue:
    """At least one query parameter of this name has the value, both percent-decoded."""

    def __init__(self, name: str, wanted: ValueMatch) -> None:
        self.name = name.encode("utf-8")
        self._written = name
        self._values = _Values(wanted)

    def accepts(self, request: Request) -> bool:
        try:
            pairs = parse_qsl(request.query, keep_blank_values=True, max_num_fields=_QUERY_PARAMETERS)
        except ValueError:
            return False
        return self._values.accept([value for name, value in pairs if name == self.name])

    def unmet(self, shown: Shown) -> str:
        return f"the query parameter {self._written} {self._values.unmet(self._written, shown)}"

    def covers(self, other: Condition) -> bool:
        return isinstance(other, QueryValue) and other.name == self.name and self._values.cover(other._values)


class _Values:
    """What is asked of the values of one name."""

    def __init__(self, wanted: ValueMatch) -> None:
        self._exact = None if wanted.exact is None else wanted.exact.encode("utf-8")
        self._regex: re.Pattern[bytes] | None = wanted.regex
        self._present = wanted.present
        self.key = self._exact, self._regex, self._present

    def unmet(self, name: bytes | str, shown: Shown) -> str:
        if self._exact is not None:
            return f"is not {shown(name, self._exact.decode('utf-8'))!r}"
        if self._regex is not None:
            return f"does not match {shown(name, self._regex.pattern.decode('utf-8'))!r}"
        return "is missing" if self._present else "is there"

    def accept(self, values: Sequence[bytes]) -> bool:
        if self._exact is not None:
            return self._exact in values
        if self._regex is not None:
            return any(self._regex.search(value) for value in values)
        return bool(values) == self._present

    def cover(self, other: _Values) -> bool:
        """Whether these are met wherever `other` is."""
        if self.key == other.key:
            return True
        if other._exact is not None and self._regex is not None:
            return self._regex.search(other._exact) is not None
        # Whoever asks for a value asks for there being one.
        return self._present is True and other._present is None


class ClientNetworks:
    """The client's address is in one of these networks."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._words = f"the client is not in {' or '.join(map(str, networks))}"

    def accepts(self, request: Request) -> bool:
        try:
            address = ipaddress.ip_address(request.client)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        return any(address in network for network in self._networks)

    def unmet(self, shown: Shown) -> str:
        return self._words

    def covers(self, other: Condition) -> bool:
        return isinstance(other, ClientNetworks) and all(map(self._contains, other._networks))

    def _contains(self, inner: Network) -> bool:
        mine = [outer for outer in self._networks if outer.version == inner.version]
        return any(inner.subnet_of(outer) for outer in ipaddress.collapse_addresses(mine))  # type: ignore[arg-type, type-var]


def canonical_host(authority: bytes) -> bytes:
    """The host of an authority: in lower case, without its port and without the dot at its end."""
    host = authority.lower()
    if b":" in host:
        host = host[: host.find(b"]") + 1] if host[:1] == b"[" else host[: host.find(b":")]
    return host[:-1] if host[-1:] == b"." else host
