"""Secrets that others can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config import load_text
from proxy.config.problem import Problem

UPSTREAM = "upstreams: {api: {servers: http://a%s}}\n"
ROUTES = "routes:\n  - respond: {body: '${file:key}'}\n"


def problems(directory: Path, mode: int, text: str = ROUTES) -> tuple[Problem, ...]:
    (directory / "key").write_text("0123456789abcdef\n")
    (directory / "key").chmod(mode)
    return load_text(text, str(directory / "x.yaml"), {}).problems


@pytest.mark.parametrize(("mode", "codes"), [(0o644, ["readable-secret"]), (0o604, ["readable-secret"]), (0o640, [])])
def test_a_file_that_everybody_can_read(tmp_path: Path, mode: int, codes: list[str]) -> None:
    assert [problem.code for problem in problems(tmp_path, mode)] == codes


def test_it_is_told_where_it_is_used_however_deep(tmp_path: Path) -> None:
    gates = "gates:\n  g: [{headers: {response: {add: {X: ['a ${file:key}']}}}}]\n"
    text = gates + "routes:\n  - {respond: 204, gates: [g]}\n"
    [problem] = problems(tmp_path, 0o644, text)
    assert (problem.line, problem.column) == (2, 39)
    assert problem.hint == f"chmod o= {tmp_path / 'key'}"


def test_what_is_mounted_for_a_container_is_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("proxy.config.lint_secrets._MOUNTED", (f"{tmp_path}/",))
    assert problems(tmp_path, 0o644) == ()


def test_a_plain_dollar_is_no_secret(tmp_path: Path) -> None:
    text = "routes:\n  - respond: {body: '$${file:nowhere}', headers: {X: '${file:key}'}}\n"
    assert len(problems(tmp_path, 0o644, text)) == 1


def said(text: str) -> list[tuple[str, str, int]]:
    loaded = load_text(text, "x.yaml", {"KEY": "k"})
    assert loaded.errors == ()
    return [(problem.code, problem.message, problem.line) for problem in loaded.problems]


@pytest.mark.parametrize(
    ("route", "plain", "fine"),
    [
        ("headers: {Authorization: %s}", "Bearer abc", "'${KEY}'"),
        ("headers: {authorization: %s}", "{exact: Bearer abc}", "{regex: '^Bearer '}"),
        ("headers: {Cookie: %s}", "session=1", "{present: true}"),
        ("query: {token: %s}", "abc", "{present: true}"),
        ("query: {api_key: %s}", "abc", "{exact: '${KEY}'}"),
        ("gates: [{headers: {request: {set: {%s: x}}}}]", "Authorization", "X-Other"),
        ("gates: [{headers: {request: {add: {X: y, Cookie: %s}}}}]", "session=1", "'session=${KEY}'"),
        ("gates: [{headers: {request: {set: {X-Api-Key: %s}}}}]", "['${KEY}', abc]", "['${KEY}']"),
        ("gates: [{headers: {response: {set: {%s: a=b}}}}]", "X-Token", "Set-Cookie"),
        ("gates: [{headers: {response: {add: {X-Secret: %s}}}}]", "abc", "''"),
    ],
)
def test_secrets_of_a_route(route: str, plain: str, fine: str) -> None:
    text = UPSTREAM % "" + "routes:\n  - {upstream: api, %s}\n"
    assert [(code, line) for code, _, line in said(text % (route % plain))] == [("plain-secret", 3)]
    assert said(text % (route % fine)) == []


@pytest.mark.parametrize(
    ("target", "plain", "fine"),
    [
        ("respond: {headers: {X-Token: %s}}", "abc", "'${KEY}'"),
        ("respond: {headers: {%s: abc}}", "X-Secret", "X-Public"),
        ("redirect: %s", "'https://me:abc@example.com/'", "'https://me:${KEY}@example.com/'"),
        ("redirect: {to: %s}", "'https://example.com/?a=b&access_token=abc'", "'https://example.com/?a=b&token='"),
        ("redirect: %s", "'/x?token=1'", "'/x/token@home?next=1'"),
    ],
)
def test_secrets_of_an_answer(target: str, plain: str, fine: str) -> None:
    assert [code for code, _, _ in said(f"routes:\n  - {target % plain}\n")] == ["plain-secret"]
    assert said(f"routes:\n  - {target % fine}\n") == []


@pytest.mark.parametrize(
    ("wish", "plain", "fine"),
    [
        ("health: {path: /, headers: {Authorization: %s}}", "Basic abc", "'${KEY}'"),
        ("health: {path: /, headers: {%s: x}}", "X-Auth-Token", "X-Probe"),
        ("health: %s", "'/up?token=abc'", "/up"),
        ("agent: {port: 9, send: %s}", "'password: abc'", "backend-1"),
        ("agent: {port: 9, send: %s}", "8c7dd922ad47494fc02c388e12c00eac", "'${KEY}'"),
    ],
)
def test_secrets_of_an_upstream(wish: str, plain: str, fine: str) -> None:
    routes = "routes: [{path: /a, upstream: api}, {upstream: 'http://b'}]\n"
    assert [code for code, _, _ in said(UPSTREAM % f", {wish % plain}" + routes)] == ["plain-secret"]
    assert said(UPSTREAM % f", {wish % fine}" + routes) == []
    [(code, _, line)] = said(
        f"# Once, and there.\ndefaults: {{upstream: {{{wish % plain}}}}}\n" + UPSTREAM % "" + routes
    )
    assert (code, line) == ("plain-secret", 2)


def test_a_secret_in_named_gates_is_found_where_it_stands() -> None:
    text = (
        "gates:\n  auth: [{headers: {request: {add: {X-Api-Key: abc}}}}]\n"
        + UPSTREAM % ""
        + "routes: [{upstream: api, gates: [auth]}, {path: /b, upstream: api, gates: [auth]}]\n"
    )
    [problem] = load_text(text, "x.yaml", {}).problems
    assert (problem.code, problem.line) == ("plain-secret", 2)
