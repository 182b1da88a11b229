"""The JSON Schema of configuration files, for editors that complete and validate while people type."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from proxy.config.model import Config


class _Generator(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Defaults as people write them: a group of keys has its defaults at its keys."""
        if isinstance(dft, bytes):
            return dft.decode("ascii")
        if isinstance(dft, BaseModel):
            return {}
        if isinstance(dft, tuple):
            return [self.encode_default(item) for item in dft]
        return dft


def build() -> dict[str, Any]:
    """The schema, draft 2020-12. Strings may always contain `${NAME}`, so it is a little stricter than the program."""
    schema = Config.model_json_schema(mode="validation", schema_generator=_Generator)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "reverseproxy configuration"}


def text() -> str:
    """The schema as it stands in `config/schema.json`, without a line end at the end."""
    return json.dumps(build(), indent=2)
