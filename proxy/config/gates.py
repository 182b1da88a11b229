"""The gates a route may ask for, as written: a list of mappings with one key each."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, PlainValidator, WithJsonSchema, model_validator

from proxy.config.values import FieldName, FieldValue, OneOrMany, Regex, ShortWish, StrictStr, Wish, shown, wrong

#: Fields that frame a message or belong to one connection: the proxy writes them itself.
FRAMING_FIELDS = frozenset({
    b"connection", b"content-length", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
    b"upgrade",
})  # fmt: skip
# What a normalized path has bare: RFC 3986 unreserved characters, sub-delimiters, `:` and `@`.
_BARE = re.compile(r"[\w.~!$&'()*+,;=:@-]", re.ASCII)


def _own_field(name: bytes) -> bytes:
    if name.lower() in FRAMING_FIELDS:
        text = name.decode("ascii")
        raise wrong("framing-field", f"`{text}` frames the message: only the proxy may write it", "remove it")
    return name


def _prefix(value: Any) -> bytes:
    if not isinstance(value, str) or not value.startswith("/"):
        raise wrong("path-prefix", f"{shown(value)} is not a path prefix", "it begins with /")
    if not value.isascii() or any(letter in value for letter in " ?#\\") or not value.isprintable():
        raise wrong(
            "path-prefix", f"{shown(value)} is not a path prefix", "percent-encode everything but plain characters"
        )
    for escape in re.findall("%.{0,2}", value):
        # Prefixes are compared with normalized paths, which have one spelling for each character.
        letter = chr(int(escape[1:], 16)) if re.fullmatch("%[0-9A-Fa-f]{2}", escape) else "\0"
        if letter == "\0" or _BARE.fullmatch(letter):
            hint = f"write `{letter}`" if letter != "\0" else "write %25 for %"
            raise wrong("path-prefix", f"`{escape}` never comes up in a path", hint)
    prefix = re.sub("%..", lambda match: match.group().upper(), value.rstrip("/"))
    if not prefix:
        raise wrong("path-prefix", "the prefix `/` changes nothing", "remove the gate")
    return prefix.encode("ascii")


#: A path prefix without a slash at its end.
Prefix = Annotated[bytes, PlainValidator(_prefix), WithJsonSchema({"type": "string", "pattern": "^/."})]
OwnField = Annotated[FieldName, AfterValidator(_own_field)]
Values = Annotated[tuple[FieldValue, ...], OneOrMany()]


class Rewrite(Wish):
    """Replace what `regex` finds first in the path (never in the query) by `replace`, which may name groups: `\\1`."""

    regex: Regex
    replace: StrictStr

    @model_validator(mode="after")
    def _fit(self) -> Self:
        try:
            self.regex.sub(self.template, b"")
        except (re.error, LookupError) as error:
            raise wrong("rewrite", f"`replace` does not fit the regular expression: {error}", at="replace") from error
        return self

    @property
    def template(self) -> bytes:
        """`replace` as `re.Pattern.sub` takes it."""
        return self.replace.encode("utf-8")


class FieldChanges(Wish):
    """What happens to the fields of one head, in this order: remove, set (in place of all that are there), add."""

    set: dict[OwnField, Values] = {}
    add: dict[OwnField, Values] = {}
    remove: Annotated[tuple[OwnField, ...], OneOrMany()] = ()


class Headers(Wish):
    """Changes of the fields of requests and responses."""

    request: FieldChanges = FieldChanges()
    response: FieldChanges = FieldChanges()


class Gate(ShortWish):
    """One gate: exactly one key is given."""

    shorthand = "use"

    use: StrictStr | None = None
    strip_prefix: Prefix | None = None
    add_prefix: Prefix | None = None
    rewrite: Rewrite | None = None
    headers: Headers | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        self.only_one("strip_prefix", "add_prefix", "rewrite", "headers", "use")
        return self

    @property
    def kind(self) -> str:
        """Which gate: the key that is given."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)
