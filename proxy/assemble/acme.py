"""The certificates that are ordered for listeners: from what a configuration says to who looks after them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from proxy.acme.office import Office, duties, plans, world
from proxy.alarm import Alarm
from proxy.config import Config
from proxy.config.model import Listener
from proxy.tls.keyring import HostPlan
from proxy.tls.listening import state_folder


def office_of(config: Config, reactor: Any, alarm: Alarm, standing: Office | None) -> Office | None:
    """Who looks after the certificates that are ordered; None where none are.

    @param standing: who does now: what has not changed goes on.
    """
    folder = acme_folder(config)
    wanted = [
        duty
        for listener in config.listen
        if listener.tls is not None and listener.tls.acme is not None
        for duty in duties(listener.tls.acme, folder)
    ]
    return Office(dict.fromkeys(wanted), alarm, world(reactor, alarm), standing) if wanted else None


def acme_folder(config: Config) -> Path:
    """Where what is ordered is kept, unless `storage` says otherwise."""
    return state_folder(config.state, os.environ) / "acme"


def ordered_plans(config: Config, listener: Listener) -> tuple[HostPlan, ...]:
    """The hosts of `listener` whose certificates are ordered."""
    acme = listener.tls.acme if listener.tls is not None else None
    return plans(acme, acme_folder(config), time.time()) if acme is not None else ()
