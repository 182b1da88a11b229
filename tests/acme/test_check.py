"""What is said about certificates that are to be ordered, before anything is."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.acme import check
from proxy.acme.check import check_acme
from proxy.config import load_text
from proxy.config.problem import Problem
from tests.support.authority import Authority

GOOD = """
listen:
  - tcp:80
  - {{endpoint: tcp:443, tls: {{acme: {{names: [www.example.com, [a.example.com, b.example.com]]{more}}}}}}}
routes: [{{host: "*.example.com", path: /, respond: 204}}, {{path: /, respond: 404}}]
state: {state}
"""


def problems(text: str) -> list[Problem]:
    loaded = load_text(text, "/etc/proxy.yaml", {})
    assert loaded.config is not None, loaded.problems
    return check_acme(loaded, {})


def codes(text: str) -> list[str]:
    return [problem.code for problem in problems(text)]


def good(tmp_path: Path, more: str = "") -> str:
    return GOOD.format(more=more, state=tmp_path)


def test_nothing_is_said_about_what_is_right(tmp_path: Path) -> None:
    assert problems(good(tmp_path)) == []
    assert problems("routes: [{path: /, respond: 204}]") == []


def test_without_the_library_it_is_an_error_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "_LIBRARY", "no_such_library")
    [problem] = problems(good(tmp_path))
    assert (problem.severity, problem.code, problem.line) == ("error", "missing-extra", 4)
    assert problem.column == good(tmp_path).splitlines()[3].index("{names") + 1
    assert "pip install 'twisted-reverseproxy[acme]'" in problem.hint


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("www.example.com", ["a.example.com", "b.example.com"]),
        ("'*.example.com'", []),
        ("{regex: '^[aw]+[.]example[.]com$'}", ["b.example.com"]),
        ("'*'", []),
        ("example.com", ["www.example.com", "a.example.com", "b.example.com"]),
    ],
)
def test_names_without_a_route(tmp_path: Path, host: str, said: list[str]) -> None:
    text = good(tmp_path).replace('"*.example.com"', host).replace(", {path: /, respond: 404}", "")
    found = problems(text)
    assert [problem.message.split()[4].rstrip(":") for problem in found] == said
    assert {problem.code for problem in found} <= {"acme-route"}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("tcp:80\n", "tcp:8080\n", ["acme-port"]),
        ("tcp:80\n", "tcp6:80\n", []),
        ("tcp:80\n", "systemd:INET:0\n", []),  # who knows
        ("]]}", "]], challenge: tls-alpn-01}", []),
        ("tcp:443, tls: {acme: {", "tcp:8443, tls: {acme: {challenge: tls-alpn-01, ", ["acme-port"]),
        ("tcp:443, tls: {acme: {", "tcp:8443, tls: {acme: {", []),
    ],
)
def test_where_authorities_look(tmp_path: Path, before: str, after: str, said: list[str]) -> None:
    text = good(tmp_path)
    assert before in text
    assert codes(text.replace(before, after)) == said


def test_names_that_are_not_public(tmp_path: Path) -> None:
    text = good(tmp_path).replace("www.example.com", "localhost")
    assert codes(text) == ["acme-name"]
    assert codes(text.replace("names:", "directory: https://ca.test/dir, names:")) == []


def test_a_name_in_two_places_is_ordered_once_or_told(tmp_path: Path) -> None:
    two = good(tmp_path).replace("acme: {names", "acme: &a {names").replace(
        "routes:", "  - {endpoint: tcp:8443, tls: {acme: *a}}\nroutes:"
    )  # fmt: skip
    assert codes(two) == []
    for other in ("{names: a.example.com}", "{names: [[a.example.com, b.example.com]], key_type: rsa-2048}"):
        found = problems(two.replace("acme: *a", f"acme: {other}"))
        assert {problem.code for problem in found} == {"acme-twice"}
        assert "is ordered in line 4 as well" in found[0].message


def test_files(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    assert codes(good(tmp_path, f", ca: {authority.ca}")) == []
    [problem] = problems(good(tmp_path, ", ca: nothing.pem"))
    assert (problem.severity, problem.code) == ("error", "certificate")
    assert "/etc/nothing.pem" in problem.message


def test_the_storage(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir(0o700)
    assert codes(good(tmp_path)) == []
    folder.chmod(0o750)
    [problem] = problems(good(tmp_path))
    assert (problem.severity, problem.code, problem.hint) == ("warning", "key-readable", f"chmod 700 {folder}")
    file = tmp_path / "file"
    file.write_text("")
    [problem] = problems(good(tmp_path, f", storage: {file}"))
    assert (problem.severity, problem.message) == ("error", f"{file} is not a folder")
