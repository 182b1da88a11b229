"""Files are read; whatever else may stand in their place keeps nobody waiting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxy import limits
from proxy.config import load
from proxy.config.files import read_file
from proxy.explain.accept import examine

pytestmark = pytest.mark.timeout(20)


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1234")
    (tmp_path / "b").symlink_to("a")
    assert read_file(tmp_path / "b", 4) == b"1234"
    assert read_file(tmp_path / "b", 3) == "is larger than 0 MiB"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pipe", "is not a regular file"),
        ("/dev/zero", "is not a regular file"),
        (".", "cannot be read: Is a directory"),
        ("nowhere", "cannot be read: No such file or directory"),
        ("a\0", "cannot be read: embedded null byte"),
    ],
)
def test_what_is_none(tmp_path: Path, name: str, words: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    open_before = set(Path("/proc/self/fd").iterdir())
    assert read_file(tmp_path / name, limits.MIB) == words
    assert set(Path("/proc/self/fd").iterdir()) == open_before


def test_a_pipe_that_a_shell_hands_over() -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b"routes: [{respond: 204}]\n")
    os.close(theirs)
    try:
        assert load(f"/dev/fd/{ours}", {}).errors == ()
    finally:
        os.close(ours)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("include: [%s]\nroutes: [{respond: 204}]\n", (1, 11)),
        ("routes:\n  - respond: {body: 'a ${file:%s}'}\n", (2, 24)),
    ],
)
@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_the_configuration_says_where_it_is_named(tmp_path: Path, name: str, text: str, at: tuple[int, int]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "x.yaml").write_text(text % name)
    [problem] = load(tmp_path / "x.yaml", {}).problems
    assert "is not a regular file" in problem.message
    assert (problem.line, problem.column) == at


def test_a_pipe_in_a_directory_that_is_included(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "d" / "a.yaml")
    (tmp_path / "x.yaml").write_text("include: d\nroutes: [{respond: 204}]\n")
    [problem] = load(tmp_path / "x.yaml", {}).problems
    assert problem.message == f"`{tmp_path / 'd' / 'a.yaml'}`: the file is not a regular file"


@pytest.mark.parametrize(
    "text",
    [
        "resolver: {hosts: pipe}\nroutes: [{respond: 204}]\n",
        "listen: {endpoint: 'tcp:1', tls: {certificates: {cert: pipe, key: pipe}}}\nroutes: [{respond: 204}]\n",
        "upstreams: {a: {servers: ['https://a'], tls: {ca: pipe}}}\nroutes: [{upstream: a}]\n",
        "upstreams: {a: {servers: ['https://a'], tls: {crl: pipe}}}\nroutes: [{upstream: a}]\n",
    ],
)
def test_so_does_whatever_else_a_configuration_names(tmp_path: Path, text: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "x.yaml").write_text(text)
    [problem] = [one for one in examine(tmp_path / "x.yaml", {}).problems if one.severity == "error"]
    assert problem.message.endswith("not a regular file") and str(tmp_path / "pipe") in problem.message
    assert problem.source[problem.column - 1 :].startswith("pipe")
