"""`admin:`: where the control site listens, and nowhere else."""

from __future__ import annotations

import os

import pytest

from proxy.config import Loaded, load_text

SOCKET = "unix:/run/reverseproxy.sock:mode=600"


def loaded(admin: str) -> Loaded:
    return load_text(f"admin: {admin}\nroutes: [{{respond: 204}}]\n", "x.yaml", {})


def listens(admin: str) -> str | None:
    wish = loaded(admin).require().admin
    return None if wish is None else wish.listen


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return monkeypatch


@pytest.mark.parametrize("off", ["false", "~", ""])
def test_there_is_none_unless_asked_for(off: str) -> None:
    assert listens(off) is None


@pytest.mark.parametrize("on", ["true", "{}"])
def test_by_default_it_is_a_socket_of_the_user(on: str, user: pytest.MonkeyPatch) -> None:
    user.setattr(os, "getuid", lambda: 0)
    assert listens(on) == SOCKET
    user.setattr(os, "getuid", lambda: 1000)
    user.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert listens(on) == "unix:/run/user/1000/reverseproxy.sock:mode=600"
    user.setenv("XDG_RUNTIME_DIR", "/odd:name")
    assert listens(on) == r"unix:/odd\:name/reverseproxy.sock:mode=600"


def test_a_user_without_a_directory_must_say_where(user: pytest.MonkeyPatch) -> None:
    [problem] = loaded("true").problems
    assert (problem.code, problem.line) == ("admin", 1)
    assert listens("unix:/x/y.sock") == "unix:/x/y.sock:mode=600"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("unix:/x", "unix:/x:mode=600"),
        ("'unix:/x:mode=660'", "unix:/x:mode=660"),
        ("tcp:9180:interface=127.0.0.1", "tcp:9180:interface=127.0.0.1"),
        ("tcp:9180:interface=localhost", "tcp:9180:interface=localhost"),
        (r"tcp6:9180:interface=\:\:1", r"tcp6:9180:interface=\:\:1"),
    ],
)
def test_a_socket_is_private_unless_it_says_otherwise(written: str, meant: str) -> None:
    assert listens(written) == meant


@pytest.mark.parametrize("admin", ["tcp:9180", "tcp:9180:interface=10.0.0.1", "tcp6:9180", "systemd:UNIX:name=a"])
def test_it_is_never_open_to_others(admin: str) -> None:
    [problem] = loaded(admin).problems
    assert problem.code == "admin" and "loopback" in problem.hint


def test_a_token_is_long_and_kept_elsewhere() -> None:
    [problem] = loaded("{listen: unix:/x, token: short}").problems
    assert problem.code == "key-short"
    [problem] = loaded(f"{{listen: unix:/x, token: {'x' * 32}}}").problems
    assert problem.code == "plain-secret"
    text = "admin:\n  listen: unix:/x\n  token: ${T}\nroutes: [{respond: 204}]\n"
    assert load_text(text, "x.yaml", {"T": "x" * 32}).problems == ()
