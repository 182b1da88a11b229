"""`test`: route tests, each with what was expected and what came of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy import cli
from tests.cli.golden import check, said

FAILING = """\
upstreams: {api: {servers: http://127.0.0.1:9001}}
routes:
  - {name: api, path: /v1, upstream: api, gates: [{strip_prefix: /v1}]}
  - {name: old, path: /old, redirect: {to: /new, status: 308}}
  - {name: rest, respond: {status: 404, headers: {X-Rest: "yes"}}}
tests:
  - {request: GET http://x/v1/a, route: api, path: /a}
  - {request: GET http://x/v1/a, route: rest, path: /v1/a}
  - {request: GET http://x/old, status: 301, headers: {Location: /elsewhere}}
  - {request: GET http://x/v1, status: 200}
  - request: {line: POST http://x/, headers: {X-A: [b, c]}, client: 192.0.2.1}
    upstream: api
"""


def test_what_fails_and_what_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing.yaml").write_text(FAILING)
    monkeypatch.chdir(tmp_path)
    code = cli.main(["test", "failing.yaml"])
    check("test.txt", f"{capsys.readouterr().out}exit code {code}\n")


def test_the_shop_is_as_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(["test", "shop.yaml"], capsys)
    assert text.endswith("shop.yaml: 5 tests, none failed\nexit code 0\n")
    assert text.count("ok   ") == 5


def test_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.yaml").write_text(FAILING)
    assert cli.main(["test", str(tmp_path / "x.yaml"), "--json"]) == 1
    tests = json.loads(capsys.readouterr().out)
    assert [test["passed"] for test in tests] == [True, False, False, False, False]
    assert tests[1]["failures"][0]["expected"] == "rest"
    assert tests[1]["failures"][0]["position"].endswith("x.yaml:8:41")


def test_one_test_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.yaml").write_text("routes: [{respond: 204}]\ntests: [{request: GET http://x/, status: 204}]\n")
    assert cli.main(["test", str(tmp_path / "x.yaml")]) == 0
    assert capsys.readouterr().out.endswith("1 test, none failed\n")
