"""A cookie that names a server, in words that only we can write."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.balance.sticky import SameSite, StickyCookie, derive_key
from proxy.balance.view import FrozenServer
from proxy.message import Fields
from tests.balance.fleet import LiveServer, fleet

KEY = derive_key(b"a secret of the configuration")


def sticky(key: bytes = KEY, upstream: str = "api") -> StickyCookie[LiveServer]:
    return StickyCookie(key, upstream)


def sending(value: bytes) -> Fields:
    return Fields([(b"Cookie", b"theme=dark; server=" + value + b"; lang=en")])


def test_a_client_comes_back_to_its_server_also_after_a_restart() -> None:
    servers = fleet(1, 1, 1)
    for server in servers:
        value = sticky().set_cookie(server).partition(b";")[0].partition(b"=")[2]
        again = fleet(1, 1, 1)  # Other objects of the same names, as after a restart.
        assert sticky().find(sending(value), again) is again[servers.index(server)]


def test_the_words_are_the_ones_they_have_always_been() -> None:
    assert sticky(b"k" * 32).token(LiveServer("127.0.0.1:9001")) == b"8yQ0mSRLE2UmM28Aqclqrg"


def test_the_cookie_tells_nothing() -> None:
    token = sticky().token(LiveServer("10.1.2.3:8080"))
    assert re.fullmatch(rb"[A-Za-z0-9_-]{22}", token)
    assert token != sticky(upstream="other").token(LiveServer("10.1.2.3:8080"))
    assert token != sticky(derive_key(b"another secret")).token(LiveServer("10.1.2.3:8080"))
    assert sticky(upstream="ap").token(LiveServer("ib")) != sticky(upstream="api").token(LiveServer("b"))


@given(st.one_of(st.binary(max_size=40), st.from_regex(rb"[A-Za-z0-9_-]{22}", fullmatch=True)))
def test_what_we_did_not_write_sticks_to_nobody(value: bytes) -> None:
    assert sticky().find(sending(value), fleet(1, 1, 1)) is None


def test_a_token_that_was_tampered_with_or_is_from_elsewhere_is_none() -> None:
    servers = fleet(1, 1)
    token = sticky().token(servers[0])
    assert sticky().find(sending(token), servers) is servers[0]
    for place in range(len(token)):
        flipped = token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]
        assert sticky().find(sending(flipped), servers) is None
    assert sticky().find(sending(sticky(upstream="other").token(servers[0])), servers) is None
    assert sticky().find(Fields(), servers) is None


def test_a_server_that_is_gone_holds_nobody_and_one_that_drains_still_does() -> None:
    servers = fleet(0, 1)
    jar = sticky()
    token = jar.token(servers[0])
    assert jar.find(sending(token), servers) is servers[0], "weight 0 takes nobody new, but keeps its sessions"
    assert jar.find(sending(token), servers, servers[:1]) is None
    servers[0].available = False
    assert jar.find(sending(token), servers) is None
    assert jar.find(sending(token), servers[1:]) is None


def test_attributes() -> None:
    cookie: StickyCookie[LiveServer] = StickyCookie(
        KEY, "api", b"app", path=b"/shop", max_age=3600, same_site=SameSite.STRICT
    )
    server = LiveServer("a")
    parsed = SimpleCookie(cookie.set_cookie(server).decode())["app"]
    assert parsed.value == cookie.token(server).decode()
    assert (parsed["path"], parsed["max-age"], parsed["samesite"]) == ("/shop", "3600", "Strict")
    assert parsed["secure"]
    assert parsed["httponly"]
    plain = StickyCookie[LiveServer](KEY, "api", secure=False, http_only=False).set_cookie(server)
    assert plain.endswith(b"; Path=/; SameSite=Lax")


@pytest.mark.parametrize(
    "options",
    [
        {"key": b"short"},
        {"name": b""},
        {"name": b"a b"},
        {"name": b"a=b"},
        {"path": b"shop"},
        {"path": b"/a; Domain=evil.example"},
        {"path": b"/a\r\nX: y"},
        {"same_site": SameSite.NONE, "secure": False},
    ],
)
def test_mistakes_are_named(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"cookie|Secure"):
        StickyCookie(**{"key": KEY, "upstream": "api", **options})  # type: ignore[arg-type]  # what a file may say


def test_the_server_behind_need_not_see_it() -> None:
    jar = sticky()
    assert jar.without(sending(b"x")).all(b"cookie") == [b"theme=dark; lang=en"]
    assert jar.without(Fields([(b"cookie", b"server=x"), (b"A", b"1")])).pairs == ((b"A", b"1"),)
    untouched = Fields([(b"Cookie", b"theme=dark")])
    assert jar.without(untouched) is untouched


@pytest.mark.parametrize(
    ("secure", "scheme", "says_so"),
    [(None, b"http", False), (None, b"https", True), (True, b"http", True), (False, b"https", False)],
)
def test_secure_goes_by_the_scheme_unless_told(secure: bool | None, scheme: bytes, says_so: bool) -> None:
    sticky: StickyCookie[FrozenServer] = StickyCookie(derive_key(b"k"), "api", b"srv", secure=secure)
    assert (b"; Secure" in sticky.set_cookie(FrozenServer("a"), scheme)) is says_so


def test_words_are_remembered_and_forgotten_but_never_change() -> None:
    sticky: StickyCookie[FrozenServer] = StickyCookie(derive_key(b"k"), "api", b"srv")
    first = sticky.token(FrozenServer("a"))
    assert len({sticky.token(FrozenServer(str(number))) for number in range(3000)}) == 3000
    assert sticky.token(FrozenServer("a")) == first
