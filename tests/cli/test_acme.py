"""`acme renew`, against a site that remembers what it was asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy import cli
from proxy.cli.control import Control, Refusal

VALID = {"names": ["a.test"], "state": "valid", "expires": "2027-01-01T00:00:00Z",
         "next_attempt": "2026-12-01T00:00:00Z", "failures": 0, "error": ""}  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    asked: list[tuple[str, Any]] = []

    def post(self: Control, path: str, value: Any) -> Any:
        asked.append((path, value))
        if value["name"] != "a.test":
            raise Refusal(f"{self._where}: no certificate for {value['name']} is ordered by ACME here", {})
        return {"acme": [VALID]}

    monkeypatch.setattr(Control, "post", post)
    return asked


def test_a_renewal(asked: list[tuple[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["acme", "renew", "a.test", "--admin", "unix:/x"]) == 0
    assert capsys.readouterr().out == (
        "  valid  a.test  until 2027-01-01T00:00:00Z, next attempt 2026-12-01T00:00:00Z\n"
    )
    assert cli.main(["acme", "renew", "a.test", "--admin", "unix:/x", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"acme": [VALID]}
    assert asked == [("/acme/renew", {"name": "a.test", "revoke": ""})] * 2


@pytest.mark.parametrize(
    ("words", "reason"), [(["--revoke"], "superseded"), (["--revoke", "key-compromise"], "key-compromise")]
)
def test_with_a_revocation(asked: list[tuple[str, Any]], words: list[str], reason: str) -> None:
    assert cli.main(["acme", "renew", "a.test", "--admin", "unix:/x", *words]) == 0
    assert asked == [("/acme/renew", {"name": "a.test", "revoke": reason})]


def test_a_refusal_is_said(asked: list[tuple[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["acme", "renew", "b.test", "--admin", "unix:/x"]) == 1
    assert "no certificate for b.test is ordered by ACME here" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["acme"])
