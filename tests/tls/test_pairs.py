"""Files with certificates are read once."""

import pytest

from proxy.tls.certificates import CertificateError
from proxy.tls.contexts import CertificateFiles
from proxy.tls.pairs import Pairs
from tests.support.authority import Authority


def test_files_are_read_once_until_they_change(authority: Authority) -> None:
    one = authority.issue("a.test", file="one")
    pairs, files = Pairs(), CertificateFiles(one.cert, one.key)
    first = pairs.load(files)
    assert pairs.load(files) is first
    authority.issue("b.test", "c.test", file="one")
    assert pairs.load(files).names == ("b.test", "c.test")
    assert repr(pairs) == "<Pairs 1>"


def test_what_cannot_be_used_is_not_kept(authority: Authority) -> None:
    one, other = authority.issue("a.test"), authority.issue("b.test")
    pairs = Pairs()
    with pytest.raises(CertificateError, match="this is not the key"):
        pairs.load(CertificateFiles(one.cert, other.key))
    assert repr(pairs) == "<Pairs 0>"
