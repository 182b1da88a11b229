"""What a configuration must pass before it is used: by `check`, at the start, and at every reload. The same for all."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from proxy.acme.check import check_acme
from proxy.config import Loaded, load
from proxy.config.problem import Problem
from proxy.config.routes import Redirect
from proxy.policy.redirect import location, redirect
from proxy.routing import build, lint, rehearse
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
        problems += lint(loaded, router) + rehearse(loaded, router, redirect_location)
        problems += check_files(loaded, time.time(), pairs) + check_acme(loaded, environ)
        problems += check_reach(loaded, router)
        problems.sort(key=lambda one: (loaded.files.index(one.file), one.line, one.column))
    return Examined(loaded, tuple(problems), pairs)


def redirect_location(wish: Redirect, target: bytes) -> bytes:
    """The `Location` of a redirect, for the raw target of a request."""
    return location(redirect(wish.to, wish.status, keep_path=wish.keep_path, keep_query=wish.keep_query), target)
