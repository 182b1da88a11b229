"""`show`: the configuration in force, with the origin of every value. YAML to be read: what was left implicit has names
that no file could give."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from proxy.admin.words import duration, size, word
from proxy.cli.reading import read
from proxy.cli.terminal import Ink, ink, say, say_json

if TYPE_CHECKING:
    from proxy.admin.origins import Told

#: Keys where nothing means that something is switched off; anywhere else it is just not there.
_SWITCHES = frozenset({
    "panic", "sticky", "health", "ejection", "breaker", "via", "request_id", "access_log", "admin",
})  # fmt: skip
_COMMENT_COLUMN = 56


class _Line(NamedTuple):
    text: str
    origin: str


def show(arguments: argparse.Namespace) -> int:
    """Print the configuration in force: defaults included, includes joined, named gates expanded, secrets masked."""
    from proxy.admin.effective import effective
    from proxy.admin.origins import tell

    loaded = read(arguments.file)
    if arguments.json:
        configuration = effective(loaded.require(), loaded.secrets)
        if arguments.origins:
            say_json({"configuration": configuration, "origins": dict(_flat(tell(loaded)))})
        else:
            say_json(configuration)
        return 0
    told = tell(loaded)
    say(render(without_defaults(told) if arguments.written else told, ink()))
    return 0


def without_defaults(told: dict[str, Told]) -> dict[str, Told]:
    """What is written, in a file or in the defaults of one."""
    return {key: _written_part(member) for key, member in told.items() if _is_written(member)}


def _is_written(told: Told) -> bool:
    if told.origin is not None:
        return True
    members = told.value.values() if isinstance(told.value, dict) else told.value
    return isinstance(told.value, dict | list) and any(_is_written(member) for member in members)


def _written_part(told: Told) -> Told:
    if isinstance(told.value, dict):
        return replace(told, value=without_defaults(told.value))
    if isinstance(told.value, list):
        return replace(told, value=[_written_part(member) for member in told.value])
    return told


def render(told: dict[str, Told], colors: Ink) -> str:
    """The configuration as YAML, with a comment behind every value: `FILE:LINE:COLUMN`, or `default`."""
    lines = []
    for text, origin in _mapping(told, ""):
        if not origin:
            lines.append(text)
            continue
        comment = colors(f"# {origin}", "dim") if origin == "default" else colors(f"# {origin}", "cyan")
        lines.append(f"{text.ljust(_COMMENT_COLUMN)}  {comment}")
    return "\n".join(lines)


def _mapping(told: dict[str, Told], indent: str) -> Iterator[_Line]:
    for key, member in told.items():
        if not _is_said(key, member):
            continue
        yield from _member(f"{indent}{word(key)}:", key, member, indent)


def _is_said(key: str, told: Told) -> bool:
    """Whether there is anything to say: not for conditions that a route does not have, and the like."""
    if told.origin is not None or (told.value is None and key in _SWITCHES):
        return True
    if isinstance(told.value, dict):
        return any(_is_said(name, member) for name, member in told.value.items())
    return told.value is not None and told.value != []


def _member(start: str, key: str, told: Told, indent: str) -> Iterator[_Line]:
    value = told.value
    if isinstance(value, dict) and any(_is_said(name, member) for name, member in value.items()):
        yield _Line(start, "")
        yield from _mapping(value, f"{indent}  ")
    elif isinstance(value, list) and any(isinstance(item.value, dict) for item in value):
        yield _Line(start, "")
        for item in value:
            yield from _item(item, f"{indent}  ")
    else:
        yield _Line(f"{start} {words(told, key)}", str(told))


def _item(told: Told, indent: str) -> Iterator[_Line]:
    lines = list(_mapping(told.value, f"{indent}  "))
    for at, line in enumerate(lines):
        yield line._replace(text=f"{indent}- {line.text[len(indent) + 2 :]}") if at == 0 else line


def words(told: Told, key: str = "") -> str:
    """A value without keys inside, as YAML on one line."""
    value = told.value
    if isinstance(value, list):
        return f"[{', '.join(words(item) for item in value)}]"
    if isinstance(value, dict):
        return "{}"
    if value is None:
        return "false" if key in _SWITCHES else "null"
    if told.unit == "s":
        return duration(value)
    if told.unit == "B":
        return size(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return word(value)


def _flat(told: dict[str, Told], above: str = "") -> Iterator[tuple[str, str]]:
    """Every value that has no values inside, by its path, with its origin."""
    for key, member in told.items():
        yield from _flat_one(f"{above}.{key}" if above else key, member)


def _flat_one(path: str, told: Told) -> Iterator[tuple[str, str]]:
    if isinstance(told.value, dict) and told.value:
        yield from _flat(told.value, path)
    elif isinstance(told.value, list) and told.value:
        for at, item in enumerate(told.value):
            yield from _flat_one(f"{path}[{at}]", item)
    else:
        yield path, str(told)
