"""The `twistd reverseproxy` command: its options, and the service it makes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from twisted.application.service import IService
from twisted.python import usage

from proxy.config import ConfigError
from proxy.config.model import Listener
from proxy.config.report import render
from proxy.explain.accept import Examined, examine

#: What the wheel carries; a checkout has it where people look for it.
_PACKAGED = Path(__file__).with_name("default_routes.yaml")
_CHECKOUT = Path(__file__).parent.parent / "config" / "routes.yaml"


class ListenError(ValueError):
    """What the command line says about where to listen is no endpoint."""


class Options(usage.Options):
    """What may stand behind `twistd reverseproxy`."""

    synopsis = "[options]"
    longdesc = "A reverse proxy that you can read. Configuration: see config/tour.yaml and docs/configuration.md."
    optParameters = [["config", "c", None, "The configuration, a YAML file; without it, a demo."]]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []

    def opt_listen(self, endpoint: str) -> None:
        """Listen here, whatever the configuration says: a Twisted endpoint such as tcp:8080. May be repeated."""
        self["listen"].append(endpoint)

    opt_l = opt_listen


def makeService(options: Options) -> IService:
    """The service for these options. What is wrong with the configuration goes to the console, and ends the program."""
    reactor = take_reactor()
    path = config_path(options)

    def look() -> Examined:
        return listening_on(examine(path, os.environ), options["listen"])

    service: IService = starting(options)(first_look(look), reactor, look)
    return service


def starting(options: Options) -> Any:
    """The class of the service. It is made here, because what it imports is the reactor's world: before the reactor was
    chosen, importing it would have chosen."""
    from proxy.ports import StartError
    from proxy.service import ProxyService

    class Starting(ProxyService):
        """Says on the console why it cannot start, instead of leaving a traceback there."""

        def privilegedStartService(self) -> None:
            try:
                super().privilegedStartService()
            except StartError as error:
                fail(options, str(error), str(error))
            except ConfigError as error:
                fail(options, str(error), error.problems[-1].message)

    return Starting


def take_reactor() -> Any:
    """The reactor: uvloop's, unless another was asked for or uvloop is not there."""
    if "twisted.internet.reactor" not in sys.modules:
        try:
            from proxy.reactor import install

            install()
        except ImportError:
            pass  # the stock reactor serves as well, only slower; the line at the start names it
    from twisted.internet import reactor  # noqa: TID251 - here, and nowhere else, it becomes an argument

    return reactor


def default_config() -> str:
    """The configuration that runs without any: of the checkout, or what the package carries."""
    return str(_CHECKOUT if _CHECKOUT.exists() else _PACKAGED)


def config_path(options: Options) -> str:
    """The configuration; as an absolute path where `twistd` goes elsewhere before it is read again."""
    path: str = options["config"] or default_config()
    given = twistd_options(options)
    stays = given.get("nodaemon") and given.get("rundir", ".") == "."
    return path if stays else str(Path(path).absolute())


def first_look(look: Callable[[], Examined]) -> Examined:
    """Read the configuration, or say on the console what is wrong with it and exit with 1."""
    try:
        examined = look()
    except ListenError as error:
        sys.stderr.write(f"reverseproxy: --listen: {error}\n")
        raise SystemExit(1) from error
    text = render(examined.problems, color=sys.stderr.isatty())
    if text:
        sys.stderr.write(f"{text}\n")
    if not examined.usable:
        raise SystemExit(1)
    return examined


def listening_on(examined: Examined, endpoints: list[str]) -> Examined:
    """The same configuration, but listening on `endpoints`, if there are any.

    @raise ListenError: one of them is no endpoint.
    """
    config = examined.loaded.config
    if not endpoints or config is None:
        return examined
    try:
        listeners = tuple(Listener.model_validate({"endpoint": endpoint}) for endpoint in endpoints)
    except ValidationError as error:
        raise ListenError(error.errors()[0]["msg"]) from error
    loaded = replace(examined.loaded, config=config.model_copy(update={"listen": listeners}), told_where=True)
    return examined._replace(loaded=loaded)


def twistd_options(options: Options) -> Any:
    """What stood before `reverseproxy` on the command line."""
    return options.parent or {}


def fail(options: Options, words: str, briefly: str) -> None:
    """Stop the start: on the console with exit code 1. A daemon has left its console, so there `twistd` tells it, in
    no more than a hundred characters."""
    parent = twistd_options(options)
    if parent.get("nodaemon"):
        sys.stderr.write(f"reverseproxy: {words}\n")
        with suppress(OSError):
            Path(parent["pidfile"]).unlink()
        raise SystemExit(1)
    from proxy.ports import StartError

    raise StartError(briefly)
