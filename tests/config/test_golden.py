"""
What `reverseproxy check` says about faulty files: each `golden/NAME.yaml` has its expected output beside it.

After a change of the wording, read the difference that this shows: UPDATE_GOLDEN=1 pytest tests/config/test_golden.py
"""

import os
import re
from pathlib import Path

import pytest

from proxy import cli
from tests.support.proxy import ROOT

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(path.name for path in GOLDEN.glob("*.yaml"))
ENVIRONMENT = {"PORT": "8080"}


def said_about(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    code = cli.main(["check", name])
    output = capsys.readouterr()
    assert not output.err
    return f"{output.out}exit code {code}\n"


@pytest.mark.parametrize("name", FILES)
def test_the_words_for(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)
    Path("secrets/key").chmod(0o644)  # not every checkout leaves files to be read by everybody
    Path("tls/site.key").chmod(0o600)  # nor keys by nobody else
    monkeypatch.setattr(os, "environ", ENVIRONMENT)
    expected = Path(name).with_suffix(".expected")
    said = said_about(name, capsys)
    monkeypatch.undo()
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / expected).write_text(said)
    assert said == (GOLDEN / expected).read_text()


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= 60


def test_every_warning_has_a_file() -> None:
    said = "".join(path.read_text() for path in GOLDEN.glob("*.expected"))
    rules = [path for room in ("config", "routing") for path in (ROOT / "proxy" / room).glob("lint*.py")]
    codes = {code for path in rules for code in re.findall(r'"([a-z]+(?:-[a-z]+)+)"', path.read_text())}
    assert len(codes) >= 18
    assert {code for code in codes if f"[{code}]" not in said} == set()


def test_every_faulty_file_is_refused_and_every_doubtful_one_is_not() -> None:
    for name in FILES:
        code = (GOLDEN / name).with_suffix(".expected").read_text().splitlines()[-1]
        assert code == ("exit code 0" if name.startswith("lint_") else "exit code 1"), name
