"""`check` and `schema`: is this configuration right, and what may stand in one?"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

from proxy.cli.terminal import ink, say


def check(arguments: argparse.Namespace) -> int:
    """Say everything that is wrong with a configuration file, its route tests included."""
    from proxy.config.memory import collector_paused
    from proxy.config.report import render, summary
    from proxy.explain.accept import examine

    with collector_paused():  # until all that was examined is gone, and only the problems are left
        problems = examine(arguments.file, os.environ, ahead=True).problems
    if arguments.strict:
        problems = tuple(replace(problem, severity="error") for problem in problems)
    failed = any(problem.severity == "error" for problem in problems)
    text = render(problems, arguments.format, color=arguments.format == "text" and ink().on)
    if text:
        say(text)
    if arguments.format == "text":
        say(f"{arguments.file}: {summary(problems)}")
    return 1 if failed else 0


def schema(arguments: argparse.Namespace) -> int:
    """Print the JSON Schema of configuration files."""
    from proxy.config import schema

    say(schema.text())
    return 0
