"""Keys and requests for certificates, and the certificate that proves a name by tls-alpn-01."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID, ObjectIdentifier

from proxy.acme.schedule import Life
from proxy.acme.words import AcmeError
from proxy.tls.certificates import UNREADABLE, names_of

# RFC 8737 section 6.1.
ACME_IDENTIFIER = ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_CURVES = {"ecdsa-p256": ec.SECP256R1, "ecdsa-p384": ec.SECP384R1}
_BITS = {"rsa-2048": 2048, "rsa-4096": 4096}
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Request(NamedTuple):
    """A new key, as PEM, and the request for its certificate (PKCS #10), as DER."""

    key: str
    csr: bytes


def request(names: tuple[str, ...], key_type: str) -> Request:
    """For a certificate for `names`. RSA keys take a second to make: call it in a thread."""
    key = _new_key(key_type)
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    return Request(_pem(key), builder.sign(key, SHA256()).public_bytes(Encoding.DER))


def _new_key(key_type: str) -> PrivateKey:
    if key_type in _CURVES:
        return ec.generate_private_key(_CURVES[key_type]())
    return rsa.generate_private_key(65537, _BITS[key_type])


def type_of(key: object) -> str:
    """The type of a private key, in the words of the configuration; "" for none of these."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return next((word for word, curve in _CURVES.items() if isinstance(key.curve, curve)), "")
    return f"rsa-{key.key_size}" if isinstance(key, rsa.RSAPrivateKey) else ""


def checked(chain: str, key: str, names: tuple[str, ...], now: float) -> x509.Certificate:
    """The certificate at the front of a PEM `chain`, if it is what was asked for.

    @raise AcmeError: it is not.
    """
    try:
        found = x509.load_pem_x509_certificates(chain.encode("ascii"))[0]
        private = load_pem_private_key(key.encode("ascii"), None)
        # Seen as one thing, or as two: one key has one encoding.
        same = _public(found.public_key()) == _public(private.public_key())
        missing = set(names) - set(names_of(found))
    except UNREADABLE as error:
        raise AcmeError(f"the authority sent something that is no certificate: {error}") from error
    if not same:
        raise AcmeError("the authority sent the certificate of another key")
    if missing:
        raise AcmeError(f"the authority sent a certificate without {', '.join(sorted(missing))}")
    if life_of(found).end <= now:
        raise AcmeError("the authority sent a certificate that has expired; is the clock of this machine right?")
    return found


def life_of(certificate: x509.Certificate) -> Life:
    """From when until when it is valid."""
    return Life(certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp())


def proving(name: str, digest: bytes, now: float) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The certificate that proves `name` (RFC 8737 section 3): nobody has signed it but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ACME challenge")])
    begin = datetime.fromtimestamp(now, UTC) - timedelta(hours=1)
    end, serial = begin + timedelta(days=2), x509.random_serial_number()
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), serial, begin, end)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
    # An OCTET STRING of 32 bytes, in DER.
    shown = x509.UnrecognizedExtension(ACME_IDENTIFIER, b"\x04\x20" + digest)
    return builder.add_extension(shown, True).sign(key, SHA256()), key


def _public(key: object) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return encoded


def _pem(key: PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
