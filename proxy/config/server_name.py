"""The name of a host in TLS, as written."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from proxy.config.values import shown, wrong

_NAME = re.compile(r"(?:\*\.)?(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\Z")


def server_name(value: Any) -> str:
    """`value` as tables have it.

    @raise PydanticCustomError: it is no host name.
    """
    if not isinstance(value, str):
        raise wrong("server-name", f"{shown(value)} is not a host name", "write for example www.example.com")
    name = value.lower().removesuffix(".")
    if not name.isascii():
        with suppress(UnicodeError):  # then it is no name either way
            name = name.encode("idna").decode("ascii")
    if not _NAME.match(name):
        hint = "a wildcard is `*.` at the front, for one label" if "*" in name else "only the name, such as a.example"
        raise wrong("server-name", f"{shown(value)} is not a host name", hint)
    return name


#: In lower case, without a dot at its end; `*.` at its front for all that have one more label.
ServerName = Annotated[str, PlainValidator(server_name), WithJsonSchema({"type": "string"})]
