"""One spelling for each path, and no spelling that walks around a route."""

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import REQUEST_PATH, ProxyError
from proxy.routing.path import has_ambiguous_slash, normalize, normalize_path


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/", b"/"),
        (b"/?a=b", b"/"),
        (b"/a/b/", b"/a/b/"),
        (b"/a?b=/../c", b"/a"),
        (b"*", b"*"),
        (b"/.well-known/acme", b"/.well-known/acme"),
        (b"/...", b"/..."),
        (b"/a..b/..c/.d", b"/a..b/..c/.d"),
        # percent-encoding
        (b"/%61dmin", b"/admin"),
        (b"/%7Euser/%2d%5f", b"/~user/-_"),
        (b"/a%3Bb%3a%40", b"/a;b:@"),
        (b"/caf%c3%a9", b"/caf%C3%A9"),
        (b"/caf\xc3\xa9", b"/caf%C3%A9"),
        (b"/a%20b", b"/a%20b"),
        (b'/a"<>b', b"/a%22%3C%3Eb"),
        (b"/%2561", b"/%2561"),
        (b"/a%3Fb%23c", b"/a%3Fb%23c"),
        # dot segments
        (b"/a/./b", b"/a/b"),
        (b"/a/../b", b"/b"),
        (b"/a/b/..", b"/a/"),
        (b"/a/.", b"/a/"),
        (b"/a/b/../../c", b"/c"),
        (b"/a/..", b"/"),
        (b"/.", b"/"),
        (b"/%2e/a", b"/a"),
        (b"/a/%2e%2E/b", b"/b"),
        (b"/a/.%2e/b", b"/b"),
        # slashes
        (b"//", b"/"),
        (b"//a", b"/a"),
        (b"/a//b///c//", b"/a/b/c/"),
        (b"//evil.example/x", b"/evil.example/x"),
        (b"/a%2fb", b"/a%2Fb"),
        (b"/a%5Cb", b"/a%5Cb"),
        (b"/a\\b", b"/a%5Cb"),
    ],
)
def test_one_spelling(target: bytes, path: bytes) -> None:
    assert normalize(target) == path


@pytest.mark.parametrize(
    "target",
    [
        b"", b"a", b"?a", b"/%", b"/%2", b"/%zz", b"/%00", b"/a%00b", b"/..", b"/a/../..", b"/%2e%2e/a", b"/a/../../b",
        b"/a//../b", b"/a/%2F../b", b"/a/..%2Fb", b"/a%2f..", b"/a%5c..%5cb", b"/.%2fb", b"/a/..\\b", b"/..%5C..%5Cx",
    ],
)  # fmt: skip
def test_what_is_refused(target: bytes) -> None:
    with pytest.raises(ProxyError) as caught:
        normalize(target)
    assert caught.value.reason is REQUEST_PATH


def test_ambiguous_slashes_are_seen() -> None:
    assert has_ambiguous_slash(normalize(b"/a%2fb"))
    assert has_ambiguous_slash(normalize(b"/a\\b"))
    assert not has_ambiguous_slash(normalize(b"/a%20b/c"))


PIECES = st.sampled_from(
    [
        b"/",
        b"//",
        b"a",
        b".",
        b"..",
        b"%2e",
        b"%2E%2e",
        b"%2f",
        b"%5c",
        b"\\",
        b"%61",
        b"%c3",
        b"\xe9",
        b"%25",
        b"%20",
        b";",
        b"~",
    ]
)
TARGETS = st.lists(PIECES, max_size=8).map(lambda pieces: b"/" + b"".join(pieces))


@given(TARGETS)
def test_a_normalized_path_stays_as_it_is(target: bytes) -> None:
    try:
        path = normalize(target)
    except ProxyError:
        return
    assert normalize(path) == path
    assert path.startswith(b"/")
    assert b"//" not in path
    assert not {b".", b".."} & set(path.split(b"/"))


@given(TARGETS)
def test_however_often_a_server_decodes_slashes_no_dot_segment_appears(target: bytes) -> None:
    try:
        path = normalize(target)
    except ProxyError:
        return
    assert not {b".", b".."} & set(unquote_to_bytes(path).replace(b"\\", b"/").split(b"/"))


@given(TARGETS)
def test_the_short_way_and_the_long_way_agree(target: bytes) -> None:
    def outcome(normalizing: object) -> object:
        try:
            return normalizing(target)  # type: ignore[operator]  # one of two functions
        except ProxyError as error:
            return error.reason

    assert outcome(normalize) == outcome(normalize_path)


def test_a_long_hostile_path_takes_no_longer_than_its_length_deserves() -> None:
    # Each of these is linear; one that backtracks would not come back within the time limit of the suite.
    for piece in (b"/", b"/.", b"/a", b"a", b"%41", b".", b"/..a", b"%2F", b";"):
        for end in (b"", b"\x80", b"%", b" "):
            try:
                normalize(b"/" + piece * 20_000 + end)
            except ProxyError:
                continue
