"""Redirects lead where the configuration says, whatever the request looks like."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.redirect import Redirect, escaped, location, redirect, to_https


@pytest.mark.parametrize(
    ("target", "path", "query", "asked", "expected"),
    [
        (b"https://www.example.com/", False, False, b"/a?b=c", b"https://www.example.com/"),
        (b"https://www.example.com/", True, True, b"/a?b=c", b"https://www.example.com/a?b=c"),
        (b"https://www.example.com", True, True, b"/a?b=c", b"https://www.example.com/a?b=c"),
        (b"https://www.example.com/new/", True, False, b"/a/b?c", b"https://www.example.com/new/a/b"),
        (b"https://www.example.com/new", False, True, b"/a?b=c?d", b"https://www.example.com/new?b=c?d"),
        (b"/new?x=1", False, True, b"/a?b=c", b"/new?x=1"),
        (b"/new#top", False, True, b"/a?b=c", b"/new?b=c#top"),
        (b"/", True, True, b"//evil.example/x", b"/evil.example/x"),
        (b"/", True, True, b"/%2F/evil.example", b"/evil.example"),
        (b"/", True, True, b"/\\evil.example", b"/evil.example"),
        (b"/", True, True, b"*", b"/"),
        (b"https://a", True, True, b"/%0d%0aSet-Cookie:x", b"https://a/%0d%0aSet-Cookie:x"),
        (b"https://a", True, True, b"/a\r\nb%zz\xe9", b"https://a/a%0D%0Ab%25zz%E9"),
    ],
)
def test_locations(target: bytes, path: bool, query: bool, asked: bytes, expected: bytes) -> None:
    assert location(redirect(target, keep_path=path, keep_query=query), asked) == expected


@pytest.mark.parametrize(
    "target",
    [b"", b"www.example.com", b"//evil.example", b"/\\evil.example", b"https://", b"https://a/\r\nX: y", b"/a b"],
)
def test_targets_that_are_none(target: bytes) -> None:
    with pytest.raises(ValueError, match="redirect leads to"):
        redirect(target)


def test_other_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="200 is not a redirect"):
        redirect(b"/a", 200)
    with pytest.raises(ValueError, match="followed by the request's path"):
        redirect(b"/a?b", keep_path=True)


def test_https_keeps_host_path_and_query() -> None:
    assert to_https(b"example.com:8080", b"/a?b") == (308, b"https://example.com/a?b")
    assert to_https(b"[2001:db8::1]:80", b"/", port=8443) == (308, b"https://[2001:db8::1]:8443/")
    assert to_https(b"example.com", b"//evil.example", status=301) == (301, b"https://example.com/evil.example")


@given(st.binary())
def test_no_request_chooses_where_a_redirect_leads(asked: bytes) -> None:
    for target, host in ((b"/", "here.example"), (b"https://there.example/x", "there.example")):
        where = location(Redirect(target, keep_path=True, keep_query=True), b"/" + asked)
        assert all(0x21 <= byte <= 0x7E for byte in where)
        assert b"\\" not in where
        joined = urlsplit(urljoin("https://here.example/deep/page", where.decode("ascii")))
        assert joined.hostname == host
        assert joined.scheme == "https"


@given(st.binary())
def test_escaping_twice_is_escaping_once(raw: bytes) -> None:
    assert escaped(escaped(raw)) == escaped(raw)
