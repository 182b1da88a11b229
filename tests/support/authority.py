"""A certificate authority for tests: keys are elliptic and made in a millisecond, files go into a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Issued(NamedTuple):
    """A certificate and its key, in memory and in files."""

    certificate: x509.Certificate
    private: Key
    cert: str
    key: str


class Authority:
    """Signs what tests need, the invalid included.

    @ivar ca: the file with its own certificate.
    """

    def __init__(self, folder: Path, name: str = "Test Authority") -> None:
        self.folder = folder
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        builder = self._builder(self.name, self.key, now - timedelta(days=1), now + timedelta(days=3650))
        builder = builder.add_extension(x509.BasicConstraints(True, None), True)
        builder = builder.add_extension(_usage(certificates=True), True)
        self.certificate = builder.sign(self.key, SHA256())
        self.ca = str(folder / f"{name.replace(' ', '-').lower()}.pem")
        Path(self.ca).write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: Key, begin: datetime, end: datetime, issuer: x509.Name | None = None
    ) -> x509.CertificateBuilder:
        public, serial = key.public_key(), x509.random_serial_number()
        builder = x509.CertificateBuilder(issuer or self.name, subject, public, serial, begin, end)
        return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)

    def issue(
        self,
        *names: str,
        file: str = "",
        uris: Sequence[str] = (),
        days: float = 90,
        since: float = -1,
        use_rsa: bool = False,
        self_signed: bool = False,
        client: bool = True,
        common_name: str = "",
        ocsp: str = "",
        must_staple: bool = False,
        crl: str = "",
        more: Sequence[x509.ExtensionType] = (),
    ) -> Issued:
        """A certificate for `names` (DNS or IP), valid from `since` days from now until `days` days from now.

        @param file: the files are FILE.crt and FILE.key; the first name by default.
        @param client: it is for clients as well as for servers.
        @param ocsp: the URL of whoever answers whether it is revoked.
        @param must_staple: clients want that answer in the handshake (RFC 7633).
        @param crl: the URL of the list of those that are revoked.
        @param more: what else it says.
        """
        key: Key = rsa.generate_private_key(65537, 2048) if use_rsa else ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        common = common_name or (names[0] if names else "nobody")
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
        issuer = subject if self_signed else self.name
        builder = self._builder(subject, key, now + timedelta(days=since), now + timedelta(days=days), issuer)
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, *([ExtendedKeyUsageOID.CLIENT_AUTH] if client else [])]
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), False).add_extension(_usage(), True)
        builder = builder.add_extension(x509.BasicConstraints(False, None), True)
        if names or uris:
            others = [_general(name) for name in names] + [x509.UniformResourceIdentifier(uri) for uri in uris]
            builder = builder.add_extension(x509.SubjectAlternativeName(others), False)
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        if not self_signed:
            builder = builder.add_extension(above, False)
        for extension in (*_revocation(ocsp, must_staple, crl), *more):
            builder = builder.add_extension(extension, False)
        certificate = builder.sign(key if self_signed else self.key, SHA256())
        return self.write(certificate, key, file or (names[0] if names else "nobody"))

    def write(self, certificate: x509.Certificate, key: Key, file: str) -> Issued:
        """The certificate in FILE.crt, its key in FILE.key, which only we can read."""
        stem = self.folder / file.replace("*", "_")
        cert, private = stem.with_name(stem.name + ".crt"), stem.with_name(stem.name + ".key")
        cert.write_bytes(certificate.public_bytes(Encoding.PEM))
        private.touch(0o600)
        private.chmod(0o600)
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return Issued(certificate, key, str(cert), str(private))

    def revoke(self, *revoked: Issued, file: str = "revoked.crl", days: float = 30) -> str:
        """A file with a list of `revoked` certificates."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder(self.name, now - timedelta(days=1), now + timedelta(days=days))
        for one in revoked:
            entry = x509.RevokedCertificateBuilder(one.certificate.serial_number, now - timedelta(hours=1)).build()
            builder = builder.add_revoked_certificate(entry)
        path = self.folder / file
        path.write_bytes(builder.sign(self.key, SHA256()).public_bytes(Encoding.PEM))
        return str(path)


def _revocation(ocsp: str, must_staple: bool, crl: str) -> Iterator[x509.ExtensionType]:
    """What a certificate says about where to ask whether it is revoked."""
    if ocsp:
        where = x509.UniformResourceIdentifier(ocsp)
        yield x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)])
    if must_staple:
        yield x509.TLSFeature([x509.TLSFeatureType.status_request])
    if crl:
        yield x509.CRLDistributionPoints(
            [x509.DistributionPoint([x509.UniformResourceIdentifier(crl)], None, None, None)]
        )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )
