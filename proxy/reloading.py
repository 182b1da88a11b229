"""What a reload is made of, apart from the order of its steps: see `proxy.service`."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from proxy.admin.effective import effective
from proxy.admin.plan import Change, plan, render
from proxy.assemble.apps import AssemblyError
from proxy.config import ConfigError, Loaded
from proxy.routing import named

#: Changes that the log lists one by one.
LOGGED_CHANGES = 50
#: While a thread builds, how long it may keep the loop waiting that has something to do: not at all. With Python's 5 ms
#: every event waits that long for the interpreter lock: of 64 clients, one in a hundred then waits 35 ms in place of 7.
SWITCH_SECONDS = 1e-6
#: From so many new objects on the collector is not to look at them: it would take 20 ms, in one go.
FROZEN_OBJECTS = 50_000


def demo_count(loaded: Loaded) -> int:
    """How many demo servers a configuration asks for."""
    demo = loaded.require().demo
    return demo.servers if demo is not None else 0


def changes_between(old: Loaded, new: Loaded) -> list[Change]:
    """What `new` changes. Routes that are equal are not looked into: that took more than all the rest of a reload."""
    standing, wanted = old.require(), new.require()
    known = dict(named(standing.routes))
    same = {name for name, route in named(wanted.routes) if known.get(name) == route}
    before, after = effective(standing, old.secrets, same), effective(wanted, new.secrets, same)
    changes = plan(before, after)
    for routes in (before["routes"], after["routes"]):
        while routes:  # one by one: the interpreter is not to be had while all of 10,000 are freed at once
            routes.pop()
    return changes


def shortened(changes: list[Change]) -> str:
    """The first changes in words; the log need not hold 10,000."""
    more = len(changes) - LOGGED_CHANGES
    return render(changes[:LOGGED_CHANGES]) + (f"\n... and {more} more" if more > 0 else "")


def brief(error: Exception) -> str:
    """Why a reload is refused, for everybody who may read: lines of files may hold secrets."""
    return "\n".join(map(str, error.problems)) if isinstance(error, ConfigError) else str(error)


@contextmanager
def located(loaded: Loaded) -> Iterator[None]:
    """Turn what cannot be assembled into a problem of the configuration, with file, line and column."""
    try:
        yield
    except AssemblyError as error:
        raise ConfigError((error.problem(loaded),)) from error


@contextmanager
def unobtrusive() -> Iterator[None]:
    """What is built in here by a thread disturbs the others as little as can be.

    The collector stands still until the end, and then need not look at what was built: see `spare_the_collector`.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.disable()
    try:
        yield
    finally:
        spare_the_collector()
        gc.enable()
        sys.setswitchinterval(interval)


def spare_the_collector() -> None:
    """What was built lives on, so that looking for garbage in it would only hold up everybody: where it is much, the
    collector never looks at it. Then it must have no cycles worth mentioning when it goes (see `proxy.leaving`).

    To be called before as much is let go: what comes and what goes is counted in one number.
    """
    if gc.get_count()[0] > FROZEN_OBJECTS:
        gc.freeze()
