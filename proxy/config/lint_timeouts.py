"""Deadlines of which one keeps another from having its effect: warnings, once for each place where one is written."""

from __future__ import annotations

from typing import NamedTuple

from proxy.config.bounds import Timeouts
from proxy.config.document import Tree
from proxy.config.model import Config
from proxy.config.problem import Path
from proxy.config.resolve import upstream_place


def lint_timeouts(tree: Tree, config: Config) -> None:
    """Add a warning to `tree` for each pair of deadlines in `config` that contradict each other."""
    if 0 < config.timeouts.tunnel_idle < config.timeouts.response_idle:
        message = "`tunnel_idle` is shorter than `response_idle`: WebSockets are quiet for longer than downloads"
        tree.add_at("contradiction", message, ("timeouts", "tunnel_idle"), severity="warning")
    check = _Check(tree, config)
    check.heads(config.timeouts, (("timeouts",),))
    for name in config.upstreams:
        check.all(name, config.timeouts.overlaid(config.upstreams[name].timeouts), check.places(name))
    for place, route in enumerate(config.routes):
        if route.timeouts.connect is not None or route.timeouts.response_head is not None:
            for name in route.upstreams:
                places = (("routes", place, "timeouts"), *check.places(name))
                check.all(name, config.timeouts_of(route, name), places)


class _Value(NamedTuple):
    """A deadline in seconds, where it is written, and how general that is: the higher the more; nowhere is the most."""

    name: str
    seconds: float
    path: Path
    level: int

    def __str__(self) -> str:
        return f"`{self.name}` ({self.seconds:g}s)"


class _Check:
    """Compares deadlines, and says each thing once."""

    def __init__(self, tree: Tree, config: Config) -> None:
        self._tree = tree
        self._config = config
        self._said: set[Path] = set()

    def places(self, upstream: str) -> tuple[Path, ...]:
        """Where the deadlines of an upstream may be written, those first that come first."""
        return ("upstreams", upstream, "timeouts"), ("defaults", "upstream", "timeouts"), ("timeouts",)

    def all(self, upstream: str, timeouts: Timeouts, places: tuple[Path, ...]) -> None:
        self.heads(timeouts, places)
        retries = self._config.upstreams[upstream].retries
        connect, head = self._find("connect", timeouts, places), self._find("response_head", timeouts, places)
        for name in ("per_try", "total"):
            bound = self._of_retries(upstream, name, getattr(retries, name), places)
            # What nobody wrote is no wish: of a try that is shorter than it there is nothing to say.
            if 0 < bound.seconds < connect.seconds and connect.level < len(places):
                self._say(bound, connect, f"{bound} is shorter than {connect}, which is a part of it")
        hedge = self._of_retries(upstream, "hedge_after", retries.hedge_after, places)
        if 0 < head.seconds <= hedge.seconds:
            self._say(hedge, head, f"{hedge} is not shorter than {head}: by then the request has failed")

    def heads(self, timeouts: Timeouts, places: tuple[Path, ...]) -> None:
        connect, head = self._find("connect", timeouts, places), self._find("response_head", timeouts, places)
        if 0 < head.seconds < connect.seconds:
            self._say(connect, head, f"{head} is shorter than {connect}")

    def _find(self, name: str, timeouts: Timeouts, places: tuple[Path, ...]) -> _Value:
        seconds = getattr(timeouts, name)
        for level, place in enumerate(places):
            if self._tree.node((*place, name)) is not None:
                return _Value(name, seconds, (*place, name), level)
        return _Value(name, seconds, (), len(places))

    def _of_retries(self, upstream: str, name: str, seconds: float, places: tuple[Path, ...]) -> _Value:
        path = upstream_place(self._tree, upstream, "retries", name)
        level = next(level for level, place in enumerate(places) if place[0] == path[0])
        return _Value(name, seconds, path, level)

    def _say(self, one: _Value, other: _Value, message: str) -> None:
        """At the one that is written for fewer requests, which most likely did not think of the other."""
        path = min(one, other, key=lambda value: value.level).path
        if path not in self._said:
            self._said.add(path)
            self._tree.add_at("contradiction", message, path, severity="warning")
