"""The `reverseproxy` command: everything people ask of a configuration or of a running proxy, one function each.

A function of a subcommand takes the parsed arguments and returns the exit code: 0 for yes, 1 for no. Used wrongly, the
command exits with 2, as argparse does.
"""

from __future__ import annotations

import argparse
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from importlib.metadata import version as installed_version
from typing import TextIO

from proxy.config import load, schema
from proxy.config.report import render, summary
from proxy.config.routes import Redirect
from proxy.policy.redirect import location, redirect
from proxy.routing import build, lint, rehearse

Command = Callable[[argparse.Namespace], int]

_PING_URL = "http://127.0.0.1:8080/"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the subcommand that `arguments` name (by default those of the process) and return its exit code."""
    parsed = _parser().parse_args(arguments)
    command: Command = parsed.command
    try:
        code = command(parsed)
        sys.stdout.flush()
    except BrokenPipeError:
        # `reverseproxy schema | head`: nobody reads the rest. Without this, Python complains once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def check(arguments: argparse.Namespace) -> int:
    """Say everything that is wrong with a configuration file."""
    loaded = load(arguments.file, os.environ)
    problems = list(loaded.problems)
    if loaded.config is not None:
        router = build(loaded.config.routes, loaded.position)
        problems += lint(loaded, router) + rehearse(loaded, router, _location)
        problems.sort(key=lambda one: (loaded.files.index(one.file), one.line, one.column))
    failed = any(arguments.strict or problem.severity == "error" for problem in problems)
    text = render(problems, arguments.format, color=_colored(arguments.format))
    if text:
        _say(text)
    if arguments.format == "text":
        _say(f"{arguments.file}: {summary(problems)}")
    return 1 if failed else 0


def _location(wish: Redirect, target: bytes) -> bytes:
    return location(redirect(wish.to, wish.status, keep_path=wish.keep_path, keep_query=wish.keep_query), target)


def print_schema(arguments: argparse.Namespace) -> int:
    """Print the JSON Schema of configuration files."""
    _say(schema.text())
    return 0


def print_version(arguments: argparse.Namespace) -> int:
    """Print the version of this program and of Twisted."""
    _say(f"reverseproxy {installed_version('twisted-reverseproxy')} (Twisted {installed_version('twisted')})")
    return 0


def ping(arguments: argparse.Namespace) -> int:
    """Ask a running proxy for a page: any answer below 500 shows that it serves."""
    # No proxy from the environment and no redirects: the question is whether this one process answers.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
    try:
        request = urllib.request.Request(arguments.url, headers={"User-Agent": "reverseproxy-ping"})
        with opener.open(request, timeout=arguments.timeout) as response:
            status = response.status
    except urllib.error.HTTPError as error:
        error.close()
        status = error.code
    except (OSError, ValueError) as error:
        _say(f"{arguments.url}: {getattr(error, 'reason', error)}", sys.stderr)
        return 1
    _say(f"{arguments.url}: {status}")
    return 0 if status < 500 else 1


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Never: a redirect is an answer."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="reverseproxy", description="A reverse proxy on Twisted: its other commands.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    checking = _add(commands, "check", check)
    checking.add_argument("file", metavar="FILE", help="the configuration file")
    checking.add_argument("--strict", action="store_true", help="take warnings for errors")
    checking.add_argument("--format", choices=("text", "json", "github"), default="text", help="default: text")

    _add(commands, "schema", print_schema)
    _add(commands, "version", print_version)

    pinging = _add(commands, "ping", ping)
    pinging.add_argument("--url", default=_PING_URL, help=f"default: {_PING_URL}")
    pinging.add_argument("--timeout", type=float, default=3.0, metavar="SECONDS", help="default: 3")
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, command: Command
) -> argparse.ArgumentParser:
    described = (command.__doc__ or "").strip()
    parser = commands.add_parser(name, help=described, description=described)
    parser.set_defaults(command=command)
    return parser


def _colored(form: str) -> bool:
    return form == "text" and sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _say(text: str, stream: TextIO | None = None) -> None:
    (stream or sys.stdout).write(text + "\n")
