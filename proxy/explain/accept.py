"""What a configuration must pass before it is used: by `check`, at the start, and at every reload. The same for all."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from proxy.acme.check import check_acme
from proxy.config import Loaded, load
from proxy.config.problem import Problem
from proxy.routing import Router, build, lint
from proxy.tls.check import check_files
from proxy.tls.pairs import Pairs
from proxy.tls.reach import check_reach


class Examined(NamedTuple):
    """A configuration, and everything that there is to say about it, in the order of its files.

    @ivar pairs: what was read of the certificates that it names, for whoever builds what it says.
    """

    loaded: Loaded
    problems: tuple[Problem, ...]
    pairs: Pairs

    @property
    def usable(self) -> bool:
        """Whether it may be used: it loads, and its own route tests pass."""
        return not any(problem.severity == "error" for problem in self.problems)


def examine(path: str | Path, environ: Mapping[str, str], *, ahead: bool = False) -> Examined:
    """Load the configuration at `path`, look for what is probably a mistake, and run its route tests.

    @param ahead: look also for what whoever starts with it finds out by itself: where that is not about to happen.
    """
    loaded = load(path, environ)
    problems, pairs = list(loaded.problems), Pairs()
    if loaded.config is not None:
        router = build(loaded.config.routes, loaded.position)
        problems += lint(loaded, router) + _rehearsed(loaded, router)
        problems += check_files(loaded, time.time(), pairs) + check_acme(loaded, environ)
        problems += check_reach(loaded, router, pairs) + (_missing(loaded) if ahead else [])
        problems.sort(key=lambda one: (loaded.files.index(one.file), one.line, one.column))
    return Examined(loaded, tuple(problems), pairs)


def _rehearsed(loaded: Loaded, router: Router) -> list[Problem]:
    if not loaded.require().tests:
        return []
    # Whoever would judge real requests is part of the reactor's world, which `twistd` chooses after it has come here.
    from proxy.explain.rehearse import rehearse

    return rehearse(loaded, router)


def _missing(loaded: Loaded) -> list[Problem]:
    """Applications that cannot be imported, and an access log that cannot be opened. Modules are run for that, as a
    start does; what makes a resource is not called."""
    from proxy.admin.access_log import no_access_log, probe
    from proxy.assemble.apps import AssemblyError, imported

    config, found = loaded.require(), []
    for place, route in enumerate(config.routes):
        try:
            if route.app is not None:
                imported(place, route.app)
        except AssemblyError as error:
            found.append(error.problem(loaded))
    try:
        probe(config.access_log or "stdout")
    except OSError as error:
        what = no_access_log(str(config.access_log), error)
        found.append(AssemblyError(("access_log",), what).problem(loaded))
    return found
