"""Which routes get the requests for some hosts: whoever protects these hosts has to look at them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge

from proxy.routing.entries import ANY, Entry, Route, order_of


def serving(entries: Iterable[Entry], names: Iterable[str]) -> dict[Route, list[str]]:
    """The routes that may get a request for one of `names`, each with these names.

    A route does not, where another takes all requests for the name before it.

    @param entries: in order.
    @param names: hosts in lower case; `*.` at the front stands for all that are below, at any depth.
    """
    index = _Index(entries)
    found: dict[Route, list[str]] = {}
    for name in names:
        for entry in merge(*index.fitting(name), key=order_of):
            taken = found.setdefault(entry.route, [])
            if not taken or taken[-1] != name:
                taken.append(name)
            if _takes_all(entry, name):
                break
    return found


class _Index:
    """Entries by host."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._named: dict[str, list[Entry]] = {}
        self._patterns: dict[re.Pattern[bytes], list[Entry]] = {}
        self._anywhere: list[Entry] = []
        for entry in entries:
            host = entry.host
            if host is None or host.name == "*":
                self._anywhere.append(entry)
            elif host.regex is not None:
                self._patterns.setdefault(host.regex, []).append(entry)
            else:
                self._named.setdefault(host.name or "", []).append(entry)

    def fitting(self, name: str) -> Iterator[Sequence[Entry]]:
        """The entries that take a host of `name`, each host's in order."""
        for host in _above(name):
            yield self._named.get(host, ())
        if name.startswith("*."):
            for host, found in self._named.items():
                if host != name and host.endswith(name[1:]):
                    yield found
        # What expression takes one of the hosts below a wildcard cannot be known: one of them stands for all.
        one = name.replace("*", "a").encode("ascii", "replace")
        for pattern, found in self._patterns.items():
            if pattern.search(one):
                yield found
        yield self._anywhere


def _above(name: str) -> Iterator[str]:
    """The name itself, and the wildcards above it."""
    yield name
    labels = name.split(".")
    for start in range(2 if labels[0] == "*" else 1, len(labels)):
        yield "*." + ".".join(labels[start:])


def _takes_all(entry: Entry, name: str) -> bool:
    """Whether no request for `name` goes past `entry`, which takes some."""
    if entry.route.conditions or entry.order[2][0] != ANY:
        return False
    host = entry.host
    if host is None or host.name == "*":
        return True
    return host.name in _above(name) if host.name is not None else not name.startswith("*.")
