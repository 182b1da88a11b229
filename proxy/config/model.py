"""The whole configuration, validated: what every other floor reads."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from proxy.config.admin import Admin, switched
from proxy.config.bounds import Limits, Timeouts
from proxy.config.endpoint import parse_endpoint
from proxy.config.expectations import RouteTest
from proxy.config.gates import Gate
from proxy.config.reload import Reload
from proxy.config.resolver import Resolver
from proxy.config.routes import NetworkValue, Route
from proxy.config.tls import ListenerTls
from proxy.config.upstreams import Upstream, UpstreamSettings
from proxy.config.values import (
    AlsoWritten,
    Name,
    OneOrMany,
    ShortWish,
    StrictBool,
    StrictInt,
    StrictStr,
    Wish,
    shown,
    wrong,
)

Endpoint = Annotated[
    str,
    PlainValidator(parse_endpoint),
    WithJsonSchema(
        {"type": "string", "examples": ["tcp:8080", "tcp:8080:interface=127.0.0.1", "unix:/run/proxy.sock"]}
    ),
]


class HttpsPort(int):
    """A port to which every request is redirected, with https."""

    @property
    def text(self) -> str:
        """As it is written."""
        return "https" if self == 443 else f"https:{self:d}"


def _https_port(value: Any) -> HttpsPort:
    match = re.fullmatch(r"https(?::([1-9][0-9]{0,4}))?", value) if isinstance(value, str) else None
    port = int(match.group(1) or 443) if match is not None else 0
    if not 0 < port < 65536:
        raise wrong("redirect", f"{shown(value)} is no redirect of a listener", "write https, or https:8443")
    return HttpsPort(port)


_HttpsPort = Annotated[
    HttpsPort, PlainValidator(_https_port), WithJsonSchema({"type": "string", "pattern": "^https(:[1-9][0-9]*)?$"})
]


class Listener(ShortWish):
    """An address we accept connections on: a Twisted server endpoint description.

    @ivar tls: TLS on it; None for plain HTTP.
    @ivar redirect: the port to which every request is redirected, with https.
    """

    shorthand = "endpoint"

    endpoint: Endpoint
    tls: ListenerTls | None = None
    redirect: _HttpsPort | None = None

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.tls is not None and self.redirect is not None:
            raise wrong("contradiction", "this listener speaks TLS: it would redirect to itself", at="redirect")
        return self


def _off_or_name(value: Any) -> Any:
    if value is False:
        return None
    if value is True or not isinstance(value, str) or not value:
        raise wrong("type", f"{shown(value)} is neither a name nor false")
    return value


def _off_or_token(value: Any) -> bytes | None:
    name = _off_or_name(value)
    if name is not None and not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
        raise wrong("token", f"{shown(value)} is not an HTTP token", "no spaces, colons or other separators")
    return None if name is None else name.encode("ascii")


_NAME_OR_FALSE = WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"const": False}]})
OptionalToken = Annotated[bytes | None, PlainValidator(_off_or_token), _NAME_OR_FALSE]
OptionalPath = Annotated[str | None, PlainValidator(_off_or_name), _NAME_OR_FALSE]


class Forwarded(Wish):
    """What the upstream is told about the client, and what is believed of it.

    @ivar x_forwarded: set X-Forwarded-For, -Proto, -Host and -Port.
    @ivar forwarded: set Forwarded (RFC 7239) as well.
    @ivar via: the pseudonym in Via (RFC 9110 section 7.6.3), None for no Via.
    @ivar request_id: the field that carries the id of a request, None for none.
    @ivar underscores: what happens to fields whose name has a `_`: some applications take `X_Real_Ip` for `X-Real-Ip`.
    """

    x_forwarded: StrictBool = True
    forwarded: StrictBool = False
    via: OptionalToken = b"reverseproxy"
    request_id: OptionalToken = b"X-Request-ID"
    underscores: Literal["drop", "allow"] = "drop"


class Demo(ShortWish):
    """Small sites on loopback that the service starts by itself, so that a first configuration has something to proxy.

    An upstream names them `demo:1`, `demo:2`, and so on.
    """

    shorthand = "servers"

    servers: Annotated[StrictInt, Field(ge=1, le=99)]


class Defaults(Wish):
    """What every upstream starts from; what an upstream says itself comes first."""

    upstream: UpstreamSettings = UpstreamSettings()


class Config(Wish):
    """Everything that a configuration file says, with the defaults for what it does not say.

    @ivar include: files and directories that upstreams, gates, routes and tests come from as well.
    @ivar gates: lists of gates that routes use by name; in a loaded configuration, routes have them expanded.
    @ivar access_log: a file, `stdout`, or None for no log.
    @ivar state: the folder for what the proxy keeps; None for that of the system.
    """

    include: Annotated[tuple[StrictStr, ...], OneOrMany()] = ()

    listen: Annotated[tuple[Listener, ...], Field(min_length=1), OneOrMany()] = (Listener(endpoint="tcp:8080"),)
    trusted_proxies: Annotated[tuple[NetworkValue, ...], OneOrMany()] = ()
    defaults: Defaults = Defaults()
    upstreams: dict[Name, Upstream] = {}
    gates: dict[Name, tuple[Gate, ...]] = {}
    routes: tuple[Route, ...]
    timeouts: Timeouts = Timeouts()
    resolver: Resolver = Resolver()
    limits: Limits = Limits()
    forwarded: Forwarded = Forwarded()
    access_log: OptionalPath = "stdout"
    admin: Annotated[Admin | None, BeforeValidator(switched), AlsoWritten(True, False)] = None
    reload: Reload = Reload()
    demo: Demo | None = None
    state: StrictStr | None = None
    tests: tuple[RouteTest, ...] = ()

    def timeouts_of(self, route: Route, upstream: str | None = None) -> Timeouts:
        """The deadlines in force on `route`: its own, else those of its upstream, else the general ones.

        @param upstream: one of a split; the only one of the route by default.
        """
        timeouts, upstream = self.timeouts, upstream or route.upstream
        if upstream is not None:
            timeouts = timeouts.overlaid(self.upstreams[upstream].timeouts)
        return timeouts.overlaid(route.timeouts)

    def body_limit_of(self, route: Route) -> int:
        """How many bytes of body a request on `route` may have; 0 for any number."""
        return self.limits.body if route.limits.body is None else route.limits.body
