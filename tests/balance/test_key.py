"""What a request is hashed by."""

from __future__ import annotations

import pytest

from proxy.balance.key import KeyRule, Source, cookie, parameter, parse_rule
from proxy.message import Fields, RequestHead

HEAD = RequestHead(
    b"GET",
    b"/a//b?x=1&id=a%20b+c&id=2&empty=&%6Eame=n",
    b"h",
    1,
    Fields([(b"X-User", b"ann"), (b"Cookie", b"a=1; session=s%41; b"), (b"Cookie", b'quoted="q"; session=second')]),
)


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        ("client", b"192.0.2.1"),
        ("path", b"/a/b"),
        ("header:X-User", b"ann"),
        ("header:x-user", b"ann"),
        ("header:X-None", None),
        ("cookie:session", b"s%41"),
        ("cookie:quoted", b"q"),
        ("cookie:b", None),
        ("cookie:Session", None),
        ("query:id", b"a b c"),
        ("query:name", b"n"),
        ("query:empty", b""),
        ("query:none", None),
    ],
)
def test_rules(rule: str, key: bytes | None) -> None:
    assert parse_rule(rule).key(HEAD, b"/a/b", "192.0.2.1") == key


@pytest.mark.parametrize("text", ["", "magic", "client:x", "path:", "header", "header:", "cookie", "query:"])
def test_mistakes_are_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not one of|takes no name|write .*:NAME"):
        parse_rule(text)


def test_a_rule_is_a_value() -> None:
    assert parse_rule("header:X-User") == KeyRule(Source.HEADER, b"x-user")


def test_a_request_without_any_has_no_key() -> None:
    assert cookie(Fields(), b"a") is None
    assert parameter(b"/a", b"a") is None
    assert parameter(b"*", b"a") is None
