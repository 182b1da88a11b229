"""A certificate authority for one machine: for development, where nobody else signs `localhost`.

Its key never leaves the folder it was made in. The certificate is made anew where it is for other names than those that
are wanted, and in time before it expires; the authority itself stays, so that it has to be trusted only once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from socket import gethostname
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.logger import Logger

from proxy import limits
from proxy.tls.certificates import CertificateError, is_address, load_pair
from proxy.tls.contexts import CertificateFiles

log = Logger()

ROOT_DAYS = 3650
# Browsers want less than 398 days of certificates.
LEAF_DAYS = 365
LOCAL_NAMES = ("localhost", "*.localhost", "127.0.0.1", "::1")


class Issued(NamedTuple):
    """A certificate of the authority.

    @ivar names: whom it is for.
    @ivar due: when to make another in its place, in seconds since 1970.
    """

    files: CertificateFiles
    names: tuple[str, ...]
    due: float


class Internal:
    """The authority in `folder`, which is made where it is not there.

    @ivar root: the PEM file with its certificate: what people make their browsers trust.
    @ivar is_new: it was made just now.
    @raise CertificateError: the folder cannot be used.
    """

    def __init__(self, folder: Path, now: float) -> None:
        self.folder = folder
        self.root = folder / "root.crt"
        self._now = datetime.fromtimestamp(now, UTC)
        key = folder / "root.key"
        try:
            folder.mkdir(0o700, parents=True, exist_ok=True)
            self.is_new = not (self.root.exists() and key.exists())
            if self.is_new:
                self._make_root(key)
        except OSError as error:
            raise CertificateError(str(folder), error.strerror or str(error)) from error
        pair = load_pair(str(self.root), str(key))
        assert isinstance(pair.key, ec.EllipticCurvePrivateKey)
        self._key, self._certificate = pair.key, pair.leaf

    def issue(self, names: Iterable[str]) -> Issued:
        """A certificate for `names` (host names and IP addresses) and for those that every machine has: the one that is
        there, if it is for just these and not old.

        @raise CertificateError: it cannot be kept.
        """
        every = tuple(dict.fromkeys((*LOCAL_NAMES, gethostname().lower(), *sorted(names))))
        files = CertificateFiles(str(self.folder / "local.crt"), str(self.folder / "local.key"))
        return self._standing(files, every) or self._make(files, every)

    def _standing(self, files: CertificateFiles, every: tuple[str, ...]) -> Issued | None:
        try:
            pair = files.load()
            pair.leaf.verify_directly_issued_by(self._certificate)
        except (CertificateError, InvalidSignature, ValueError, TypeError):
            return None
        issued = Issued(files, every, due(pair.leaf))
        return issued if set(pair.names) == set(every) and self._now.timestamp() < issued.due else None

    def _make(self, files: CertificateFiles, every: tuple[str, ...]) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "reverseproxy on this machine")])
        builder = self._builder(subject, self._certificate.subject, key, LEAF_DAYS)
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in every]), False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        builder = builder.add_extension(_usage(signs=False), True)
        builder = builder.add_extension(x509.BasicConstraints(False, None), True)
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = builder.add_extension(above, False).sign(self._key, SHA256())
        try:
            _write(Path(files.key), _pem(key), 0o600)
            _write(Path(files.cert), certificate.public_bytes(Encoding.PEM), 0o644)
        except OSError as error:
            raise CertificateError(str(self.folder), error.strerror or str(error)) from error
        return Issued(files, every, due(certificate))

    def _make_root(self, path: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"reverseproxy on {gethostname()}"[:64])])
        builder = self._builder(subject, subject, key, ROOT_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(True, 0), True).add_extension(_usage(signs=True), True)
        _write(path, _pem(key), 0o600)
        _write(self.root, builder.sign(key, SHA256()).public_bytes(Encoding.PEM), 0o644)

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
    ) -> x509.CertificateBuilder:
        begin, public = self._now - timedelta(hours=1), key.public_key()
        end = self._now + timedelta(days=days)
        builder = x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number(), begin, end)
        return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)

    def advice(self) -> str:
        """How to trust it, for the console."""
        return (
            f"made a certificate authority for this machine. To trust it:\n"
            f"  curl --cacert {self.root} ...\n"
            f"  Debian, Ubuntu: sudo cp {self.root} /usr/local/share/ca-certificates/reverseproxy.crt"
            f" && sudo update-ca-certificates\n"
            f"  browsers: import {self.root} as an authority for web sites"
        )


class Upkeep:
    """Has the certificate made anew before it expires, in a process that runs for long. What it makes is found in its
    files, like everything that is renewed.

    @param folder: of the authority.
    """

    def __init__(self, folder: Path, issued: Issued) -> None:
        self._folder = folder
        self._issued = issued
        self._try_at = issued.due

    def look(self, now: float) -> None:
        """@param now: seconds since 1970."""
        if now < self._try_at:
            return
        self._try_at = now + limits.INTERNAL_RETRY_SECONDS
        try:
            self._issued = Internal(self._folder, now).issue(self._issued.names)
        except CertificateError as error:
            log.error("the certificate of this machine's own authority cannot be made anew: {error}", error=str(error))
        else:
            self._try_at = self._issued.due

    def __repr__(self) -> str:
        return f"<Upkeep of {self._folder}>"


def due(certificate: x509.Certificate) -> float:
    """When to make another in its place, in seconds since 1970: with a third of its life left."""
    begin, end = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    return end - (end - begin) / 3


def _usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(name)) if is_address(name) else x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, data: bytes, mode: int) -> None:
    """Put `data` in place at once: nobody sees half of it, nobody else ever sees a key."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)  # of a process that ended in the middle, and had the same number
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    beside.replace(path)
