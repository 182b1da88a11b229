"""Who a server is, by its certificate: host names are compared as RFC 9525 says, addresses as numbers, URIs letter by
letter."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from cryptography import x509
from service_identity import CertificateError as NoIdentityError
from service_identity.hazmat import DNS_ID, DNSPattern


class Identity(NamedTuple):
    """What a certificate is for.

    @ivar hosts: host names as they are written, wildcards among them.
    @ivar addresses: IP addresses.
    @ivar uris: URIs as they are written.
    """

    hosts: tuple[str, ...] = ()
    addresses: tuple[object, ...] = ()
    uris: tuple[str, ...] = ()

    def is_any(self, names: Iterable[str]) -> bool:
        """Whether it is for one of these: host names, IP addresses or URIs."""
        return any(self.is_for(name) for name in names)

    def is_for(self, name: str) -> bool:
        """Whether it is for `name`: a host name, an IP address or a URI."""
        address = _address(name)
        if address is not None:
            return address in self.addresses
        if ":" in name:
            return name in self.uris  # of SPIFFE, where the case of a path counts
        return self._is_host(name)

    def _is_host(self, name: str) -> bool:
        if name.startswith("*."):  # who pins a wildcard wants just that
            return name.lower() in map(str.lower, self.hosts)
        try:
            wanted = DNS_ID(name)
        except (ValueError, ImportError):  # no host name; in another script, and nothing here that can read it
            return False
        return any(wanted.verify(pattern) for pattern in _patterns(self.hosts))

    def __str__(self) -> str:
        told = sorted((*self.hosts, *map(str, self.addresses), *self.uris))
        return ", ".join(told[:5]) or "nobody"


def identity(certificate: x509.Certificate) -> Identity:
    """What `certificate` is for.

    @raise UNREADABLE: it cannot be read.
    """
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Identity()
    return Identity(
        tuple(names.get_values_for_type(x509.DNSName)),
        tuple(names.get_values_for_type(x509.IPAddress)),
        tuple(names.get_values_for_type(x509.UniformResourceIdentifier)),
    )


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _patterns(hosts: Iterable[str]) -> Iterable[DNSPattern]:
    """Those of `hosts` that make sense; one that makes none does not spoil them."""
    for host in hosts:
        try:
            yield DNSPattern.from_bytes(host.encode("ascii"))
        except NoIdentityError:
            continue
