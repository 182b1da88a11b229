"""The small words of a configuration: durations, sizes, names, field names, regular expressions.

Each is an annotated type that turns text into what the program wants (seconds, bytes, compiled patterns) and says in
words what it wanted where it cannot.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    StrictBool,
    StrictInt,
    StrictStr,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue

__all__ = ["StrictBool", "StrictInt", "StrictStr"]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+\Z")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SIZES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SIZE = re.compile(r"([0-9]{1,12})(B|kB|KB|MB|GB|KiB|MiB|GiB)\Z")
_YEAR_SECONDS = 365 * 86400.0

_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_TOKEN = re.compile(TOKEN + r"\Z")
_FIELD_VALUE = re.compile(r"[\x20-\x7e\t\x80-\uffff]*\Z")


def wrong(code: str, message: str, hint: str = "", **more: Any) -> PydanticCustomError:
    """An error that says `message`, and `hint` on what to do. `more` is for `proxy.config.translate`."""
    return PydanticCustomError(code, "{text}", {"text": message, "hint": hint, **more})


class Wish(BaseModel):
    """One mapping of a configuration, validated and never changed again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def only_one(self, *names: str) -> str:
        """Which one of `names` is given; an error unless it is exactly one."""
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) == 1:
            return given[0]
        listed = ", ".join(f"`{name}`" for name in names)
        if not given:
            raise wrong("exactly-one", f"one of {listed} is missing")
        both = " and ".join(f"`{name}`" for name in given)
        raise wrong("exactly-one", f"{both} exclude each other", f"keep one of {listed}", second=given[1])


class ShortWish(Wish):
    """A wish that may be written as one plain value, which then stands for the key named `shorthand`."""

    shorthand: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _unfold(cls, value: Any) -> Any:
        return value if value is None or isinstance(value, dict) else {cls.shorthand: value}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, generate: GetJsonSchemaHandler, /) -> JsonSchemaValue:
        long = generate(schema)
        short = dict(generate.resolve_ref_schema(long)["properties"][cls.shorthand])
        short.pop("default", None)
        options = [option for option in short.get("anyOf", [short]) if option != {"type": "null"}]
        return {"anyOf": [*({k: v for k, v in o.items() if k != "title"} for o in options), long]}


class OneOrMany:
    """Marks a list that may be written as its only item."""

    def __get_pydantic_core_schema__(self, source: Any, generate: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_listed, generate(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, generate: GetJsonSchemaHandler) -> JsonSchemaValue:
        many = generate(schema)
        return {"anyOf": [many["items"], many]}


class AlsoWritten:
    """Marks a mapping that may be written in these words as well, such as `false` for none: editors want to know."""

    def __init__(self, *words: str | bool) -> None:
        self._words = words

    def __get_pydantic_json_schema__(self, schema: CoreSchema, generate: GetJsonSchemaHandler) -> JsonSchemaValue:
        long = generate(schema)
        return {"anyOf": [{"enum": list(self._words)}, *long.get("anyOf", [long])]}


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) or value is None else [value]


def _seconds(value: Any, years: int = 1) -> float:
    if isinstance(value, float):
        return value  # a default, in seconds already
    if value == 0 and not isinstance(value, bool):
        return 0.0
    if isinstance(value, int) and not isinstance(value, bool):
        raise wrong("duration", f"{value} has no unit", f"write {value}s for seconds or {value}ms for milliseconds")
    if not isinstance(value, str) or not _DURATION.match(value):
        raise wrong("duration", f"{shown(value)} is not a duration", "write for example 10s, 500ms, 1m30s or 1h")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(value))
    if seconds > years * _YEAR_SECONDS:
        raise wrong("duration", f"{shown(value)} is more than {'a year' if years == 1 else f'{years} years'}")
    return seconds


def _many_seconds(value: Any) -> float:
    return _seconds(value, years=10)


