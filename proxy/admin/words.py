"""Values of the effective configuration as configurations write them: `10s`, `16KiB`, `{url: http://10.0.0.1:9001}`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args

from proxy import limits

_DURATIONS = ((86400.0, "d"), (3600.0, "h"), (60.0, "m"), (1.0, "s"))
_SIZES = ((limits.MIB << 10, "GiB"), (limits.MIB, "MiB"), (limits.KIB, "KiB"))
_PLAIN = re.compile(r"[\w/.][\w/.:@+=~-]*(?<!:)", re.ASCII)
_LOOKS_OTHERWISE = re.compile(r"(?i)true|false|yes|no|on|off|null|[-+.\d][\d_,.:]*(e[-+]?\d+)?|0[xo][0-9a-f]+")


def duration(seconds: float) -> str:
    """Seconds as configurations write them: `1m30s`, `250ms`; `0` where switched off."""
    if seconds == 0:
        return "0"
    milliseconds = round(seconds * 1000)
    if milliseconds % 1000:
        whole, rest = divmod(milliseconds, 1000)
        return f"{duration(whole) if whole else ''}{rest}ms"
    text, left = "", float(milliseconds // 1000)
    for length, unit in _DURATIONS:
        count, left = divmod(left, length)
        text += f"{count:.0f}{unit}" if count else ""
    return text


def size(count: int) -> str:
    """Bytes as configurations write them: `16KiB`; `0` where there is no limit."""
    for length, unit in _SIZES:
        if count and count % length == 0:
            return f"{count // length}{unit}"
    return str(count)


def word(value: Any) -> str:
    """A number or a text, in quotes where YAML would take it for something else."""
    text = str(value)
    if isinstance(value, int) or (_PLAIN.fullmatch(text) and not _LOOKS_OTHERWISE.fullmatch(text)):
        return text
    return json.dumps(text.replace("${", "$${"), ensure_ascii=False)


def written(value: Any, key: str = "") -> str:
    """A value on one line of YAML. What is not there, and lists that are empty, is left out of mappings.

    @param key: under which the value stands: it tells seconds and bytes from other numbers.
    """
    if isinstance(value, Mapping):
        members = ((word(name), written(member, str(name))) for name, member in value.items() if member is not None)
        return f"{{{', '.join(f'{name}: {text}' for name, text in members if text not in ('{}', '[]'))}}}"
    if isinstance(value, list):
        return f"[{', '.join(written(item, key) for item in value)}]"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    unit = units().get(key, "") if isinstance(value, int | float) else ""
    if unit == "s":
        return duration(value)
    if unit == "B":
        return size(value)
    return f"{value:g}" if isinstance(value, float) else word(value)


@cache
def units() -> Mapping[str, str]:
    """The keys of a configuration whose numbers are seconds (`s`) or bytes (`B`)."""
    from proxy.admin.origins import unit_of
    from proxy.config import Config

    found: dict[str, str] = {}
    seen: set[type] = set()
    waiting: list[Any] = [Config]
    while waiting:
        model = waiting.pop()
        if model in seen:
            continue
        seen.add(model)
        for name, field in model.model_fields.items():
            if unit := unit_of(field):
                found[name] = unit
            waiting += _models(field.annotation)
    return found


def _models(annotation: Any) -> Iterator[Any]:
    """The models that the values of an annotation consist of."""
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
