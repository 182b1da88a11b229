"""What is asked about a certificate, and which answers are believed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from proxy import limits
from proxy.tls.ocsp import OcspError, judge, must_staple, question, responder_of
from tests.support.authority import Authority
from tests.support.ocsp import REVOKED, UNKNOWN, answer, delegate

NOW = datetime.now(UTC).replace(microsecond=0)
SINCE, UNTIL = NOW - timedelta(hours=1), NOW + timedelta(days=7)


@pytest.fixture
def leaf(authority: Authority) -> x509.Certificate:
    return authority.issue("a.test", ocsp="http://ocsp.test/a").certificate


def test_who_is_asked_and_what_clients_are_told_to_want(authority: Authority, leaf: x509.Certificate) -> None:
    assert responder_of(leaf) == "http://ocsp.test/a"
    assert responder_of(authority.issue("b.test").certificate) == ""
    for url in ("ldap://ocsp.test/", "https://ocsp.test/", "http://a b\n/"):
        assert responder_of(authority.issue("c.test", ocsp=url).certificate) == ""
    assert not must_staple(leaf)
    assert must_staple(authority.issue("d.test", must_staple=True).certificate)


def test_the_question(authority: Authority, leaf: x509.Certificate) -> None:
    asked = ocsp.load_der_ocsp_request(question(leaf, authority.certificate))
    assert asked.serial_number == leaf.serial_number
    assert isinstance(asked.hash_algorithm, SHA1)


def judged(authority: Authority, leaf: x509.Certificate, data: bytes, now: datetime = NOW) -> tuple[float, float, bool]:
    made = judge(data, leaf, authority.certificate, now.timestamp())
    assert made.response == data
    return made.this_update, made.next_update, made.revoked


def test_good_revoked_and_undated(authority: Authority, leaf: x509.Certificate) -> None:
    times = SINCE.timestamp(), UNTIL.timestamp()
    assert judged(authority, leaf, answer(authority, leaf, SINCE, UNTIL)) == (*times, False)
    assert judged(authority, leaf, answer(authority, leaf, SINCE, UNTIL, by_key=True)) == (*times, False)
    assert judged(authority, leaf, answer(authority, leaf, SINCE, UNTIL, status=REVOKED)) == (*times, True)
    undated = judged(authority, leaf, answer(authority, leaf, SINCE, None))
    assert undated == (SINCE.timestamp(), SINCE.timestamp() + limits.OCSP_UNDATED_SECONDS, False)


def test_an_authority_may_charge_somebody_with_answers(authority: Authority, leaf: x509.Certificate) -> None:
    for by_key in (False, True):
        data = answer(authority, leaf, SINCE, UNTIL, signer=delegate(authority), by_key=by_key)
        assert judged(authority, leaf, data)[2] is False


def test_an_authority_with_an_rsa_key(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    key = rsa.generate_private_key(65537, 2048)
    authority.key = key  # type: ignore[assignment] # the tests' own keys are elliptic
    builder = x509.CertificateBuilder(
        authority.name, authority.name, key.public_key(), x509.random_serial_number(), SINCE, UNTIL
    )
    authority.certificate = builder.sign(key, SHA256())
    leaf = authority.issue("a.test").certificate
    assert judged(authority, leaf, answer(authority, leaf, SINCE, UNTIL))[2] is False
    sha256, sha1 = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")  # with RSA
    weak = answer(authority, leaf, SINCE, UNTIL).replace(sha256, sha1)
    with pytest.raises(OcspError, match="signed with sha1, which is too weak"):
        judged(authority, leaf, weak)


def test_who_must_not_answer(authority: Authority, leaf: x509.Certificate, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "Stranger")
    impostor = Authority(tmp_path)  # the same name, another key

    def refused(words: str, data: bytes) -> None:
        with pytest.raises(OcspError, match=words):
            judged(authority, leaf, data)

    charged = "signed by somebody whom the issuer has not charged"
    refused(charged, answer(authority, leaf, SINCE, UNTIL, signer=(stranger.certificate, stranger.key)))
    refused(charged, answer(authority, leaf, SINCE, UNTIL, signer=delegate(authority, charged=False)))
    refused(charged, answer(authority, leaf, SINCE, UNTIL, signer=delegate(authority, days=-1)))
    refused(charged, answer(authority, leaf, SINCE, UNTIL, signer=delegate(impostor)))
    refused("about another certificate", answer(impostor, leaf, SINCE, UNTIL))
    other = authority.issue("b.test").certificate
    refused("about another certificate", answer(authority, other, SINCE, UNTIL))


def test_what_says_nothing(authority: Authority, leaf: x509.Certificate) -> None:
    def refused(words: str, data: bytes, now: datetime = NOW) -> None:
        with pytest.raises(OcspError, match=words):
            judged(authority, leaf, data, now)

    good = answer(authority, leaf, SINCE, UNTIL)
    refused("cannot be read", b"<html>")
    refused("cannot be read", good[:-20])
    refused("the signature .* is wrong", good.replace(good[-8:], bytes(8)))
    refused("does not know the certificate", answer(authority, leaf, SINCE, UNTIL, status=UNKNOWN))
    refused("out of date since", good, UNTIL)
    refused("not valid before", good, SINCE - timedelta(minutes=6))
    assert judged(authority, leaf, good, SINCE - timedelta(minutes=4))[2] is False  # clocks differ
    later = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    refused("the responder says try later", later.public_bytes(Encoding.DER))