def _positive_seconds(value: Any) -> float:
    seconds = _seconds(value)
    if seconds <= 0:
        raise wrong("duration", "this time cannot be switched off", "write a duration above 0, such as 10s")
    return seconds


def _bytes(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.match(value) if isinstance(value, str) else None
    if match is None:
        hint = "write for example 512B, 16KiB, 10MiB or 1GB"
        if isinstance(value, str) and (short := re.fullmatch(r"([0-9]+) ?([kKmMgG])[bB]?", value)):
            hint = f"write {short.group(1)}{short.group(2).upper()}iB"
        raise wrong("size", f"{shown(value)} is not a size", hint)
    return int(match.group(1)) * _SIZES[match.group(2)]


def _text(value: Any) -> Any:
    # Header and query values are text even where they look like a number: `X-Version: 2`.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _name(value: Any) -> str:
    text = _text(value)
    if not isinstance(text, str) or not re.fullmatch(_NAME, text):
        raise wrong(
            "name", f"{shown(value)} is not a name", "use letters, digits, `.`, `_` and `-`, at most 64 of them"
        )
    return text


def _token(value: Any) -> str:
    if not isinstance(value, str) or not _TOKEN.match(value):
        raise wrong("token", f"{shown(value)} is not an HTTP token", "no spaces, colons or other separators")
    return value


def _field_name(value: Any) -> bytes:
    if not isinstance(value, str) or not _TOKEN.match(value):
        raise wrong("field-name", f"{shown(value)} is not the name of a header field")
    return value.encode("ascii")


def _field_value(value: Any) -> bytes:
    text = _text(value)
    if not isinstance(text, str):
        raise wrong("field-value", f"{shown(value)} is not the value of a header field", "put it in quotes")
    if not _FIELD_VALUE.match(text):
        raise wrong("field-value", "a header field value must not contain line ends or control characters")
    return text.strip(" \t").encode("utf-8")


def _compile(value: Any) -> re.Pattern[bytes]:
    if not isinstance(value, str):
        raise wrong("regex", f"{shown(value)} is not a regular expression", "put it in quotes")
    try:
        return re.compile(value.encode("utf-8"))
    except re.error as error:
        raise wrong("regex", f"not a regular expression: {error.msg}", offset=error.pos) from error


def shown(value: Any) -> str:
    """`value` as it may stand in a message."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"


_DURATION_SCHEMA = WithJsonSchema(
    {
        "anyOf": [{"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"}, {"const": 0}],
        "examples": ["10s", "500ms", "1m30s"],
    }
)
_SIZE_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "pattern": "^[0-9]+(B|kB|KB|MB|GB|KiB|MiB|GiB)$"},
            {"type": "integer", "minimum": 0},
        ],
        "examples": ["16KiB", "10MiB"],
    }
)

#: Seconds, 0.0 where switched off.
Duration = Annotated[float, PlainValidator(_seconds), _DURATION_SCHEMA]
#: The same for what others are to remember, such as browsers: up to ten years.
LongDuration = Annotated[float, PlainValidator(_many_seconds), _DURATION_SCHEMA]
#: Seconds, above 0.
PositiveDuration = Annotated[float, PlainValidator(_positive_seconds), _DURATION_SCHEMA]
#: Bytes.
Size = Annotated[int, PlainValidator(_bytes), _SIZE_SCHEMA]
Text = Annotated[StrictStr, BeforeValidator(_text)]
Name = Annotated[str, PlainValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"})]
Token = Annotated[str, PlainValidator(_token), WithJsonSchema({"type": "string", "pattern": f"^{TOKEN}$"})]
FieldName = Annotated[bytes, PlainValidator(_field_name), WithJsonSchema({"type": "string", "pattern": f"^{TOKEN}$"})]
FieldValue = Annotated[bytes, PlainValidator(_field_value), WithJsonSchema({"type": ["string", "integer"]})]
Regex = Annotated[re.Pattern[bytes], PlainValidator(_compile), WithJsonSchema({"type": "string", "format": "regex"})]
