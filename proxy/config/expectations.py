"""Route tests as they are written: a request, and what is expected of it."""

from __future__ import annotations

import ipaddress
import re
from difflib import get_close_matches
from typing import Annotated, Any, NamedTuple, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from proxy.config.values import FieldName, FieldValue, OneOrMany, ShortWish, StrictInt, StrictStr, Wish, shown, wrong
from proxy.errors import REASONS

_EXPECTED = ("route", "upstream", "path", "status", "refused")
#: What stands for a client without a certificate, where a file could be named.
NO_CERTIFICATE = "none"
_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (https?://[^/?#\s@]*(?:/[^#\s]*|\?[^#\s]*|))\Z")


class RequestLine(NamedTuple):
    """What `GET http://host/path?query` asks for.

    @ivar url: as it is written.
    """

    method: bytes
    url: str


def _request_line(value: Any) -> RequestLine:
    match = _LINE.match(value) if isinstance(value, str) else None
    if match is None:
        raise wrong("request", f"{shown(value)} is not a request", "write for example GET http://host/path")
    method, url = match.groups()
    return RequestLine(method.encode("ascii"), url)


def _client(value: Any) -> str:
    try:
        return str(ipaddress.ip_address(value if isinstance(value, str) else ""))
    except ValueError as error:
        raise wrong("network", f"{shown(value)} is not an IP address", "write for example 203.0.113.7") from error


def _reason(value: Any) -> str:
    if not isinstance(value, str) or value not in REASONS:
        meant = get_close_matches(str(value), REASONS, 1)
        hint = f"did you mean `{meant[0]}`?" if meant else "the access log and docs/reasons.md name them"
        raise wrong("reason", f"{shown(value)} is no reason for a refusal", hint)
    return value


class TestRequest(ShortWish):
    """A request that a route test makes: `GET http://host/path`, or that line with more.

    @ivar client_certificate: a PEM file that the client shows where it is asked, or `none`; None for what is wanted.
    """

    __test__ = False  # pytest takes every class named Test... for tests

    shorthand = "line"

    line: Annotated[RequestLine, PlainValidator(_request_line), WithJsonSchema({"type": "string"})]
    headers: dict[FieldName, Annotated[tuple[FieldValue, ...], OneOrMany()]] = {}
    client: Annotated[str, PlainValidator(_client), WithJsonSchema({"type": "string"})] = "127.0.0.1"
    client_certificate: StrictStr | None = None


class RouteTest(Wish):
    """A request, and at least one thing that is expected of it.

    @ivar path: the normalized path that the upstream would see.
    @ivar status: of the answer that the proxy gives by itself.
    @ivar refused: the reason for which the proxy refuses the request, or the handshake before it.
    @ivar headers: of the same answer; one field of the name has the value.
    """

    request: TestRequest
    upstream: StrictStr | None = None
    route: StrictStr | None = None
    path: StrictStr | None = None
    status: Annotated[StrictInt, Field(ge=100, le=599)] | None = None
    refused: Annotated[str, PlainValidator(_reason), WithJsonSchema({"enum": sorted(REASONS)})] | None = None
    headers: dict[FieldName, FieldValue] = {}

    @model_validator(mode="after")
    def _expect(self) -> Self:
        if not self.headers and all(getattr(self, name) is None for name in _EXPECTED):
            raise wrong("expectation", "this test expects nothing", f"add {', '.join(_EXPECTED)} or headers")
        return self
