"""The JSON Schema of configuration files, for editors that complete and validate while people type."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from proxy import limits
from proxy.config.model import Config


class _Generator(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Defaults as people write them: a group of keys has its defaults at its keys."""
        if isinstance(dft, bytes):
            return dft.decode("ascii")
        if isinstance(dft, BaseModel):
            return {}
        if isinstance(dft, range):
            return f"{dft.start}-{dft.stop - 1}"
        if isinstance(dft, tuple | frozenset):
            return [self.encode_default(item) for item in dft]
        return dft


def build() -> dict[str, Any]:
    """The schema, draft 2020-12.

    It is a little stricter than the program, which takes `${NAME}` in place of a number as well.
    """
    schema = _polished(Config.model_json_schema(mode="validation", schema_generator=_Generator))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "reverseproxy configuration"}


def _polished(node: Any) -> Any:
    """`node` without the nulls that stand for "not given", and with defaults as people write them."""
    if isinstance(node, list):
        return [_polished(item) for item in node]
    if not isinstance(node, dict):
        return node
    polished = {key: _polished(value) for key, value in node.items() if key != "title" or isinstance(value, dict)}
    options = polished.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        options.remove({"type": "null"})
        if len(options) == 1:
            polished |= polished.pop("anyOf")[0]
    default = polished.get("default")
    if default is None or default == {}:
        polished.pop("default", None)
    elif isinstance(default, float) and "10s" in polished.get("examples", ()):
        polished["default"] = f"{default:g}s"
    elif isinstance(default, int) and "16KiB" in polished.get("examples", ()):
        unit = "MiB" if default % limits.MIB == 0 else "KiB"
        polished["default"] = f"{default // (limits.MIB if unit == 'MiB' else limits.KIB)}{unit}"
    return polished


def text() -> str:
    """The schema as it stands in `config/schema.json`, without a line end at the end."""
    return json.dumps(build(), indent=2)
