"""Versions and ciphers by name."""

import ssl
from pathlib import Path

import pytest

from proxy.tls.contexts import CertificateFiles
from proxy.tls.keyring import HostPlan
from proxy.tls.policies import POLICIES, policy
from tests.support.authority import Authority
from tests.tls.peers import Stage, client_context

AEAD, CBC = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA"


def met(folder: Path, name: str, version: str, cipher: str = "") -> bool:
    """Whether a client of this version, with only this cipher, gets in."""
    authority = Authority(folder)
    one = authority.issue("a.test")
    stage = Stage(HostPlan((CertificateFiles(one.cert, one.key),)), policy_name=name)
    context = client_context(authority.ca, version=version)
    if cipher:
        context.set_ciphers(cipher)
    try:
        stage.client("a.test", authority.ca, context=context).shake()
    except ssl.SSLError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "old", "aead", "cbc"),
    [("modern", False, False, False), ("intermediate", True, True, False), ("legacy", True, True, True)],
)
def test_who_gets_in(tmp_path: Path, name: str, old: bool, aead: bool, cbc: bool) -> None:
    assert met(tmp_path, name, "1.3")
    assert met(tmp_path, name, "1.2") is old
    assert met(tmp_path, name, "1.2", AEAD) is aead
    assert met(tmp_path, name, "1.2", CBC) is cbc


def test_the_lowest_version_only_ever_rises() -> None:
    assert policy("intermediate", "1.3").minimum == "1.3"
    assert policy("modern", "1.2").minimum == "1.3"
    assert policy("legacy").minimum == "1.2"


def test_every_cipher_is_forward_secret() -> None:
    for one in POLICIES.values():
        assert all(cipher.startswith(b"ECDHE-") for cipher in one.ciphers.split(b":"))
