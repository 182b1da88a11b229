"""`plan`: what a new configuration would change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy import cli
from tests.cli.golden import GOLDEN, check, said


@pytest.fixture
def changed(tmp_path: Path) -> str:
    """The shop, with something of every kind changed."""
    text = (GOLDEN / "shop.yaml").read_text()
    for old, new in (
        ("  - tcp:80\n", "  - tcp:81\n"),
        ("response_head: 20s", "response_head: 25s"),
        ("http://10.1.0.2:8000", "http://10.1.0.3:8000"),
        ("{upstream: web, weight: 9}", "{upstream: web, weight: 19}"),
        ("  - {name: nothing,", "  - {name: status, path: /status, respond: 204}\n  - {name: nothing,"),
        ("${API_KEY}", "another-${API_KEY}"),
    ):
        assert old in text
        text = text.replace(old, new)
    start, end = text.index("  - {name: carts,"), text.index("  - name: search\n")
    text = text[:start] + text[end:]
    start, end = text.index("  carts: {servers"), text.index("  search: {servers")
    text = text[:start] + text[end:]
    path = tmp_path / "new.yaml"
    path.write_text(text)
    return str(path)


def test_everything_that_would_change(changed: str, capsys: pytest.CaptureFixture[str]) -> None:
    check("plan.txt", said(["plan", "shop.yaml", changed], capsys).replace(str(Path(changed).parent), "/elsewhere"))


def test_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(["plan", "shop.yaml", "shop.yaml"], capsys) == "no changes\nexit code 0\n"


def test_for_programs(changed: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(["plan", "shop.yaml", changed, "--json"], capsys)
    changes = json.loads(text.removesuffix("exit code 0\n"))["changes"]
    assert {"verb": "removed", "kind": "upstream", "name": "carts", "differences": [], "touches": ""} in changes


def test_a_faulty_file_is_no_plan(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(["plan", "shop.yaml", "../../config/golden/unknown_key.yaml"], capsys)
    assert "unknown key `lisen`" in text and text.endswith("exit code 1\n")


def test_three_files_are_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "a", "b", "c"]) == 2


REFUSED = """\
listen: {endpoint: "tcp:443", tls: {certificates: [{cert: none.crt, key: none.key}]}}
routes: [{name: a, respond: 204}]
tests: [{request: GET https://x/, status: 200}]
"""


def test_what_a_reload_would_refuse_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.yaml").write_text("routes: [{name: a, respond: 200}]\n")
    (tmp_path / "new.yaml").write_text(REFUSED)
    files = [str(tmp_path / "old.yaml"), str(tmp_path / "new.yaml")]
    assert cli.main(["plan", *files]) == 1
    said = capsys.readouterr()
    assert "~ route a\n    respond.status: 200 -> 204" in said.out
    assert "none.crt" in said.err and "expected the status 200, got 204" in said.err
    assert said.err.endswith("new.yaml: 2 errors: a reload would refuse this\n")
    assert cli.main(["plan", *files, "--json"]) == 1
    value = json.loads(capsys.readouterr().out)
    assert [problem["code"] for problem in value["problems"]] == ["certificate", "test-failed"]
    assert cli.main(["plan", files[0], files[0], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"changes": [], "problems": []}
