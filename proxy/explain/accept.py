"""What a configuration must pass before it is used: by `check`, at the start, and at every reload. The same for all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from proxy.config import Config, Loaded, load
from proxy.config.memory import collector_paused
from proxy.config.problem import Problem
from proxy.config.routes import Application
from proxy.routing import Router, build, lint

if TYPE_CHECKING:
    from proxy.tls.pairs import Pairs


class Examined(NamedTuple):
    """A configuration, and everything that there is to say about it, in the order of its files.

    @ivar pairs: what was read of the certificates that it names, for whoever builds what it says; None where nobody
        speaks TLS.
    """

    loaded: Loaded
    problems: tuple[Problem, ...]
    pairs: Pairs | None = None

    @property
    def usable(self) -> bool:
        """Whether it may be used: it loads, and its own route tests pass."""
        return not any(problem.severity == "error" for problem in self.problems)


@collector_paused()
def examine(path: str | Path, environ: Mapping[str, str], *, ahead: bool = False) -> Examined:
    """Load the configuration at `path`, look for what is probably a mistake, and run its route tests.

    @param ahead: look also for what whoever starts with it finds out by itself: where that is not about to happen.
    """
    loaded = load(path, environ)
    if loaded.config is None:
        return Examined(loaded, loaded.problems)
    router = build(loaded.config.routes, loaded.position)
    about_tls, pairs = _about_tls(loaded, router, environ) if _speaks_tls(loaded.config) else ([], None)
    problems = [*loaded.problems, *lint(loaded, router), *_rehearsed(loaded, router, pairs), *about_tls]
    if ahead:
        problems += _missing(loaded)
    problems.sort(key=lambda one: (loaded.files.index(one.file), one.line, one.column))
    return Examined(loaded, tuple(problems), pairs)


def _speaks_tls(config: Config) -> bool:
    listeners, upstreams = config.listen, config.upstreams.values()
    return any(one.tls is not None for one in listeners) or any(one.tls is not None for one in upstreams)


def _about_tls(loaded: Loaded, router: Router, environ: Mapping[str, str]) -> tuple[list[Problem], Pairs]:
    # OpenSSL and all that works with it take longer to import than most files take to check.
    from proxy.acme.check import check_acme
    from proxy.tls.check import check_files
    from proxy.tls.pairs import Pairs
    from proxy.tls.reach import check_reach

    pairs = Pairs()
    problems = check_files(loaded, time.time(), pairs) + check_acme(loaded, environ)
    return problems + check_reach(loaded, router, pairs), pairs


def _rehearsed(loaded: Loaded, router: Router, pairs: Pairs | None) -> list[Problem]:
    if not loaded.require().tests:
        return []
    # Whoever would judge real requests is part of the reactor's world, which `twistd` chooses after it has come here.
    from proxy.explain.rehearse import rehearse

    return rehearse(loaded, router, pairs)


def _missing(loaded: Loaded) -> Iterator[Problem]:
    """Applications that cannot be imported, and an access log that cannot be opened. Modules are run for that, as a
    start does; what makes a resource is not called."""
    config = loaded.require()
    for place, route in enumerate(config.routes):
        if route.app is not None:
            yield from _not_imported(loaded, place, route.app)
    if config.access_log is not None and config.access_log != "stdout":
        yield from _not_opened(loaded, config.access_log)


def _not_imported(loaded: Loaded, place: int, wish: Application) -> Iterator[Problem]:
    # With this comes all that a house is made of, which most configurations can be judged without.
    from proxy.assemble.apps import AssemblyError, imported

    try:
        imported(place, wish)
    except AssemblyError as error:
        yield error.problem(loaded)


def _not_opened(loaded: Loaded, path: str) -> Iterator[Problem]:
    from proxy.admin.access_log import no_access_log, probe

    try:
        probe(path)
    except OSError as error:
        from proxy.assemble.apps import AssemblyError

        yield AssemblyError(("access_log",), no_access_log(path, error)).problem(loaded)
