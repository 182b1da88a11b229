"""Whose certificate a server name gets: exact, then wildcard, then whoever is the default."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class NameTable(Generic[T]):
    """Values by server name. Look-ups cost the same however many names there are.

    @param default: the value for clients that name nobody, and where `strict` is false for unknown names.
    @param strict: an unknown name has no value.
    """

    def __init__(self, default: T, *, strict: bool = True) -> None:
        self.default = default
        self._strict = strict
        self._exact: dict[str, T] = {}
        self._wildcards: dict[str, T] = {}
        self._depths: list[int] = []  # how many labels stand behind the `*.` of some wildcard, the longest first

    def add(self, names: Iterable[str], value: T) -> None:
        """`value` belongs to `names`: host names in lower case, or `*.` and a name for all that have exactly one more
        label (RFC 9525 section 6.3). What has a value already keeps it."""
        for name in names:
            if name.startswith("*."):
                self._wildcards.setdefault(name[2:], value)
                if (depth := name.count(".")) not in self._depths:
                    self._depths = sorted((*self._depths, depth), reverse=True)
            else:
                self._exact.setdefault(name, value)

    def find(self, name: str) -> T | None:
        """The value for `name` (lower case, "" for none); None where it is unknown and the table is strict."""
        if not name:
            return self.default
        known = self.known(name)
        return self.default if known is None and not self._strict else known

    def known(self, name: str) -> T | None:
        """The value that `name` itself has."""
        found = self._exact.get(name)
        if found is None:
            label, dot, rest = name.partition(".")
            if label and dot:
                found = self._wildcards.get(rest)
        return found

    def around(self, name: str) -> T | None:
        """The value that `name` itself has, or else the longest wildcard above it, however many labels stand between:
        so routes take their hosts."""
        found = self._exact.get(name)
        if found is None and self._depths:
            labels = name.split(".")
            for depth in self._depths:
                if depth < len(labels) and (above := ".".join(labels[-depth:])) in self._wildcards:
                    return self._wildcards[above]
        return found

    def __len__(self) -> int:
        return len(self._exact) + len(self._wildcards)

    def __repr__(self) -> str:
        return f"<NameTable of {len(self)} names{', strict' if self._strict else ''}>"
