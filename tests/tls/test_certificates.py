"""Certificates and keys in files, and what is said of those that cannot be used."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from proxy import limits
from proxy.tls.certificates import (
    CertificateError,
    days_left,
    exposure,
    is_address,
    load_chain,
    load_key,
    load_pair,
    load_revoked,
    names_of,
    read,
    signature,
)
from tests.support.authority import Authority
from tests.support.odd import ODD, ODD_AUTHORITY, odd


def test_a_pair_knows_its_names_its_kind_and_its_end(authority: Authority) -> None:
    one = authority.issue("A.test", "*.b.test", "192.0.2.1", days=30)
    pair = load_pair(one.cert, one.key)
    assert pair.names == ("a.test", "*.b.test", "192.0.2.1")
    assert pair.kind == "ECDSA"
    assert 29.9 < days_left(pair.not_after, time.time()) < 30.1
    rsa = authority.issue("a.test", file="rsa", use_rsa=True)
    assert load_pair(rsa.cert, rsa.key).kind == "RSA"


def test_a_chain_is_in_the_order_of_the_file(authority: Authority) -> None:
    one = authority.issue("a.test")
    Path(one.cert).write_bytes(Path(one.cert).read_bytes() + Path(authority.ca).read_bytes())
    assert load_chain(one.cert) == (one.certificate, authority.certificate)


def test_without_other_names_the_common_name_counts(authority: Authority) -> None:
    assert names_of(authority.issue(file="bare", common_name="Old.test").certificate) == ("old.test",)


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"nonsense", "no certificate in PEM form"), (None, "No such file"), (b"", "no certificate")],
)
def test_what_is_no_certificate(tmp_path: Path, data: bytes | None, words: str) -> None:
    path = tmp_path / "x.crt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(CertificateError, match=words) as caught:
        load_chain(str(path))
    assert caught.value.path == str(path)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("read_as", [load_chain, load_key, load_revoked])
def test_nobody_waits_for_a_pipe(tmp_path: Path, read_as: Callable[[str], object]) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CertificateError, match="not a regular file"):
        read_as(str(tmp_path / "pipe"))


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(CertificateError, match="embedded null byte"):
        load_chain("a\0b")
    assert signature(["a\0b"]) == signature(["/nowhere/at/all"])


def test_a_key_in_place_of_a_certificate(authority: Authority) -> None:
    with pytest.raises(CertificateError, match="it holds a key"):
        load_chain(authority.issue("a.test").key)


def test_what_is_no_key_for_a_server(tmp_path: Path, authority: Authority) -> None:
    path = tmp_path / "x.key"
    curve = ec.generate_private_key(ec.SECP256R1())
    secret = BestAvailableEncryption(b"secret")
    for data, words in (
        (b"nonsense", "no private key in PEM form"),
        (curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret), "without a password"),
        (
            x25519.X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "neither RSA nor",
        ),
    ):
        path.write_bytes(data)
        with pytest.raises(CertificateError, match=words):
            load_key(str(path))


def test_a_key_of_another_certificate(authority: Authority) -> None:
    one, other = authority.issue("a.test"), authority.issue("b.test")
    with pytest.raises(CertificateError, match="this is not the key of the certificate in") as caught:
        load_pair(one.cert, other.key)
    assert caught.value.path == other.key


def test_revocation_lists(authority: Authority) -> None:
    one = authority.issue("a.test")
    lists = Path(authority.revoke(one))
    lists.write_bytes(lists.read_bytes() + Path(authority.revoke(file="other.crl")).read_bytes())
    [first, second] = load_revoked(str(lists))
    assert first.get_revoked_certificate_by_serial_number(one.certificate.serial_number) is not None
    assert len(second) == 0
    with pytest.raises(CertificateError, match="no revocation list"):
        load_revoked(authority.ca)


def test_nobody_reads_a_whole_disk(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(limits.CERTIFICATE_FILE_BYTES + 1)
    with pytest.raises(CertificateError, match="too large"):
        read(str(path))


@pytest.mark.parametrize(
    ("mode", "ours", "words"),
    [
        (0o600, False, ""),
        (0o400, False, ""),
        (0o604, True, "every user of this machine can read"),
        (0o644, True, "every user of this machine can read"),
        (0o666, True, "every user of this machine can write to"),
        (0o640, True, ""),
        (0o640, False, "the group 54321 can read"),
        (0o440, False, "the group 54321 can read"),
        (0o660, False, "the group 54321 can write to"),
    ],
)
def test_who_may_read_a_key(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, mode: int, ours: bool, words: str
) -> None:
    path = Path(authority.issue("a.test").key)
    path.chmod(mode)
    if not ours:
        stat = Path.stat

        def of_strangers(path: Path) -> os.stat_result:
            found = list(stat(path))
            found[5] = 54321
            return os.stat_result(found)

        monkeypatch.setattr(Path, "stat", of_strangers)
    assert exposure(str(path)) == words


def test_a_key_that_is_gone_is_nobodys(tmp_path: Path) -> None:
    assert exposure(str(tmp_path / "gone.key")) == ""


def test_a_signature_changes_with_the_file_behind_a_link(tmp_path: Path) -> None:
    link, old, new = tmp_path / "link", tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"1")
    new.write_bytes(b"1")
    assert signature([str(link)]) == ((0, 0, 0),)
    link.symlink_to(old)
    before = signature([str(link)])
    assert before == signature([str(old)])
    link.unlink()
    link.symlink_to(new)
    assert signature([str(link)]) != before


def test_addresses_are_no_names() -> None:
    assert [is_address(name) for name in ("192.0.2.1", "::1", "a.test", "")] == [True, True, False, False]


@pytest.mark.parametrize("what", ODD)
def test_what_the_library_cannot_read_names_its_file(authority: Authority, what: str) -> None:
    one = odd(authority, what)
    with pytest.raises(CertificateError, match=r"odd\.crt: a certificate in it cannot be read: "):
        load_pair(one.cert, one.key)


@pytest.mark.parametrize("what", ODD_AUTHORITY)
def test_so_does_an_authority(authority: Authority, what: str) -> None:
    with pytest.raises(CertificateError, match=r"odd\.crt: a certificate in it cannot be read: "):
        load_chain(odd(authority, what).cert)
