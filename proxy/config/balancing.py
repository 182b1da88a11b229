"""Which server of an upstream gets a request, and which requests stay with theirs, as written."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from proxy import limits
from proxy.config.fractions import FRACTION_SCHEMA, fraction, number
from proxy.config.values import (
    TOKEN,
    Duration,
    PositiveDuration,
    ShortWish,
    StrictBool,
    StrictInt,
    Text,
    Token,
    shown,
    wrong,
)

#: Those that need nothing but their name.
ALGORITHMS = ("round_robin", "random", "power_of_two", "least_connections", "least_time", "first_available")

_KEY = re.compile(rf"client|path|(?:header|cookie):{TOKEN}|query:[^\s]+", re.ASCII)
_KEYS = ("client", "path", "header:", "cookie:", "query:")
# 16 bytes are 128 bits, if whoever made them took the trouble.
KEY_BYTES = 16


def _algorithm(value: Any) -> str:
    if value in ALGORITHMS:
        return str(value)
    if value == "hash":
        raise wrong("balance", "`hash` needs to know what to hash", "write {hash: client}, or path, header:NAME, ...")
    meant = get_close_matches(value.lower().replace("-", "_"), ALGORITHMS, 1) if isinstance(value, str) else []
    hint = f"did you mean `{meant[0]}`?" if meant else f"known: {', '.join(ALGORITHMS)} and {{hash: ...}}"
    raise wrong("balance", f"{shown(value)} is not a way to balance", hint)


def _key(value: Any) -> str:
    if isinstance(value, str) and _KEY.fullmatch(value):
        return value
    word = value.partition(":")[0] if isinstance(value, str) else ""
    if word in ("header", "cookie", "query"):
        raise wrong("key", f"{shown(value)} does not name the {word}", f"write for example {word}:id")
    hint = "write client, path, header:NAME, cookie:NAME or query:NAME"
    raise wrong("key", f"{shown(value)} is nothing that requests have", hint)


def _secure(value: Any) -> bool | Literal["auto"]:
    if value == "auto":
        return "auto"
    if isinstance(value, bool):
        return value
    raise wrong("choice", f"`secure` must be auto, true or false, not {shown(value)}")


def _load_factor(value: Any) -> float:
    factor = number(value)
    if factor is None or not 1 <= factor <= 100:
        hint = "1.25 is a good one: a server may have a quarter more than its fair share"
        raise wrong("range", f"`load_factor` must be a number of at least 1, not {shown(value)}", hint)
    return factor


def _panic(value: Any) -> float | None:
    """None for never, else the part of the servers that must be available; 0.0 is "not one"."""
    if isinstance(value, bool):
        return 0.0 if value else None
    return fraction(value)


#: What of a request a choice hangs on: `client`, `path`, `header:NAME`, `cookie:NAME` or `query:NAME`.
Key = Annotated[
    str,
    PlainValidator(_key),
    WithJsonSchema(
        {"type": "string", "pattern": "^(client|path|(header|cookie|query):.+)$", "examples": [*_KEYS[:2], "cookie:id"]}
    ),
]
Panic = Annotated[
    float | None,
    PlainValidator(_panic),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, *FRACTION_SCHEMA["anyOf"]], "examples": ["20%"]}),
]


#: Keys of `sticky` that belong to one of its ways.
_STICKY_KEYS = dict.fromkeys(("size", "idle"), "learn") | dict.fromkeys(
    ("key", "secure", "http_only", "same_site", "max_age", "path"), "cookie"
)

# With a point it is a number to editors and text here.
_NUMBER_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "number", "minimum": 1}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}]
}
Secure = Annotated[
    bool | Literal["auto"], PlainValidator(_secure), WithJsonSchema({"enum": ["auto", True, False]})
]


class Balance(ShortWish):
    """How a server is chosen.

    @ivar hash: the same key finds the same server, as long as it is there.
    @ivar load_factor: with `hash`: how many times its fair share a server may have in flight; None for no bound.
    """

    shorthand = "algorithm"

    algorithm: Annotated[str, PlainValidator(_algorithm), WithJsonSchema({"enum": list(ALGORITHMS)})] | None = None
    hash: Key | None = None
    load_factor: (
        Annotated[float, PlainValidator(_load_factor), WithJsonSchema(_NUMBER_SCHEMA)] | None
    ) = None

    def __str__(self) -> str:
        return f"hash of {self.hash}" if self.hash is not None else str(self.algorithm)

    @model_validator(mode="after")
    def _fit(self) -> Self:
        self.only_one("algorithm", "hash")
        if self.hash is None and "load_factor" in self.model_fields_set:
            raise wrong("contradiction", "`load_factor` is for `hash` alone", "remove it", at="load_factor")
        return self


class Sticky(ShortWish):
    """What keeps a client with its server: a cookie of ours, or one that the servers set themselves.

    @ivar cookie: the name of ours.
    @ivar learn: the name of theirs: who set it is asked again.
    @ivar route: the name of theirs, which ends with a dot and the server's name.
    @ivar size: with `learn`: so many sessions are remembered.
    @ivar idle: with `learn`: for how long after their last use.
    @ivar key: what our cookie is signed with; None for one that is made up at every start.
    @ivar secure: send it over https only; `auto` does so for clients that came over https.
    @ivar max_age: seconds until browsers forget it; 0.0 for the end of their session.
    """

    shorthand = "cookie"

    cookie: Token | None = None
    learn: Token | None = None
    route: Token | None = None
    size: Annotated[StrictInt, Field(ge=1, le=10_000_000)] = limits.STICKY_SESSION_COUNT
    idle: PositiveDuration = limits.STICKY_SESSION_SECONDS
    key: Text | None = None
    secure: Secure = "auto"
    http_only: StrictBool = True
    same_site: Literal["strict", "lax", "none"] = "lax"
    max_age: Duration = 0.0
    path: Annotated[Text, Field(pattern=r"^/[!#-+\--:<-~]*$")] = "/"

    @property
    def name(self) -> str:
        """Of the cookie, whoever sets it."""
        return self.cookie or self.learn or self.route or ""

    @model_validator(mode="after")
    def _fit(self) -> Self:
        way = self.only_one("cookie", "learn", "route")
        for key, owner in _STICKY_KEYS.items():
            if key in self.model_fields_set and owner != way:
                raise wrong("contradiction", f"`{key}` is for `{owner}`, not for `{way}`", "remove it", at=key)
        if self.key is not None and len(self.key.encode("utf-8")) < KEY_BYTES:
            hint = "`openssl rand -hex 32` makes one"
            raise wrong("key-short", f"the key has less than {KEY_BYTES} characters", hint, at="key")
        if self.same_site == "none" and self.secure is not True:
            hint = "add `secure: true`"
            raise wrong("contradiction", "browsers refuse a cookie with `same_site: none` that is not secure", hint)
        return self
