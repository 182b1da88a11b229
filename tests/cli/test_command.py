"""The command line: what it takes, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from proxy import cli
from proxy.cli.command import _parser
from tests.support.proxy import ROOT, console_script

COMMANDS = ("check", "test", "explain", "show", "plan", "graph", "status", "reload", "ping", "schema", "version")


def test_every_command_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n    {name} " in said
        with pytest.raises(SystemExit):
            cli.main([name, "--help"])
        assert name in capsys.readouterr().out


def test_every_command_is_there() -> None:
    needs_a_file = ("check", "test", "explain", "show", "plan", "graph")
    for name in COMMANDS:
        parsed = _parser().parse_args([name, *(["x"] if name in needs_a_file else [])])
        module, _, function = parsed.command.partition(":")
        __import__(module)
        assert callable(getattr(sys.modules[module], function))


@pytest.mark.parametrize("arguments", [[], ["chek"], ["check"], ["check", "x", "--format", "xml"], ["graph"]])
def test_wrong_use_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2


def test_whoever_stops_reading_is_not_told_about_it(tmp_path: Path) -> None:
    # More than a pipe holds, and nobody who reads it.
    command = f"{console_script('reverseproxy')} schema | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("{", "")


def test_being_interrupted_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("proxy.cli.ping.version", interrupted)
    assert cli.main(["version"]) == 130


def test_version_imports_neither_twisted_nor_the_model() -> None:
    heavy = "sys.exit(bool({'twisted', 'pydantic'} & set(sys.modules)))"
    check = f"import sys, proxy.cli; proxy.cli.main(['version']); {heavy}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout.split()[0]) == (0, "reverseproxy"), done.stderr
