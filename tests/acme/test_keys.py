"""Keys, requests for certificates, and what is checked about the answer."""

import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.acme.keys import ACME_IDENTIFIER, checked, life_of, proving, request, type_of
from proxy.acme.words import AcmeError
from proxy.tls.certificates import names_of
from tests.support.authority import Authority


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p384", "rsa-2048"])
def test_a_request_names_all_names_and_is_signed_by_its_key(kind: str) -> None:
    made = request(("a.test", "b.test"), kind)
    csr = x509.load_der_x509_csr(made.csr)
    assert csr.is_signature_valid
    san = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert san.get_values_for_type(x509.DNSName) == ["a.test", "b.test"]
    key = load_pem_private_key(made.key.encode(), None)
    assert type_of(key) == kind
    assert key.public_key() == csr.public_key()


def test_every_request_has_a_key_of_its_own() -> None:
    assert request(("a.test",), "ecdsa-p256").key != request(("a.test",), "ecdsa-p256").key


def test_what_the_authority_sends_is_looked_at(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, other = authority.issue("a.test"), authority.issue("b.test")
    old = authority.issue("a.test", days=-0.5, file="old")
    key, now = Path(one.key).read_text(), time.time()
    found = checked(Path(one.cert).read_text(), key, ("a.test",), now)
    assert names_of(found) == ("a.test",)
    assert life_of(found).end > now
    for chain, private, names, words in (
        (Path(other.cert).read_text(), key, ("a.test",), "of another key"),
        (Path(one.cert).read_text(), key, ("a.test", "c.test"), "without c.test"),
        (Path(old.cert).read_text(), Path(old.key).read_text(), ("a.test",), "has expired"),
        ("<html>", key, ("a.test",), "no certificate"),
        ("ä", key, ("a.test",), "no certificate"),
    ):
        with pytest.raises(AcmeError, match=words):
            checked(chain, private, names, now)


def test_a_proving_certificate_is_as_the_rfc_wants_it() -> None:
    certificate, key = proving("a.test", b"\x07" * 32, time.time())
    assert names_of(certificate) == ("a.test",)
    shown = certificate.extensions.get_extension_for_oid(ACME_IDENTIFIER)
    assert shown.critical
    assert isinstance(shown.value, x509.UnrecognizedExtension)
    assert shown.value.value == b"\x04\x20" + b"\x07" * 32
    certificate.verify_directly_issued_by(certificate)
    assert key.public_key() == certificate.public_key()
