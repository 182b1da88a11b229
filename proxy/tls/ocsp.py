"""OCSP (RFC 6960): what is asked about a certificate, and whether an answer can be believed. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from proxy import limits
from proxy.tls.certificates import UNREADABLE

_STRONG = (SHA256, SHA384, SHA512)


class OcspError(Exception):
    """There is no answer that can be believed; why, for people."""


class Answer(NamedTuple):
    """What the authority says about a certificate.

    @ivar response: as it came, for clients.
    @ivar this_update, next_update: from when until when it counts, in seconds since 1970.
    @ivar revoked: the certificate is not to be believed any more.
    """

    response: bytes
    this_update: float
    next_update: float
    revoked: bool = False


def responder_of(certificate: x509.Certificate) -> str:
    """The URL of whoever answers for `certificate` (RFC 5280 section 4.2.2.1); "" where it names none that is asked by
    plain HTTP, as all are: the answer is signed."""
    return first_askable(responders_in(certificate))


def first_askable(urls: Iterable[str]) -> str:
    """The same of the URLs that a certificate names."""
    return next((url for url in urls if _askable(url)), "")


def responders_in(certificate: x509.Certificate) -> Iterator[str]:
    """The URLs that `certificate` names, whether they make sense or not."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return
    for one in found:
        if one.access_method == AuthorityInformationAccessOID.OCSP:
            url = getattr(one.access_location, "value", "")
            if isinstance(url, str):
                yield url


def _askable(url: str) -> bool:
    try:
        return url.isascii() and url.isprintable() and urlsplit(url).scheme == "http"
    except ValueError:  # an address in brackets that is none
        return False


def must_staple(certificate: x509.Certificate) -> bool:
    """Whether clients are to refuse `certificate` without an answer in the handshake (RFC 7633)."""
    try:
        features = certificate.extensions.get_extension_for_class(x509.TLSFeature).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return False
    return x509.TLSFeatureType.status_request in features


def question(leaf: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """The request about `leaf`. SHA-1 only names the issuer; it is what every responder knows (RFC 5019 section 2.1.1),
    and without a nonce, so that answers can be prepared."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, SHA1())
    return builder.build().public_bytes(Encoding.DER)


def judge(data: bytes, leaf: x509.Certificate, issuer: x509.Certificate, now: float) -> Answer:
    """What `data` says about `leaf`.

    @param now: seconds since 1970.
    @raise OcspError: it cannot be believed, or says nothing.
    """
    try:
        response = ocsp.load_der_ocsp_response(data)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise OcspError(f"the responder says {response.response_status.name.lower().replace('_', ' ')}")
        single = _about(response, leaf, issuer)
        _verify(response, issuer, now)
        begin, end = single.this_update_utc.timestamp(), single.next_update_utc
        status = single.certificate_status
    except UNREADABLE as error:
        raise OcspError(f"the answer cannot be read: {error}") from error
    until = end.timestamp() if end is not None else begin + limits.OCSP_UNDATED_SECONDS
    if begin > now + limits.OCSP_SKEW_SECONDS:
        raise OcspError(f"the answer is not valid before {_date(begin)}")
    if until <= now:
        raise OcspError(f"the answer is out of date since {_date(until)}")
    if status is ocsp.OCSPCertStatus.UNKNOWN:
        raise OcspError("the responder does not know the certificate")
    return Answer(data, begin, until, status is ocsp.OCSPCertStatus.REVOKED)


def _about(
    response: ocsp.OCSPResponse, leaf: x509.Certificate, issuer: x509.Certificate
) -> ocsp.OCSPSingleResponse:
    """The part of `response` that is about `leaf`."""
    for one in response.responses:
        if one.serial_number != leaf.serial_number:
            continue
        # What we would have asked with that algorithm names the same issuer.
        asked = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, one.hash_algorithm).build()
        if (one.issuer_name_hash, one.issuer_key_hash) == (asked.issuer_name_hash, asked.issuer_key_hash):
            return one
    raise OcspError("the answer is about another certificate")


def _verify(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: float) -> None:
    """Is `response` signed by `issuer`, or by whom it has charged with that (RFC 6960 section 4.2.2.2)?"""
    signer = issuer if _is_responder(response, issuer) else _delegate(response, issuer, now)
    algorithm = response.signature_hash_algorithm
    if algorithm is not None and not isinstance(algorithm, _STRONG):
        raise OcspError(f"the answer is signed with {algorithm.name}, which is too weak")
    try:
        _check(signer, response.signature, response.tbs_response_bytes, algorithm)
    except InvalidSignature:
        raise OcspError("the signature of the answer is wrong") from None


def _is_responder(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    if response.responder_name is not None:
        return response.responder_name == certificate.subject
    digest = x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest
    return response.responder_key_hash == digest


def _delegate(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: float) -> x509.Certificate:
    for certificate in response.certificates:
        if not _is_responder(response, certificate):
            continue
        try:
            certificate.verify_directly_issued_by(issuer)
            uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (*UNREADABLE, TypeError, InvalidSignature, x509.ExtensionNotFound):
            continue
        at = datetime.fromtimestamp(now, UTC)
        valid = certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc
        if valid and ExtendedKeyUsageOID.OCSP_SIGNING in uses:
            return certificate
    raise OcspError("the answer is signed by somebody whom the issuer has not charged with it")


def _check(signer: x509.Certificate, signature: bytes, data: bytes, algorithm: HashAlgorithm | None) -> None:
    key = signer.public_key()
    if isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
        key.verify(signature, data, padding.PKCS1v15(), algorithm)
    elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
        key.verify(signature, data, ec.ECDSA(algorithm))
    elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        key.verify(signature, data)
    else:
        raise OcspError("the answer is signed with an algorithm that is not known here")


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
