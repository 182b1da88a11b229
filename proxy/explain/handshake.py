"""The handshake that comes before a request: whom a client meets, and what its certificate is worth there.

Made on paper: the certificate is judged by what real handshakes are judged by, and nobody needs its key.
"""

from __future__ import annotations

from typing import NamedTuple

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto
from twisted.internet.task import Clock

from proxy.alarm import Alarm
from proxy.config import Config
from proxy.config.expectations import NO_CERTIFICATE
from proxy.config.model import Listener
from proxy.errors import TLS_CERTIFICATE, TLS_NAME, TLS_PENDING, ProxyError
from proxy.tls.certificates import UNREADABLE, CertificateError, is_address, load_chain, pem_of
from proxy.tls.contexts import Verdict
from proxy.tls.forwarded import element
from proxy.tls.guard import Credentials
from proxy.tls.keyring import Host, Keyring
from proxy.tls.listening import PROTOCOLS, host_plans
from proxy.tls.pairs import Pairs
from proxy.tls.policies import policy


class Met(NamedTuple):
    """What a handshake comes to.

    @ivar asks: `required` or `optional`, where the host asks for a certificate; "" where it does not.
    @ivar client: `shown`, `none`, or `assumed`: nobody has said, so it is taken for one that is let in.
    """

    credentials: Credentials
    asks: str
    client: str


def certificate_named(file: str) -> str:
    """What a client shows, as PEM: what is in a file, or nothing for `none`.

    @raise CertificateError: the file holds no certificates that can be read.
    """
    return "" if file == NO_CERTIFICATE else b"".join(map(pem_of, load_chain(file))).decode()


def keyrings_of(config: Config, pairs: Pairs | None = None) -> dict[int, Keyring]:
    """Those of the listeners that ask clients for certificates, by their place: the others change nothing. Where a file
    cannot be used there is none; `check` says that.

    @param pairs: has what is in the files, as far as they have been read.
    """
    found: dict[int, Keyring] = {}
    pairs = pairs or Pairs()
    for place, listener in enumerate(config.listen):
        wish = listener.tls
        if wish is None or not any(one.asks for one in wish.certificates or ()):
            continue
        alarm = Alarm(Clock())
        try:
            plans, chosen = host_plans(wish, pairs), policy(wish.policy, wish.min_version)
            strict = wish.unknown_names == "refuse"
            found[place] = Keyring(plans, chosen, PROTOCOLS, alarm, strict=strict, pairs=pairs)
        except CertificateError:
            continue
    return found


def is_ordered(listener: Listener, name: str) -> bool:
    """Whether the certificate for `name` comes from an authority: such a host asks clients for nothing, and whether it
    is there only the running proxy knows."""
    acme = listener.tls.acme if listener.tls is not None else None
    return acme is not None and any(name in group for group in acme.names)


def meet(hosts: Keyring, name: str, shown: str | None) -> Met:
    """What the handshake for `name` comes to.

    @param shown: the client's certificate as PEM, with those above it; "" for none; None where nobody has said.
    @raise ProxyError: it is refused.
    @raise ValueError: `shown` is no certificate.
    """
    server_name = "" if is_address(name) else name
    host = hosts.find(server_name)
    if host is None:
        raise ProxyError(TLS_NAME, f"there is no certificate for {server_name}")
    if host.context is None:
        raise ProxyError(TLS_PENDING, f"the certificate for {server_name} is awaited")
    asks = "" if host.client is None else "required" if host.client.required else "optional"
    forwarded = b""
    if asks and shown:
        forwarded = _verified(host, shown)
    elif asks == "required" and shown is not None:
        raise ProxyError(TLS_CERTIFICATE, f"{name} requires a client certificate")
    client = "assumed" if shown is None else "shown" if shown else "none"
    return Met(Credentials(server_name, host, hosts, forwarded), asks, client)


def _verified(host: Host, shown: str) -> bytes:
    """What the upstream is told of the certificate.

    @raise ProxyError: the host does not believe it.
    """
    try:
        leaf, *above = x509.load_pem_x509_certificates(shown.encode())
        said = element(leaf)
    except UNREADABLE as error:
        raise ValueError(f"the client certificate cannot be read: {error}") from error
    store = host.context.get_cert_store() if host.context is not None else None
    assert store is not None
    chain = [crypto.X509.from_cryptography(one) for one in above]
    try:
        crypto.X509StoreContext(store, crypto.X509.from_cryptography(leaf), chain).verify_certificate()
    except crypto.X509StoreContextError as error:
        verdict = Verdict()
        verdict.code, verdict.depth = error.errors[:2]
        raise ProxyError(TLS_CERTIFICATE, f"the client's certificate: {verdict.words}") from error
    if not _for_clients(leaf):
        raise ProxyError(TLS_CERTIFICATE, "the client's certificate: it is not made for this purpose")
    return said


def _for_clients(leaf: x509.Certificate) -> bool:
    try:
        purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return bool({ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(purposes))
