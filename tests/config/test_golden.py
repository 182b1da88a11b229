"""
What `reverseproxy check` says about faulty files: each `golden/NAME.yaml` has its expected output beside it.

After a change of the wording, read the difference that this shows: UPDATE_GOLDEN=1 pytest tests/config/test_golden.py
"""

import ast
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from proxy import cli
from proxy.explain.accept import examine
from tests.support.proxy import ROOT

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(path.name for path in GOLDEN.glob("*.yaml"))
ENVIRONMENT = {"PORT": "8080"}
# When the certificates in `golden/tls` are as their names say.
NOW = datetime(2026, 6, 15, tzinfo=UTC).timestamp()
# What says that something is wrong, and which of its arguments is the code.
SAYING = {
    "wrong": 0, "add": 0, "add_at": 0, "say": 0, "Fault": 0, "_Words": 0, "Problem": 1, "problem_at": 1, "_say": 1,
    "_warn": 1, "_warning": 2,
}  # fmt: skip
# Where that is said.
SAYERS = ("config/*.py", "routing/lint.py", "routing/rehearse.py", "tls/check.py", "acme/check.py", "accept.py")
# Only where a library is not installed; and what pydantic says that nobody thought of.
NEVER_HERE = {"missing-extra", "invalid"}


@pytest.fixture
def golden(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """In the directory of the files, with the environment, the time and the rights that they are written for."""
    with monkeypatch.context() as patch:
        patch.chdir(GOLDEN)
        patch.setattr(os, "environ", ENVIRONMENT)
        patch.setattr("proxy.explain.accept.time", SimpleNamespace(time=lambda: NOW))
        modes = {"secrets/key": 0o644, "tls/open.key": 0o644, "tls/private.key": 0o600, "tls/site.key": 0o600}
        for name, mode in modes.items():
            Path(name).chmod(mode)  # not every checkout leaves files to be read by everybody, and none keeps them shut
        yield patch


def said_about(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    code = cli.main(["check", name])
    output = capsys.readouterr()
    assert not output.err
    return f"{output.out}exit code {code}\n"


@pytest.mark.parametrize("name", FILES)
def test_the_words_for(name: str, capsys: pytest.CaptureFixture[str], golden: pytest.MonkeyPatch) -> None:
    expected = Path(name).with_suffix(".expected")
    said = said_about(name, capsys)
    golden.undo()
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / expected).write_text(said)
    assert said == (GOLDEN / expected).read_text()


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= 60


def codes_in(path: Path) -> Iterator[str]:
    """The codes that the module at `path` may say, as far as they are written out."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = node.func
            name = (
                called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
            )
            place = SAYING.get(name, len(node.args))
            code = node.args[place] if place < len(node.args) else None
            if isinstance(code, ast.Constant) and isinstance(code.value, str) and " " not in code.value:
                yield code.value


@pytest.mark.usefixtures("golden")
def test_every_code_has_a_file() -> None:
    said = {problem.code for name in FILES for problem in examine(name, ENVIRONMENT).problems}
    codes = {code for some in SAYERS for path in (ROOT / "proxy").glob(some) for code in codes_in(path)}
    assert len(codes) > 90
    assert codes - said == NEVER_HERE


def test_every_faulty_file_is_refused_and_every_doubtful_one_is_not() -> None:
    for name in FILES:
        code = (GOLDEN / name).with_suffix(".expected").read_text().splitlines()[-1]
        assert code == ("exit code 0" if name.startswith("lint_") else "exit code 1"), name
