"""The command line itself: which commands there are, what each takes, and what their exit codes mean.

A command is a function that takes the parsed arguments and returns the exit code: 0 for yes, 1 for no. Used wrongly,
the program exits with 2, as argparse does. Each is imported when it is asked for, so that `version` stays quick.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from proxy.cli.terminal import Stop, complain

_PING_URL = "http://127.0.0.1:8080/"
_TOKEN_VARIABLE = "REVERSEPROXY_ADMIN_TOKEN"

_Commands = argparse._SubParsersAction


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` name (by default those of the process) and return its exit code."""
    parsed = _parser().parse_args(arguments)
    module, _, name = parsed.command.partition(":")
    try:
        code: int = getattr(import_module(module), name)(parsed)
        sys.stdout.flush()
    except Stop as stop:
        complain(stop.text)
        return stop.code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # `reverseproxy schema | head`: nobody reads the rest. Without this, Python complains once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    said = "Ask a configuration, or a running proxy. The proxy itself is started by twistd reverseproxy."
    parser = argparse.ArgumentParser(prog="reverseproxy", description=said)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _about_files(commands)
    _about_the_running(commands)
    _add(commands, "schema", "proxy.cli.check:schema", "print the JSON Schema of configuration files")
    _add(commands, "version", "proxy.cli.ping:version", "print the version of this program and of Twisted")
    return parser


def _about_files(commands: _Commands[argparse.ArgumentParser]) -> None:
    check = _add(commands, "check", "proxy.cli.check:check", "say everything that is wrong with a configuration file")
    _file(check)
    check.add_argument("--strict", action="store_true", help="take warnings for errors")
    check.add_argument("--format", choices=("text", "json", "github", "sarif"), default="text", help="default: text")

    test = _add(commands, "test", "proxy.cli.test:test", "run the route tests of a configuration file")
    _file(test)
    _json(test)

    explain = _add(
        commands, "explain", "proxy.cli.explain:explain", "say what would happen to a request, step by step, and why",
        epilog="reverseproxy explain site.yaml GET https://example.com/ -H 'X-Tenant: blue'",
    )  # fmt: skip
    explain.add_argument(
        "words", nargs="+", metavar="FILE METHOD URL", help="with --live, FILE may be left out"
    )
    explain.add_argument("-H", "--header", action="append", default=[], metavar="'NAME: VALUE'", help="may be repeated")
    explain.add_argument(
        "--from", dest="client", type=_address, default="127.0.0.1", metavar="IP", help="default: 127.0.0.1"
    )
    explain.add_argument(
        "--client-cert", metavar="PEM", help="what the client shows where it is asked, or none; default: what is wanted"
    )
    explain.add_argument("--listener", default="", metavar="ENDPOINT", help="default: by scheme and port of the URL")
    explain.add_argument("--all", action="store_true", help="list every route that was rejected, however many")
    explain.add_argument("--live", action="store_true", help="ask the running proxy, with the health of this moment")
    _json(explain)
    _admin(explain)

    show = _add(
        commands, "show", "proxy.cli.show:show", "print the configuration in force, with every default and its origin"
    )
    _file(show)
    _json(show)
    show.add_argument("--written", action="store_true", help="leave defaults out")
    show.add_argument("--origins", action="store_true", help="with --json: where each value comes from as well")

    plan = _add(
        commands, "plan", "proxy.cli.plan:plan", "say what a new configuration would change",
        epilog="With one file: what it would change in the running proxy, live connections included.",
    )  # fmt: skip
    plan.add_argument("files", nargs="+", metavar="[OLD] NEW", help="configuration files")
    _json(plan)
    _admin(plan)

    graph = _add(commands, "graph", "proxy.cli.graph:graph", "draw listeners, routes, gates, pools and servers")
    _file(graph)
    graph.add_argument("--format", choices=("text", "mermaid", "svg"), default="text", help="default: text")


def _about_the_running(commands: _Commands[argparse.ArgumentParser]) -> None:
    status = _add(commands, "status", "proxy.cli.live:status", "say how the running proxy is")
    _optional_file(status)
    _json(status)
    _admin(status)

    reload = _add(commands, "reload", "proxy.cli.live:reload", "make the running proxy read its configuration anew")
    _optional_file(reload)
    _json(reload)
    _admin(reload)

    drain = _add(
        commands, "drain", "proxy.cli.drain:drain", "take a server out of its upstream, or let the whole proxy end",
        epilog="With neither UPSTREAM nor SERVER the proxy accepts nothing new, lets every exchange end, and stops.",
    )  # fmt: skip
    drain.add_argument("upstream", metavar="UPSTREAM", nargs="?", help="its servers get no new requests")
    drain.add_argument("server", metavar="SERVER", nargs="?", help="only this one, by its name or its address")
    drain.add_argument("--wait", type=float, metavar="SECONDS", help="for the end of what is under way there")
    undrain = _add(commands, "undrain", "proxy.cli.drain:undrain", "put a server back into its upstream")
    undrain.add_argument("upstream", metavar="UPSTREAM", help="its servers get requests again")
    undrain.add_argument("server", metavar="SERVER", nargs="?", help="only this one, by its name or its address")
    for parser in (drain, undrain):
        parser.add_argument("--config", metavar="FILE", help="the configuration, to find the control site from")
        _json(parser)
        _admin(parser)
    acme = _add(commands, "acme", "", "replace certificates that are ordered by ACME")
    about_acme = acme.add_subparsers(title="commands", metavar="COMMAND", required=True)
    renew = _add(
        about_acme, "renew", "proxy.cli.acme:renew", "order a new certificate now, and use it as soon as it is there"
    )
    renew.add_argument("name", metavar="NAME", help="a host name that the certificate is for")
    _optional_file(renew)
    renew.add_argument(
        "--revoke", nargs="?", const="superseded", choices=("superseded", "key-compromise"), metavar="REASON",
        help="then revoke the old one: superseded (default) or key-compromise",
    )  # fmt: skip
    _json(renew)
    _admin(renew)

    ping = _add(commands, "ping", "proxy.cli.ping:ping", "ask a running proxy for a page: below 500, it serves")
    ping.add_argument("--url", default=_PING_URL, help=f"default: {_PING_URL}")
    ping.add_argument("--timeout", type=float, default=3.0, metavar="SECONDS", help="default: 3")


def _add(
    commands: _Commands[argparse.ArgumentParser], name: str, command: str, said: str, epilog: str | None = None
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=said, description=f"{said[0].upper()}{said[1:]}.", epilog=epilog)
    parser.set_defaults(command=command)
    return parser


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the configuration file")


def _optional_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", nargs="?", help="the configuration, to find the control site from")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _admin(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--admin", metavar="WHERE",
        help=f"the control site: unix:/path, tcp:host:port or a URL; a token is taken from {_TOKEN_VARIABLE}",
    )  # fmt: skip
