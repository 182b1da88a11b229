"""Outputs of commands that are kept in files: read the difference that `UPDATE_GOLDEN=1 pytest tests/cli` makes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from proxy import cli

GOLDEN = Path(__file__).parent / "golden"
ENVIRONMENT = {"SEAT_KEY": "a-key-of-the-seats-of-the-shop", "API_KEY": "hunter2-hunter2-hunter2"}


# A new default is no news for every file here.
_DEFAULTS = re.compile(r"^.* (# )?default\n", re.MULTILINE)


def said(arguments: list[str], capsys: pytest.CaptureFixture[str], *, defaults: bool = False) -> str:
    """What the command says, run beside the golden files, with its exit code behind it.

    @param defaults: keep the lines of values that nobody wrote.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(GOLDEN)
        patch.setattr(os, "environ", ENVIRONMENT)
        code = cli.main(arguments)
    output = capsys.readouterr()
    assert not any(secret in output.out + output.err for secret in ENVIRONMENT.values())
    # Our name in Via ends differently in every process.
    text = re.sub(r"reverseproxy-[0-9a-f]{8}", "reverseproxy-xxxxxxxx", output.out + output.err)
    return f"{text if defaults else _DEFAULTS.sub('', text)}exit code {code}\n"


def check(name: str, text: str) -> None:
    """Compare `text` with the file `name`."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()
