"""Routes: what a request must look like, and where it goes then."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from proxy.config.address import looks_like_address, parse_address
from proxy.config.balancing import Key
from proxy.config.bounds import RouteLimits, RouteTimeouts
from proxy.config.gates import Gate, OwnField, Values
from proxy.config.values import (
    FieldName,
    Name,
    OneOrMany,
    Regex,
    ShortWish,
    StrictBool,
    StrictInt,
    StrictStr,
    Text,
    Token,
    Wish,
    shown,
    wrong,
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST_NAME = re.compile(r"(?:\*\.)?(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\Z")
_WITH_PORT = re.compile(r"(.*):[0-9]+\Z")
_REFUSED = re.compile(r"%(?![0-9A-Fa-f]{2})|%00|[\x00-\x1f\x7f]")
_APP = re.compile(r"resource:((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*):([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\Z")
TARGETS = ("upstream", "split", "redirect", "respond", "static", "app")


def _network(value: Any) -> Network:
    try:
        if isinstance(value, str):
            return ipaddress.ip_network(value)
    except ValueError as error:
        try:
            whole = ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise wrong(
                "network", f"{shown(value)} is not an address or a network", "write for example 10.0.0.0/8"
            ) from error
        raise wrong("network", f"{shown(value)} has bits set beyond its prefix", f"write {whole}") from error
    raise wrong("network", f"{shown(value)} is not an address or a network", "write for example 10.0.0.0/8")


def _host_name(value: Any) -> str:
    """A host in lower case without a dot at its end, `*.` at its front for all below, or `*` for every host."""
    if not isinstance(value, str):
        raise wrong("host", f"{shown(value)} is not a host", "write for example api.example.com or '*.example.com'")
    host = value.lower()
    if host == "*":
        return host
    if "://" in host or "/" in host:
        raise wrong("host", f"`{value}` is a URL, not a host", "only the name, such as api.example.com")
    if host.startswith("["):
        return _bracketed(value)
    if match := _WITH_PORT.match(host):
        raise wrong("host", f"`{value}` has a port; routes look at the name alone", f"write {match.group(1)}")
    host = host.removesuffix(".")
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise wrong("host", f"`{value}` is not a host", "write its xn-- form") from error
    if not _HOST_NAME.match(host):
        hint = "a wildcard is `*.` at the front; use {regex: ...} for more" if "*" in host else ""
        raise wrong("host", f"`{value}` is not a host", hint)
    return host


def _bracketed(value: str) -> str:
    try:
        return f"[{ipaddress.IPv6Address(value[1:-1] if value.endswith(']') else value)}]"
    except ValueError as error:
        raise wrong("host", f"`{value}` is not a host", "an IPv6 address stands in brackets: '[::1]'") from error


def _path(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith("/"):
        hint = f"write /{value}" if isinstance(value, str) and value and not re.search(r"[\^*:]", value) else ""
        raise wrong("path", f"{shown(value)} is not a path: it begins with /", hint)
    for sign, hint in (
        ("?", "match the query with `query:`"),
        ("#", "a fragment is never sent"),
        ("\\", ""),
        (" ", "write %20"),
    ):
        if sign in value:
            raise wrong("path", f"`{sign}` in a path never matches", hint, offset=value.index(sign))
    if bad := _REFUSED.search(value):
        raise wrong(
            "path", f"{shown(value)} never matches: `{bad.group()}` is refused", "write %25 for %", offset=bad.start()
        )
    if "*" in value:
        hint = "a path is a prefix already" if value.endswith("/*") else "use {regex: ...}"
        raise wrong("path", f"`{value}`: a path takes no wildcards", hint, offset=value.index("*"))
    if any(segment in ("", ".", "..") for segment in value[1:].removesuffix("/").split("/")) and value != "/":
        raise wrong("path", f"`{value}` never matches: paths are matched with `//`, `.` and `..` resolved")
    return value


_HostName = Annotated[str, PlainValidator(_host_name), WithJsonSchema({"type": "string"})]
_Path = Annotated[str, PlainValidator(_path), WithJsonSchema({"type": "string", "pattern": "^/"})]
NetworkValue = Annotated[Network, PlainValidator(_network), WithJsonSchema({"type": "string"})]


class HostMatch(ShortWish):
    """One host: a name (`*.` at its front takes every name below), or a regular expression."""

    shorthand = "name"

    name: _HostName | None = None
    regex: Regex | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        self.only_one("name", "regex")
        return self


class PathMatch(ShortWish):
    """One path: a prefix on a segment boundary, an exact path, or a regular expression."""

    shorthand = "prefix"

    prefix: _Path | None = None
    exact: _Path | None = None
    regex: Regex | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        self.only_one("prefix", "exact", "regex")
        return self


class ValueMatch(ShortWish):
    """One header or query value: this text, a regular expression, or whether it is there at all."""

    shorthand = "exact"

    exact: Text | None = None
    regex: Regex | None = None
    present: StrictBool | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        self.only_one("exact", "regex", "present")
        return self


def _location(value: Any) -> bytes:
    if not isinstance(value, str):
        raise wrong("redirect", f"{shown(value)} is not a place to redirect to", "write a URL or a path")
    if not re.match(r"https?://[^/?#]|/(?![/\\])", value):
        hint = f"write https://{value}" if re.match(r"[\w-]+(\.[\w-]+)+", value) else "write https://... or /path"
        raise wrong("redirect", f"`{value}` is neither a URL nor a path", hint)
    if not value.isascii() or not value.isprintable() or " " in value or "\\" in value:
        raise wrong("redirect", f"`{value}` is not a URL", "percent-encode everything but plain characters")
    return value.encode("ascii")


class Redirect(ShortWish):
    """Answer with a redirect.

    @ivar to: a URL or an absolute path.
    @ivar keep_path: append the path of the request.
    @ivar keep_query: append the query of the request.
    """

    shorthand = "to"

    to: Annotated[bytes, PlainValidator(_location), WithJsonSchema({"type": "string"})]
    status: Literal[301, 302, 307, 308] = 307
    keep_path: StrictBool = False
    keep_query: StrictBool = False

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.keep_path and (b"?" in self.to or b"#" in self.to):
            raise wrong(
                "contradiction", "`keep_path` cannot follow a target with a query or a fragment", at="keep_path"
            )
        return self


class Respond(ShortWish):
    """Answer with this."""

    shorthand = "status"

    status: Annotated[StrictInt, Field(ge=200, le=599)] = 200
    body: Text = ""
    headers: dict[OwnField, Values] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.body and self.status in (204, 205, 304):
            raise wrong("contradiction", f"a response {self.status} has no body", "remove the body", at="body")
        return self


class Static(ShortWish):
    """Serve files below `root`.

    @ivar root: a directory; relative to the file that names it.
    @ivar index: what stands for a directory, the first that is there.
    @ivar listing: show the contents of a directory without index.
    """

    shorthand = "root"

    root: StrictStr
    index: Annotated[tuple[StrictStr, ...], OneOrMany()] = ("index.html",)
    listing: StrictBool = False


class Application(ShortWish):
    """A Python object that is mounted: `resource:package.module:Name`."""

    shorthand = "object"

    object: StrictStr

    @model_validator(mode="after")
    def _known(self) -> Self:
        kind = self.object.partition(":")[0]
        if kind in ("wsgi", "asgi"):
            raise wrong(
                "app", f"`{kind}:` applications are not there yet", "a twisted.web resource is resource:module:Name"
            )
        if not _APP.match(self.object):
            raise wrong("app", f"`{self.object}` is not an application", "write resource:package.module:Name")
        return self

    @property
    def module(self) -> str:
        return self.object.split(":")[1]

    @property
    def name(self) -> str:
        """The object in the module; may be dotted."""
        return self.object.split(":")[2]


def _upgrade(value: Any) -> Any:
    if isinstance(value, bool):
        return ["websocket"] if value else []
    return value


def _protocol(value: Any) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._-]+(/[0-9.]+)?", value):
        raise wrong("upgrade", f"{shown(value)} is not the name of a protocol", "write for example websocket")
    if value.lower() == "h2c":
        # An upgraded connection is a tunnel: requests inside it would pass by every route and gate.
        raise wrong("upgrade", "`h2c` would carry requests past the routes", "remove it")
    return value.lower().encode("ascii")


Upgrade = Annotated[
    tuple[Annotated[bytes, PlainValidator(_protocol), WithJsonSchema({"type": "string"})], ...],
    OneOrMany(),
    BeforeValidator(_upgrade),
    WithJsonSchema(
        {
            "anyOf": [{"type": "boolean"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        }
    ),
]


def _method(value: Any) -> Any:
    if isinstance(value, str) and value.upper() != value and value.isalpha():
        raise wrong("method", f"`{value}`: methods are case-sensitive", f"write {value.upper()}")
    return value


def _upstream(value: Any) -> Any:
    if isinstance(value, str) and looks_like_address(value):
        return parse_address(value).text
    return value


_UpstreamName = Annotated[StrictStr, BeforeValidator(_upstream)]


class Branch(ShortWish):
    """One way out of a split."""

    shorthand = "upstream"

    upstream: _UpstreamName
    weight: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = 1


class Split(ShortWish):
    """Several upstreams, each with its share of the requests.

    @ivar by: what keeps a client with its upstream; None draws lots for every request.
    """

    shorthand = "branches"

    branches: Annotated[tuple[Branch, ...], Field(min_length=1)]
    by: Key | None = None

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if len(self.branches) == 1:
            hint = f"write `upstream: {self.branches[0].upstream}`"
            raise wrong("split-of-one", "a split needs a second branch", hint, at="branches")
        if not any(branch.weight for branch in self.branches):
            raise wrong("weights-zero", "every branch has the weight 0: none gets a request", at="branches")
        return self


class Route(Wish):
    """What a request must look like (all of it), and the one target it goes to then.

    Lists in `host`, `path`, `methods` and `client`: one of the items must fit. `headers` and `query`: all must.

    @ivar upstream: the name of an upstream; once a configuration is loaded, also the address of a pool of one.
    @ivar upgrade: the protocols a client may switch to, in lower case.
    """

    name: Name | None = None
    host: Annotated[tuple[HostMatch, ...], Field(min_length=1), OneOrMany()] | None = None
    path: Annotated[tuple[PathMatch, ...], Field(min_length=1), OneOrMany()] | None = None
    methods: (
        Annotated[tuple[Annotated[Token, BeforeValidator(_method)], ...], Field(min_length=1), OneOrMany()] | None
    ) = None
    headers: dict[FieldName, ValueMatch] = Field(default_factory=dict)
    query: dict[StrictStr, ValueMatch] = Field(default_factory=dict)
    client: Annotated[tuple[NetworkValue, ...], Field(min_length=1), OneOrMany()] | None = None
    priority: Annotated[StrictInt, Field(ge=-1_000_000, le=1_000_000)] = 0

    upstream: _UpstreamName | None = None
    split: Split | None = None
    redirect: Redirect | None = None
    respond: Respond | None = None
    static: Static | None = None
    app: Application | None = None

    gates: tuple[Gate, ...] = ()
    upgrade: Upgrade = (b"websocket",)
    timeouts: RouteTimeouts = RouteTimeouts()
    limits: RouteLimits = RouteLimits()
    encoded_slash: Literal["reject", "allow"] = "reject"

    @model_validator(mode="after")
    def _one(self) -> Self:
        self.only_one(*TARGETS)
        return self

    @property
    def target(self) -> str:
        """Which target: the key that is given."""
        return next(name for name in TARGETS if getattr(self, name) is not None)

    @property
    def upstreams(self) -> tuple[str, ...]:
        """The upstreams that its requests may go to; none where it answers by itself."""
        if self.split is not None:
            return tuple(branch.upstream for branch in self.split.branches)
        return () if self.upstream is None else (self.upstream,)
