"""`check` and `schema`. The words of each problem are in tests/config/golden."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy import cli

GOOD = "routes:\n  - {respond: 204}\n"
DOUBTFUL = "routes:\n  - {host: a.example, respond: 204}\n"
BAD = "routes:\n  - {pth: /a, respond: 204}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "x.yaml"


@pytest.mark.parametrize(
    ("text", "strict", "code"),
    [(GOOD, False, 0), (GOOD, True, 0), (DOUBTFUL, False, 0), (DOUBTFUL, True, 1), (BAD, False, 1)],
)
def test_the_exit_code_of_check(file: Path, text: str, strict: bool, code: int) -> None:
    file.write_text(text)
    assert cli.main(["check", str(file), *(["--strict"] if strict else [])]) == code


def test_check_for_people(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(BAD)
    cli.main(["check", str(file)])
    output = capsys.readouterr().out
    assert f"{file}:2:6: error: unknown key `pth`" in output
    assert output.endswith(f"{file}: 1 error\n")
    assert "\x1b" not in output


def test_check_for_programs(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(BAD)
    assert cli.main(["check", "--format", "json", str(file)]) == 1
    assert [problem["code"] for problem in json.loads(capsys.readouterr().out)] == ["unknown-key"]
    cli.main(["check", "--format", "github", str(file)])
    assert capsys.readouterr().out.startswith("::error file=")
    assert cli.main(["check", "--format", "sarif", str(file)]) == 1
    [result] = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert result["ruleId"] == "unknown-key"


def test_strict_makes_errors_of_warnings_in_every_format(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(DOUBTFUL)
    said = {}
    for form in ("text", "json", "github", "sarif"):
        assert cli.main(["check", "--strict", "--format", form, str(file)]) == 1
        said[form] = capsys.readouterr().out
    assert ": error: " in said["text"] and said["text"].endswith(f"{file}: 1 error\n")
    assert [problem["severity"] for problem in json.loads(said["json"])] == ["error"]
    assert said["github"].startswith("::error file=")
    [result] = json.loads(said["sarif"])["runs"][0]["results"]
    assert result["level"] == "error"


def test_check_finds_what_a_start_would_refuse(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("access_log: /no/such/dir/log\nroutes:\n  - {app: 'resource:no_such_module:x'}\n")
    assert cli.main(["check", str(file)]) == 1
    said = capsys.readouterr().out
    assert "the access log /no/such/dir/log cannot be opened" in said and "No module named 'no_such_module'" in said


def test_check_reads_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("routes:\n  - respond: ${A_STATUS}\n")
    assert cli.main(["check", str(file)]) == 1
    monkeypatch.setenv("A_STATUS", "204")
    assert cli.main(["check", str(file)]) == 0


def test_warnings_of_routes_stand_among_the_others(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("routes:\n  - {respond: 204}\n  - {name: b, respond: 200}\n  - {path: {regex: a}, respond: 204}\n")
    cli.main(["check", str(file)])
    lines = [line for line in capsys.readouterr().out.splitlines() if "warning:" in line]
    assert [line.rsplit("[")[-1] for line in lines] == ["unreachable-route]", "regex-unanchored]"]


def test_route_tests_that_fail_are_errors(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("routes:\n  - {name: a, redirect: /x}\ntests:\n  - {request: GET http://h/, status: 308}\n")
    assert cli.main(["check", str(file)]) == 1
    assert f"{file}:4:38: error: expected the status 308, got 307" in capsys.readouterr().out
    file.write_text(file.read_text().replace("308}", "307, headers: {Location: /x}}"))
    assert cli.main(["check", str(file)]) == 0


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "reverseproxy configuration"
