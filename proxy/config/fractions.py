"""Parts of a whole, as people write them: `0.2` or `20%`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from proxy.config.values import shown, wrong

_NUMBER = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,6})?\Z")


def number(value: Any) -> float | None:
    """`value` as a number; None where it is none. YAML numbers with a point arrive here as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    return float(value) if isinstance(value, str) and _NUMBER.match(value) else None


def fraction(value: Any) -> float:
    """`value`, from 0.0 to 1.0.

    @raise PydanticCustomError: where it is none.
    """
    percent = number(value[:-1]) if isinstance(value, str) and value.endswith("%") else None
    part = percent / 100 if percent is not None else number(value)
    if part is None:
        raise wrong("fraction", f"{shown(value)} is not a part of a whole", "write for example 0.2 or 20%")
    if not 0 <= part <= 1:
        hint = f"write {value}%" if isinstance(value, int) and 1 < value <= 100 else "write for example 0.2 or 20%"
        raise wrong("fraction", f"{shown(value)} is not between 0 and 1", hint)
    return part


#: For editors, which read `0.2` as a number.
FRACTION_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": r"^[0-9.]+%?$"}],
    "examples": [0.2, "20%"],
}

#: From 0.0 to 1.0.
Fraction = Annotated[
    float,
    PlainValidator(fraction),
    WithJsonSchema(FRACTION_SCHEMA),
]
