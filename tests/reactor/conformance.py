"""Twisted's own reactor tests, run against the uvloop reactor.

Twisted ships suites written for any reactor (`ReactorBuilder`) and makes a test case of each for every reactor
it knows. `cases_of` makes the same for ours.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import uvloop
from twisted.internet.test.reactormixins import ReactorBuilder
from twisted.trial.unittest import SynchronousTestCase

from proxy.reactor.loop import UvloopReactor

# Every suite has a test case for this reactor, which works everywhere: that is how the suites are found.
_SUFFIX = "_SelectReactorTests"


def uvloop_reactor(case: SynchronousTestCase) -> UvloopReactor:
    """A reactor on a loop of its own, closed when `case` is over."""
    loop = uvloop.new_event_loop()

    def close() -> None:
        loop.call_soon(loop.stop)
        loop.run_forever()  # the turn in which aborted streams close their sockets
        loop.close()

    case.addCleanup(close)
    return UvloopReactor(loop)


def cases_of(module_name: str, skipped: dict[str, str] | None = None) -> dict[str, type]:
    """The test cases of ``twisted.internet.test.<module_name>`` for the uvloop reactor, by name.

    `skipped` maps ``Suite.test_name`` to the reason; a name that no longer exists is an error.
    """
    module = importlib.import_module(f"twisted.internet.test.{module_name}")
    remaining = dict(skipped or {})
    cases: dict[str, type] = {}
    for name, made in vars(module).items():
        if name.endswith(_SUFFIX):
            suite = made.__bases__[0]
            cases[f"{suite.__name__}Uvloop"] = _test_case(suite, remaining)
    if not cases or remaining:
        raise LookupError(f"{module_name}: {len(cases)} suites; unknown skips {sorted(remaining)}")
    return cases


def _test_case(suite: type[ReactorBuilder], skipped: dict[str, str]) -> type:
    namespace: dict[str, Any] = {
        "reactorFactory": uvloop_reactor,
        "__module__": suite.__module__,
        "timeout": 20,  # seconds; trial's own is 120, as long as pytest's for the whole test
    }
    for key in [key for key in skipped if key.split(".")[0] == suite.__name__]:
        test_name = key.split(".")[1]
        namespace[test_name] = _skip(getattr(suite, test_name), skipped.pop(key))
    return type(f"{suite.__name__}Uvloop", (suite, SynchronousTestCase), namespace)


def _skip(original: Callable[..., object], reason: str) -> Callable[..., object]:
    @functools.wraps(original)
    def test(self: object) -> object:
        return original(self)

    test.skip = reason  # type: ignore[attr-defined] # how trial wants it said
    return test
