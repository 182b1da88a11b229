"""The effective configuration: everything that is in force, defaults included, as plain values that can be shown.

Secrets are masked, each by a word made of its own hash: two configurations can be compared without being read.
"""

from __future__ import annotations

import hashlib
import re
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from pydantic import BaseModel

from proxy.config import Config
from proxy.config.address import Address
from proxy.routing import build

#: Keys whose values are nobody's business.
SECRETS = frozenset({"key", "keys", "token", "secret", "password", "hmac_key", "eab_hmac"})


def effective(config: Config) -> dict[str, Any]:
    """`config` as JSON values. Every route has its name, also where none was given."""
    shown = {name: plain(getattr(config, name)) for name in type(config).model_fields}
    for route, made in zip(shown["routes"], build(config.routes).routes, strict=True):
        route["name"] = made.name
    return shown


def plain(value: Any) -> Any:
    """A value of the configuration as a JSON value."""
    if isinstance(value, Address):
        return value.text
    if isinstance(value, BaseModel):
        return {name: _member(name, getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {_word(name): _member(_word(name), member) for name, member in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [plain(member) for member in value]
    if isinstance(value, bytes | re.Pattern | IPv4Network | IPv6Network):
        return _word(value)
    return value


def _member(name: str, value: Any) -> Any:
    if name in SECRETS and isinstance(value, str | bytes) and value:
        return masked(value)
    return plain(value)


def masked(secret: str | bytes) -> str:
    """A word that stands for a secret: the same for the same one, and of no other use."""
    raw = secret.encode() if isinstance(secret, str) else secret
    return f"*** ({hashlib.sha256(b'reverseproxy shown ' + raw).hexdigest()[:8]})"


def _word(value: Any) -> str:
    if isinstance(value, re.Pattern):
        return _word(value.pattern)
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
