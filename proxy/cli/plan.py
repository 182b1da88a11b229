"""`plan`: what a new configuration would change, beside an old one or beside the running proxy."""

from __future__ import annotations

import argparse
from typing import Any

from proxy.cli.reading import read
from proxy.cli.terminal import Stop, ink, say, say_json


def plan(arguments: argparse.Namespace) -> int:
    """Say what a new configuration would change; nothing is done."""
    from proxy.admin.effective import effective
    from proxy.admin.plan import plan as compare

    if len(arguments.files) > 2:
        raise Stop("reverseproxy plan: one file, to compare with the running proxy, or two", 2)
    loaded = read(arguments.files[-1])
    new = effective(loaded.require(), loaded.secrets)
    if len(arguments.files) == 1:
        from proxy.cli.control import Control

        site = Control.find(arguments.admin, loaded.require())
        print_changes(site.post("/plan", new), as_json=arguments.json)
        return 0
    before = read(arguments.files[0])
    changes = compare(effective(before.require(), before.secrets), new)
    print_changes({"changes": [change.as_json() for change in changes]}, as_json=arguments.json)
    return 0


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
