"""Regular expressions that are most likely a mistake: warnings, each with a code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxy.config.document import Tree
from proxy.config.model import Config
from proxy.config.problem import Path
from proxy.config.regex import may_explode
from proxy.config.resolve import gate_paths, upstream_place
from proxy.config.routes import Route


def lint_regexes(tree: Tree, config: Config) -> None:
    """Add a warning to `tree` for each regular expression of `config` that may take for ever, or fits anywhere."""
    for place, route in enumerate(config.routes):
        where: Path = ("routes", place)
        for number, host in enumerate(route.host or ()):
            if host.regex is not None:
                _anchors(tree, host.regex, (*where, "host", number, "regex"), both=True)
        for number, path in enumerate(route.path or ()):
            if path.regex is not None:
                _anchors(tree, path.regex, (*where, "path", number, "regex"), both=False)
        for at, regex in _of_route(tree, where, route):
            _time(tree, regex, at)
    for name, upstream in config.upstreams.items():
        health = upstream.health
        if health is None:
            continue
        if health.body is not None:
            _time(tree, health.body, upstream_place(tree, name, "health", "body"))
        for field, regex in health.expect_headers.items():
            _time(tree, regex, upstream_place(tree, name, "health", "expect_headers", field.decode("ascii")))


def _of_route(tree: Tree, where: Path, route: Route) -> Iterator[tuple[Path, re.Pattern[bytes]]]:
    for number, host in enumerate(route.host or ()):
        if host.regex is not None:
            yield (*where, "host", number, "regex"), host.regex
    for number, path in enumerate(route.path or ()):
        if path.regex is not None:
            yield (*where, "path", number, "regex"), path.regex
    for name, value in route.headers.items():
        if value.regex is not None:
            yield (*where, "headers", name.decode("ascii"), "regex"), value.regex
    for parameter, value in route.query.items():
        if value.regex is not None:
            yield (*where, "query", parameter, "regex"), value.regex
    if route.gates:
        for at, gate in zip(gate_paths(tree, (*where, "gates")), route.gates, strict=True):
            if gate.rewrite is not None:
                yield (*at, "rewrite", "regex"), gate.rewrite.regex


def _time(tree: Tree, regex: re.Pattern[bytes], path: Path) -> None:
    if may_explode(regex):
        message = "this regular expression may take exponential time: a loop in it takes the same text in two ways"
        hint = "leave only one of them, or make the inner repetition possessive, such as `[a-z]++`"
        tree.add_at("regex-backtracking", message, path, hint, severity="warning")


def _anchors(tree: Tree, regex: re.Pattern[bytes], path: Path, *, both: bool) -> None:
    pattern = regex.pattern
    begins, ends = pattern.startswith((b"^", b"\\A", b"(?i)^")), pattern.endswith((b"$", b"\\Z"))
    if not begins or (both and not ends):
        what = "begins with `^` and ends with `$`" if both else "begins with `^`"
        message, hint = "this regular expression fits anywhere in the text", f"one that {what} does not"
        tree.add_at("regex-unanchored", message, path, hint, severity="warning")
