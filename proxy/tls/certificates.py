"""Certificates and keys in files: read, looked at, and known by their names and dates."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from proxy import limits
from proxy.config.files import read_regular

ServerKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


#: What the library raises when it cannot make sense of a certificate. It looks into most parts only when they are asked
#: for, so whoever asks a certificate of somebody else has to expect these.
UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


class CertificateError(Exception):
    """A file that cannot be used.

    @ivar path: which.
    @ivar words: why, for people.
    """

    def __init__(self, path: str, words: str) -> None:
        super().__init__(path, words)
        self.path = path
        self.words = words

    def __str__(self) -> str:
        return f"{self.path}: {self.words}"


class Pair(NamedTuple):
    """A certificate, what stands above it, and its key.

    @ivar chain: from the server's own certificate upward; the root may be missing.
    @ivar names: the DNS names it is for, in lower case, wildcards included, and IP addresses as text.
    """

    chain: tuple[x509.Certificate, ...]
    key: ServerKey
    names: tuple[str, ...]

    @property
    def leaf(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def issuer(self) -> x509.Certificate | None:
        """The certificate above the server's own, if the file has it."""
        above = self.chain[1] if len(self.chain) > 1 else None
        return above if above is not None and above.subject == self.leaf.issuer else None

    @property
    def not_after(self) -> datetime:
        return self.leaf.not_valid_after_utc

    def counts(self, now: float) -> bool:
        """Whether it is valid at `now` (seconds since 1970)."""
        return self.leaf.not_valid_before_utc.timestamp() <= now < self.not_after.timestamp()

    @property
    def kind(self) -> str:
        """Which kind of key: one server name can have one certificate of each."""
        return key_kind(self.key)


def load_pair(cert: str, key: str) -> Pair:
    """The certificate chain in the PEM file `cert` and its key in the PEM file `key`.

    @raise CertificateError: one of them cannot be read or used, or they do not belong together.
    """
    chain = load_chain(cert)
    private = load_key(key)
    with _readable(cert):
        public, names = _public(chain[0]), names_of(chain[0])
    if public != private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo):
        raise CertificateError(key, f"this is not the key of the certificate in {cert}")
    return Pair(chain, private, names)


def load_chain(path: str) -> tuple[x509.Certificate, ...]:
    """The certificates in a PEM file, in its order.

    @raise CertificateError: there are none, or one of them cannot be read.
    """
    data = read(path)
    if b"-----BEGIN CERTIFICATE-----" not in data:
        hint = ": it holds a key" if b"PRIVATE KEY" in data else ""
        raise CertificateError(path, f"no certificate in PEM form{hint}")
    with _readable(path):
        found = tuple(x509.load_pem_x509_certificates(data))
        for one in found:
            # Whatever is asked of any certificate, asked here, where there is a file to name.
            _ = one.subject, one.issuer, one.not_valid_before_utc, one.not_valid_after_utc
    return found


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """@raise CertificateError: a certificate in the file cannot be made sense of."""
    try:
        yield
    except UNREADABLE as error:
        raise CertificateError(path, f"a certificate in it cannot be read: {error}") from error


def load_key(path: str) -> ServerKey:
    """The private key in a PEM file.

    @raise CertificateError: there is none that a server can use.
    """
    data = read(path)
    try:
        key: PrivateKeyTypes = load_pem_private_key(data, None, unsafe_skip_rsa_key_validation=True)
    except TypeError as error:
        raise CertificateError(path, "the key is encrypted; a server needs it without a password") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(path, "no private key in PEM form") from error
    if not isinstance(key, ServerKey):
        raise CertificateError(path, "the key is neither RSA nor of an elliptic curve")
    return key


def load_revoked(path: str) -> tuple[x509.CertificateRevocationList, ...]:
    """The revocation lists in a PEM file.

    @raise CertificateError: there are none.
    """
    data, mark = read(path), b"-----BEGIN X509 CRL-----"
    try:
        found = tuple(x509.load_pem_x509_crl(mark + part) for part in data.split(mark)[1:])
        for one in found:
            _ = one.next_update_utc
    except UNREADABLE as error:
        raise CertificateError(path, "no revocation list in PEM form") from error
    if not found:
        raise CertificateError(path, "no revocation list in PEM form")
    return found


def read(path: str) -> bytes:
    """What is in a regular file.

    @raise CertificateError: it is none, cannot be read, or is far too large.
    """
    try:
        data = read_regular(path, limits.CERTIFICATE_FILE_BYTES + 1)
    except OSError as error:
        raise CertificateError(path, error.strerror or str(error)) from error
    if len(data) > limits.CERTIFICATE_FILE_BYTES:
        raise CertificateError(path, "the file is too large")
    return data


def exposure(path: str) -> str:
    """Who else can read or write a file that should be secret, as the beginning of a sentence about it; "" for nobody.

    A group may read it where it is ours, as of secrets that are mounted for us, or that of the superuser.
    """
    try:
        found = Path(path).stat()
    except OSError:
        return ""  # it has just gone: whoever reads it says so
    mode = found.st_mode
    if mode & stat.S_IWOTH:
        return "every user of this machine can write to"
    if mode & stat.S_IROTH:
        return "every user of this machine can read"
    if mode & stat.S_IWGRP:
        return f"the group {_group(found.st_gid)} can write to"
    if mode & stat.S_IRGRP and found.st_gid not in {0, os.getegid(), *os.getgroups()}:
        return f"the group {_group(found.st_gid)} can read"
    return ""


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def signature(paths: Iterable[str]) -> tuple[tuple[int, int, int], ...]:
    """What changes when one of the files does; symbolic links are followed, as renewals move them."""
    return tuple(_file_signature(path) for path in paths)


def _file_signature(path: str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - of thousands every few seconds
    except (OSError, ValueError):  # it is not there, or has a name that no file has
        return (0, 0, 0)
    return found.st_mtime_ns, found.st_ino, found.st_size


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The names that a certificate is for (RFC 9525); its common name where it has no others.

    @raise UNREADABLE: they make no sense.
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(name.value).lower() for name in common[:1])
    names = [name.lower() for name in extension.get_values_for_type(x509.DNSName)]
    return (*names, *map(str, extension.get_values_for_type(x509.IPAddress)))


def pem_of(certificate: x509.Certificate) -> bytes:
    """A certificate as PEM."""
    return certificate.public_bytes(Encoding.PEM)


def key_kind(key: ServerKey) -> str:
    """`RSA`, `ECDSA` or `EdDSA`."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "ECDSA" if isinstance(key, ec.EllipticCurvePrivateKey) else "EdDSA"


def is_address(name: str) -> bool:
    """Whether `name` is an IP address: TLS clients never send one as a server name."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def days_left(not_after: datetime, now: float) -> float:
    """How many days a certificate is still valid at `now` (seconds since 1970); negative when it has expired."""
    return (not_after - datetime.fromtimestamp(now, UTC)).total_seconds() / 86400


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
