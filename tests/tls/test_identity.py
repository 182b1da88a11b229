"""For whom a certificate is."""

import pytest

from proxy.tls.identity import Identity, identity
from tests.support.authority import Authority


@pytest.mark.parametrize(
    ("names", "uris", "name", "fits"),
    [
        (["app.test"], [], "app.test", True),
        (["app.test"], [], "APP.Test", True),
        (["App.Test"], [], "app.test", True),
        (["app.test"], [], "x.app.test", False),
        (["*.app.test"], [], "x.app.test", True),
        (["*.app.test"], [], "x.y.app.test", False),
        (["*.app.test"], [], "app.test", False),
        (["*.App.test"], [], "*.app.test", True),
        (["x.app.test"], [], "*.app.test", False),
        (["*.test"], [], "app.test", False),
        (["*.test", "app.test"], [], "app.test", True),
        (["2001:db8::1"], [], "2001:db8::1", True),
        (["2001:db8::1"], [], "2001:0DB8:0:0::1", True),
        (["2001:db8::1"], [], "2001:db8::2", False),
        (["192.0.2.1"], [], "192.0.2.1", True),
        ([], ["spiffe://test/Bob"], "spiffe://test/Bob", True),
        ([], ["spiffe://test/Bob"], "spiffe://test/bob", False),
        (["app.test"], ["https://app.test:8443/x"], "app.test", True),
        (["app.test"], [], "b\u00fccher.test", False),
        (["app.test"], [], "app test", False),
        ([], [], "app.test", False),
    ],
)
def test_who_it_is(authority: Authority, names: list[str], uris: list[str], name: str, fits: bool) -> None:
    known = identity(authority.issue(*names, file="one", uris=uris).certificate)
    assert known.is_for(name) is fits
    assert known.is_any(("nobody.test", name)) is fits


def test_it_is_told(authority: Authority) -> None:
    issued = authority.issue("b.test", "a.test", "192.0.2.1", uris=["spiffe://test/x"])
    assert str(identity(issued.certificate)) == "192.0.2.1, a.test, b.test, spiffe://test/x"
    assert str(Identity()) == "nobody"
