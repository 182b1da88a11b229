"""The effective configuration: everything that is in force, defaults included, as plain values that can be shown.

Secrets are masked, each by a word made of its own hash: two configurations can be compared without being read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from pydantic import BaseModel

from proxy.config import Config
from proxy.config.address import Address
from proxy.config.expectations import RequestLine
from proxy.config.lint import SECRET_FIELDS
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
        {"name": name} if name in brief else {**_plain(route, veil, "routes"), "name": name}
        for name, route in named(config.routes)
    ]
    return shown


class Veil:
    """Tells what must not be shown.

    @param secrets: texts that nobody may see, whatever holds them.
    """

    def __init__(self, secrets: Collection[str] = ()) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)

    def covers(self, name: object, within: str) -> bool:
        """Whether the values are secret that people keep under a name of their own choice.

        @param name: bytes for a header field, text for everything else.
        @param within: the key of the configuration that holds such names.
        """
        if not isinstance(name, bytes) and within != "query":
            return False  # an upstream, say: it may well be called `token`
        return SECRET_FIELDS.match(_word(name).encode()) is not None

    def over(self, value: Any, hidden: bool) -> Any:
        """A plain value, masked where it must be.

        @param hidden: it stands below a key whose values are secret.
        """
        if not isinstance(value, str) or not value:
            return value
        if hidden or any(secret in value for secret in self._secrets):
            return masked(value)
        return value


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
    if isinstance(value, Address):
        return value.text
    if isinstance(value, RequestLine):
        return f"{_word(value.method)} http://{_word(value.host)}{_word(value.target)}"
    if isinstance(value, range):
        return f"{value.start}-{value.stop - 1}" if len(value) > 1 else str(value.start)
    if isinstance(value, bytes | re.Pattern | IPv4Network | IPv6Network):
        return _word(value)
    return value


def masked(secret: str | bytes) -> str:
    """A word that stands for a secret: the same for the same one, and of no other use."""
    raw = secret.encode() if isinstance(secret, str) else secret
    return f"*** ({hashlib.sha256(b'reverseproxy shown ' + raw).hexdigest()[:8]})"


def _word(value: Any) -> str:
    if isinstance(value, re.Pattern):
        return _word(value.pattern)
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
