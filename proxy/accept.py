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


def examine(path: str | Path, environ: Mapping[str, str]) -> Examined:
    """Load the configuration at `path`, look for what is probably a mistake, and run its route tests."""
    loaded = load(path, environ)
    problems, pairs = list(loaded.problems), Pairs()
    if loaded.config is not None:
        router = build(loaded.config.routes, loaded.position)
        problems += lint(loaded, router) + _rehearsed(loaded, router)
        problems += check_files(loaded, time.time(), pairs) + check_acme(loaded, environ)
        problems += check_reach(loaded, router)
        problems.sort(key=lambda one: (loaded.files.index(one.file), one.line, one.column))
    return Examined(loaded, tuple(problems), pairs)


def _rehearsed(loaded: Loaded, router: Router) -> list[Problem]:
    if not loaded.require().tests:
        return []
    # Whoever would judge real requests is part of the reactor's world, which `twistd` chooses after it has come here.
    from proxy.rehearse import rehearse

    return rehearse(loaded, router)
