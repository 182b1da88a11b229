"""Path gates: what the upstream sees."""

from __future__ import annotations

import re

import pytest

from proxy.errors import REQUEST_PATH, ProxyError
from proxy.gates.path import add_prefix, replace_path, rewrite, strip_prefix
from tests.gates.walk import exchange, through


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        (b"/api/users?x=1", b"/users?x=1"),
        (b"/api", b"/"),
        (b"/api/", b"/"),
        (b"/apix", b"/apix"),
        (b"/other", b"/other"),
        (b"/api?", b"/?"),
    ],
)
def test_strip_prefix_takes_whole_segments_off(target: bytes, seen: bytes) -> None:
    request = exchange(target)
    through(strip_prefix(b"/api/"), request)
    assert request.head.target == seen
    stripped = target.startswith((b"/api/", b"/api?")) or target == b"/api"
    assert request.head.fields.get(b"x-forwarded-prefix") == (b"/api" if stripped else None)


def test_a_path_in_another_spelling_is_stripped_too() -> None:
    request = exchange(b"/x/../%61pi/users?q=%61", path=b"/api/users")
    through(strip_prefix(b"/api"), request)
    assert request.head.target == b"/users?q=%61"


def test_add_prefix() -> None:
    request = exchange(b"/users?x=1")
    through(add_prefix(b"/v1/"), request)
    assert request.head.target == b"/v1/users?x=1"
    assert request.path == b"/v1/users"


def test_rewrite_may_name_groups() -> None:
    request = exchange(b"/user/7/photo?s=2")
    through(rewrite(re.compile(rb"^/user/(\d+)/(\w+)$"), rb"/\2s/\1"), request)
    assert request.head.target == b"/photos/7?s=2"


def test_a_rewrite_that_finds_nothing_leaves_the_raw_path() -> None:
    request = exchange(b"/%61bc", path=b"/abc")
    through(rewrite(re.compile(rb"^/x"), b"/y"), request)
    assert request.head.target == b"/%61bc"


@pytest.mark.parametrize("path", [b"/a b", b"/a\r\nX: y", b"/a?b", b"/a#b", b"/\xff", b"/%zz"])
def test_what_a_replacement_brings_in_is_escaped(path: bytes) -> None:
    request = exchange(b"/")
    replace_path(request, path)
    assert re.fullmatch(rb"/[\x21-\x7e]*", request.head.target)
    assert b"?" not in request.head.target and b"#" not in request.head.target


@pytest.mark.parametrize("path", [b"/../etc", b"/a/..", b"/./a", b"/a/."])
def test_a_replacement_may_not_climb(path: bytes) -> None:
    with pytest.raises(ProxyError) as failure:
        replace_path(exchange(b"/"), path)
    assert failure.value.reason is REQUEST_PATH
