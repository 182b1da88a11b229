"""The examples of docs/commands.md are what the commands say."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from proxy import cli
from proxy.cli.command import _parser
from tests.support.proxy import ROOT

PAGE = (ROOT / "docs" / "commands.md").read_text("utf-8")
EXAMPLES = re.findall(r"```console\n\$ reverseproxy (.*)\n((?:.*\n)*?)```", PAGE)
SITE = re.findall(r"```yaml\n((?:.*\n)*?)```", PAGE)[0]


@pytest.fixture(autouse=True)
def beside_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = "status: 301"
    monkeypatch.chdir(tmp_path)
    Path("site.yaml").write_text(SITE)
    Path("new.yaml").write_text(SITE.replace("20s", "30s").replace("10.0.0.2", "10.0.0.3"))
    assert failing in SITE


def pattern(expected: str) -> re.Pattern[str]:
    """What an output must look like: a line `…` stands for any lines, the ending of our name in Via for any."""
    lines = [r"(?:.*\n)*?" if line == "…" else re.escape(line) + r"\n" for line in expected.splitlines()]
    return re.compile(re.sub(r"reverseproxy\\-[0-9a-f]{8}", r"reverseproxy-[0-9a-f]{8}", "".join(lines)) + r"\Z")


@pytest.mark.parametrize(("command", "expected"), EXAMPLES, ids=[command.split()[0] for command, _ in EXAMPLES])
def test_an_example(command: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(shlex.split(command))
    said = capsys.readouterr()
    assert pattern(expected).match(said.out + said.err), said.out


def test_every_command_is_on_the_page() -> None:
    [commands] = [action for action in _parser()._actions if action.metavar == "COMMAND"]
    assert commands.choices is not None
    for name in commands.choices:
        assert re.search(rf"^#+ .*\b{name}\b", PAGE, re.MULTILINE), name


def test_the_examples_are_many() -> None:
    assert len(EXAMPLES) >= 7
