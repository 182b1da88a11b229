"""OCSP for tests: answers as authorities give them, and OpenSSL's responder to ask for real."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.authority import Authority, Issued, Key
from tests.support.ports import LOOPBACK
from tests.support.processes import ProcessPark, RunningProcess, require_program

GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN


def answer(
    authority: Authority,
    certificate: x509.Certificate,
    since: datetime,
    until: datetime | None,
    *,
    status: ocsp.OCSPCertStatus = GOOD,
    signer: tuple[x509.Certificate, Key] | None = None,
    by_key: bool = False,
) -> bytes:
    """What `authority` says about `certificate`, from `since` `until` then.

    @param signer: whose signature is under it; the authority's own by default.
    @param by_key: the responder is told by its key and not by its name.
    """
    who, key = signer or (authority.certificate, authority.key)
    revoked = since - timedelta(hours=1) if status is REVOKED else None
    # A date cannot be left out for `unknown`, nor a reason given for others.
    builder = ocsp.OCSPResponseBuilder().add_response(
        certificate, authority.certificate, SHA256(), status, since, until, revoked, None
    )
    encoding = ocsp.OCSPResponderEncoding.HASH if by_key else ocsp.OCSPResponderEncoding.NAME
    builder = builder.responder_id(encoding, who)
    if signer is not None:
        builder = builder.certificates([who])
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


def delegate(authority: Authority, *, charged: bool = True, days: float = 90) -> tuple[x509.Certificate, Key]:
    """Whom `authority` has charged with answers, or has not."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Responder")])
    begin, end, serial = now - timedelta(days=30), now + timedelta(days=days), x509.random_serial_number()
    builder = x509.CertificateBuilder(authority.name, name, key.public_key(), serial, begin, end)
    use = ExtendedKeyUsageOID.OCSP_SIGNING if charged else ExtendedKeyUsageOID.SERVER_AUTH
    return builder.add_extension(x509.ExtendedKeyUsage([use]), False).sign(authority.key, SHA256()), key


def with_issuer(authority: Authority, issued: Issued) -> Issued:
    """The same with the authority's certificate in the file, so that it can be asked about."""
    with Path(issued.cert).open("ab") as file:
        file.write(authority.certificate.public_bytes(Encoding.PEM))
    return issued


def start_responder(
    park: ProcessPark, authority: Authority, port: int, issued: Iterable[Issued], revoked: Iterable[Issued] = ()
) -> RunningProcess:
    """OpenSSL's responder, which knows `issued` and `revoked` certificates."""
    folder = park.directory / f"responder-{port}"
    folder.mkdir()
    key = folder / "ca.key"
    key.write_bytes(authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    lines = [_line(one, "V", "") for one in issued]
    lines += [_line(one, "R", "200101000000Z,keyCompromise") for one in revoked]
    index = folder / "index.txt"
    index.write_text("".join(lines))
    # It takes no address: it listens on all, for the seconds of a test.
    argv = ["ocsp", "-port", str(port), "-index", str(index), "-CA", authority.ca, "-rsigner", authority.ca]
    process = park.start(require_program("openssl"), *argv, "-rkey", key, "-ndays", "7", "-text", cwd=folder)
    process.wait_for_text("waiting for OCSP client connections")
    return process


def _line(issued: Issued, state: str, revoked: str) -> str:
    """A line of OpenSSL's list of certificates."""
    serial = f"{issued.certificate.serial_number:X}"
    serial = serial if len(serial) % 2 == 0 else f"0{serial}"
    until = f"{issued.certificate.not_valid_after_utc:%y%m%d%H%M%SZ}"
    return f"{state}\t{until}\t{revoked}\t{serial}\tunknown\t/CN={serial}\n"


def url(port: int) -> str:
    """Where a responder on `port` is asked."""
    return f"http://{LOOPBACK}:{port}/"
