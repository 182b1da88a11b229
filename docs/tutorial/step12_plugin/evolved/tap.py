"""What `twistd evolved` needs to know: its options, and how they become a service."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

from twisted.application.service import MultiService
from twisted.python import usage

from evolved.alarm import Reactor
from evolved.config import ConfigError, read_config
from evolved.service import make_service


class Options(usage.Options):
    optParameters = [["config", "c", "routes.yaml", "The file that says what to listen on and where to forward."]]


def makeService(options: Options) -> MultiService:
    """Called by twistd before it detaches, so a bad file is a line on the terminal and nothing starts."""
    from twisted.internet import reactor  # here, and nowhere else: twistd has chosen it by now

    path = options["config"]
    try:
        return make_service(cast(Reactor, reactor), read_config(Path(path).read_text(), path))
    except (OSError, ConfigError) as error:
        sys.exit(str(error))
