"""What a new configuration would change: added, changed, removed, and nothing left out.

Works on effective configurations (`proxy.admin.effective`), so that a default that changed with a new version of the
program is seen too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from proxy.admin.words import written

ADDED, CHANGED, REMOVED = "added", "changed", "removed"

#: What has names of its own, and by which key each item is known.
_NAMED = {"listen": "endpoint", "routes": "name", "upstreams": None}
_ORDER = "order"


class Difference(NamedTuple):
    """One value that is other than before; None where there is none.

    @ivar path: such as `servers[1].url`; it ends in `[]` for one item more or less of a list.
    """

    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        if self.path == _ORDER:
            return f"{self.path}: {self.new}"
        path, item, _ = self.path.partition("[]")
        key = re.sub(r"\[[0-9]+\]", "", path).rpartition(".")[2]
        if item:
            return f"{path} + {written(self.new, key)}" if self.old is None else f"{path} - {written(self.old, key)}"
        return f"{path}: {written(self.old, key)} -> {written(self.new, key)}"


class Change(NamedTuple):
    """One thing of the configuration that is other than before.

    @ivar kind: `listener`, `upstream`, `route`, or `setting`.
    @ivar touches: live connections and exchanges it would touch, in words; "" where nobody looked or there are none.
    """

    verb: str
    kind: str
    name: str
    differences: tuple[Difference, ...] = ()
    touches: str = ""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "verb": self.verb,
            "kind": self.kind,
            "name": self.name,
            "differences": [difference._asdict() for difference in self.differences],
            "touches": self.touches,
        }


def is_effective(value: Any) -> bool:
    """Whether `value`, sent by anybody, has the form of an effective configuration, as far as plans need it."""
    if not isinstance(value, Mapping) or not set(_NAMED) <= set(value):
        return False
    return all(
        isinstance(value[kind], Mapping) if key is None else _is_list_by(value[kind], key)
        for kind, key in _NAMED.items()
    )


def _is_list_by(items: Any, key: str) -> bool:
    return isinstance(items, list) and all(isinstance(item, Mapping) and key in item for item in items)


def plan(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Every change that leads from `old` to `new`, both as `effective` gives them."""
    changes = [
        *_items("listener", _by(old["listen"], "endpoint"), _by(new["listen"], "endpoint")),
        *_items("upstream", old["upstreams"], new["upstreams"]),
        *_items("route", _by(old["routes"], "name"), _by(new["routes"], "name")),
        *_order_of_routes(old["routes"], new["routes"]),
    ]
    settings = sorted((set(old) | set(new)) - set(_NAMED))
    for name in settings:
        found = tuple(differences(old.get(name), new.get(name), name))
        if found:
            changes.append(Change(CHANGED, "setting", name, found))
    return changes


def _by(items: Iterable[Mapping[str, Any]], key: str) -> dict[str, Mapping[str, Any]]:
    return {str(item[key]): item for item in items}


def _items(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in new:
        if name not in old:
            yield Change(ADDED, kind, name)
    for name in old:
        if name not in new:
            yield Change(REMOVED, kind, name)
        else:
            found = tuple(differences(old[name], new[name]))
            if found:
                yield Change(CHANGED, kind, name, found)


def _order_of_routes(old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> Iterator[Change]:
    """The order of the file decides between routes that are equally specific."""
    before, after = [item["name"] for item in old], [item["name"] for item in new]
    both = set(before) & set(after)
    kept_before = [name for name in before if name in both]
    kept_after = [name for name in after if name in both]
    if kept_before != kept_after:
        first = next(name for name, other in zip(kept_after, kept_before, strict=True) if name != other)
        yield Change(CHANGED, "setting", "routes", (Difference(_ORDER, None, f"`{first}` has moved up"),))


def differences(old: Any, new: Any, path: str = "") -> Iterator[Difference]:
    """Where two values differ, as deep as their shapes agree."""
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from differences(old.get(name), new.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from differences(before, after, f"{path}[{place}]")
    elif isinstance(old, list) and isinstance(new, list) and _has_gained_or_lost(old, new):
        yield from (Difference(f"{path}[]", item, None) for item in old if item not in new)
        yield from (Difference(f"{path}[]", None, item) for item in new if item not in old)
    else:
        yield Difference(path, old, new)


def _has_gained_or_lost(old: list[Any], new: list[Any]) -> bool:
    """Whether items that came and went say all about two lists: those that stay have the order that they had."""
    return [item for item in old if item in new] == [item for item in new if item in old]


def render(changes: Iterable[Change], *, color: bool = False) -> str:
    """The plan for people, in the manner of a diff."""
    marks = {ADDED: ("+", "32"), CHANGED: ("~", "33"), REMOVED: ("-", "31")}
    lines: list[str] = []
    for change in changes:
        mark, code = marks[change.verb]
        line = f"{mark} {change.kind} {change.name}"
        if change.touches:
            line += f"   ({change.touches})"
        lines.append(f"\x1b[{code}m{line}\x1b[0m" if color else line)
        lines.extend(f"    {difference}" for difference in change.differences)
    return "\n".join(lines) or "no changes"
