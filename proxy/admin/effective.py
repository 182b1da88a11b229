"""The effective configuration: everything that is in force, defaults included, as plain values that can be shown.

Secrets are masked (see `proxy.config.veil`).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from pydantic import BaseModel

from proxy.config import Config
from proxy.config.address import Address
from proxy.config.expectations import RequestLine
from proxy.config.model import HttpsPort
from proxy.config.veil import Veil
from proxy.routing import named

#: Keys whose values are nobody's business.
SECRETS = frozenset({"key", "keys", "token", "secret", "password", "hmac_key", "eab_hmac"})


def effective(config: Config, secrets: Collection[str] = (), brief: Collection[str] = ()) -> dict[str, Any]:
    """`config` as JSON values. Every route has its name, also where none was given.

    @param secrets: texts that are masked wherever they stand: `Loaded.secrets`.
    @param brief: of the routes with these names nothing but the name is wanted.
    """
    veil = Veil(secrets)
    keys = type(config).model_fields
    shown = {key: None if key == "routes" else _plain(getattr(config, key), veil, key) for key in keys}
    shown["routes"] = [
        {"name": veil.over(name)} if name in brief else {**_plain(route, veil, "routes"), "name": veil.over(name)}
        for name, route in named(config.routes)
    ]
    return shown


_NOTHING = Veil()


def plain(value: Any) -> Any:
    """A value of the configuration as a JSON value, with nothing of it known to be secret but by name."""
    return _plain(value, _NOTHING)


def _plain(value: Any, veil: Veil, name: str = "", hidden: bool = False) -> Any:
    if isinstance(value, BaseModel):
        members = ((field, getattr(value, field)) for field in type(value).model_fields)
        return {field: _plain(member, veil, field, hidden or is_secret(value, field)) for field, member in members}
    if isinstance(value, dict):
        return {
            _word(key): _plain(member, veil, _word(key), hidden or veil.covers(key, name))
            for key, member in value.items()
        }
    if is_list(value):
        items = [_plain(item, veil, name, hidden) for item in value]
        return sorted(items) if isinstance(value, frozenset) else items
    return veil.over(scalar(value), hidden)


def is_secret(wish: BaseModel, field: str) -> bool:
    """Whether the values of a key of `wish` are nobody's business. Beside a `cert`, a `key` is the name of a file."""
    return field in SECRETS and not (field == "key" and "cert" in type(wish).model_fields)


def is_list(value: Any) -> bool:
    """Whether `value` is a list of values, and not one value that happens to be a tuple."""
    return isinstance(value, tuple | list | frozenset) and not isinstance(value, Address | RequestLine)


def scalar(value: Any) -> Any:
    """One value that has no values inside, as people write it."""
    if isinstance(value, Address | HttpsPort):
        return value.text
    if isinstance(value, RequestLine):
        return f"{_word(value.method)} {value.url}"
    if isinstance(value, range):
        return f"{value.start}-{value.stop - 1}" if len(value) > 1 else str(value.start)
    if isinstance(value, bytes | re.Pattern | IPv4Network | IPv6Network):
        return _word(value)
    return value


def _word(value: Any) -> str:
    if isinstance(value, re.Pattern):
        return _word(value.pattern)
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
