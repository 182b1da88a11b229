"""What a reload is made of, apart from the order of its steps: see `proxy.service`."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from proxy.admin.effective import effective
from proxy.admin.plan import Change, plan, render
from proxy.assemble import AssemblyError
from proxy.config import ConfigError, Loaded

#: Changes that the log lists one by one.
LOGGED_CHANGES = 50
#: While a thread builds, how long it may keep the others waiting when they have something to do.
SWITCH_SECONDS = 0.0005


def demo_count(loaded: Loaded) -> int:
    """How many demo servers a configuration asks for."""
    demo = loaded.require().demo
    return demo.servers if demo is not None else 0


def changes_between(old: Loaded, new: Loaded) -> list[Change]:
    """What `new` changes."""
    return plan(effective(old.require(), old.secrets), effective(new.require(), new.secrets))


def shortened(changes: list[Change]) -> str:
    """The first changes in words; the log need not hold 10,000."""
    more = len(changes) - LOGGED_CHANGES
    return render(changes[:LOGGED_CHANGES]) + (f"\n... and {more} more" if more > 0 else "")


@contextmanager
def located(loaded: Loaded) -> Iterator[None]:
    """Turn what cannot be assembled into a problem of the configuration, with file, line and column."""
    try:
        yield
    except AssemblyError as error:
        raise ConfigError((loaded.problem_at(error.place, "missing", str(error), error=True),)) from error


@contextmanager
def unobtrusive() -> Iterator[None]:
    """What is built in here by a thread disturbs the others as little as can be.

    What it builds lives on, so that looking for garbage in it would only hold up everybody; what it lets go has no
    cycles worth mentioning (see `proxy.leaving.release`).
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        sys.setswitchinterval(interval)
