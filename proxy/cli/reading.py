"""Reading configuration files, for every command: usable, or the command ends with what is wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from proxy.cli.terminal import Stop, ink
from proxy.config import Loaded, load
from proxy.config.report import render, summary

if TYPE_CHECKING:
    from proxy.assemble import House


def read(file: str, environ: Mapping[str, str] | None = None) -> Loaded:
    """The configuration in `file`, without errors.

    @raise Stop: it has some; all of them are told.
    """
    return faultless(load(file, os.environ if environ is None else environ), file)


def faultless(loaded: Loaded, file: str) -> Loaded:
    """The same of what came out of `file` already."""
    if loaded.errors:
        text = render(loaded.errors, color=ink(sys.stderr).on)
        raise Stop(f"{text}\n{file}: {summary(loaded.errors)}")
    return loaded


def offline_house(loaded: Loaded) -> House:
    """The house of `loaded`, built beside a clock that stands still: it listens nowhere, connects nowhere and opens no
    log.

    @raise Stop: something that the configuration names is not there.
    """
    from twisted.internet.task import Clock

    from proxy.assemble import assemble
    from proxy.assemble.apps import AssemblyError
    from proxy.upstream.dial import Address

    config = loaded.require()
    demo = [Address("127.0.0.1", 0)] * (config.demo.servers if config.demo is not None else 0)
    quiet = config.model_copy(update={"listen": (), "access_log": None})
    try:
        house = assemble(replace(loaded, config=quiet), Clock(), demo)
    except AssemblyError as error:
        raise Stop(render([error.problem(loaded)], color=ink(sys.stderr).on)) from error
    return house._replace(loaded=loaded)
