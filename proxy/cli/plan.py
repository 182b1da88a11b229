"""`plan`: what a new configuration would change, beside an old one or beside the running proxy."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from proxy.cli.reading import faultless, read
from proxy.cli.terminal import Stop, complain, ink, say, say_json

if TYPE_CHECKING:
    from proxy.config import Problem


def plan(arguments: argparse.Namespace) -> int:
    """Say what a new configuration would change; nothing is done. 1 where a reload would refuse it."""
    from proxy.admin.effective import effective
    from proxy.admin.plan import plan as compare
    from proxy.config.report import as_json
    from proxy.explain.accept import examine

    if len(arguments.files) > 2:
        raise Stop("reverseproxy plan: one file, to compare with the running proxy, or two", 2)
    examined = examine(arguments.files[-1], os.environ, ahead=True)
    loaded = faultless(examined.loaded, arguments.files[-1])
    faults = [problem for problem in examined.problems if problem.severity == "error"]
    new = effective(loaded.require(), loaded.secrets)
    if len(arguments.files) == 1:
        from proxy.cli.control import Control

        said = Control.find(arguments.admin, loaded.require()).post("/plan", new)
    else:
        before = read(arguments.files[0])
        said = {"changes": [one.as_json() for one in compare(effective(before.require(), before.secrets), new)]}
    if arguments.json:
        say_json(said | {"problems": [as_json(problem) for problem in faults]})
    else:
        print_changes(said, as_json=False)
        _refuse(arguments.files[-1], faults)
    return 1 if faults else 0


def _refuse(file: str, faults: list[Problem]) -> None:
    """Say why a reload would not take the file, if it would not."""
    from proxy.config.report import render, summary

    if faults:
        complain(render(faults, color=ink(sys.stderr).on))
        complain(f"{file}: {summary(faults)}: a reload would refuse this")


def print_changes(said: dict[str, Any], *, as_json: bool) -> None:
    """Print a plan as the control site gives it."""
    from proxy.admin.plan import Change, Difference, render

    if as_json:
        say_json(said)
        return
    changes = [
        Change(
            one["verb"], one["kind"], one["name"],
            tuple(Difference(**difference) for difference in one["differences"]), one["touches"],
        )
        for one in said["changes"]
    ]  # fmt: skip
    say(render(changes, color=ink().on))
