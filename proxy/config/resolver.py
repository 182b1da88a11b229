"""How the names of servers become addresses, as written."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Self

from pydantic import PlainValidator, WithJsonSchema, model_validator

from proxy import limits
from proxy.config.values import OneOrMany, PositiveDuration, StrictStr, Wish, shown, wrong

DNS_PORT = 53


def _name_server(value: Any) -> tuple[str, int]:
    """A host and a port: `10.0.0.2`, `10.0.0.2:5353`, `[fd00::2]:53`."""
    text = value if isinstance(value, str) else ""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        host, port = text, str(DNS_PORT)
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError as error:
        hint = "an IP address, with or without a port: 10.0.0.2:53"
        raise wrong("name-server", f"{shown(value)} is not the address of a name server", hint) from error
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise wrong("name-server", f"`{port}` is not a port", "a number from 1 to 65535")
    return str(address), int(port)


class Resolver(Wish):
    """Where names are looked up, and how often.

    @ivar servers: name servers; those of /etc/resolv.conf where there are none.
    @ivar hosts: a file of names that are known without asking; relative to the configuration.
    @ivar min_ttl: an answer holds at least this long, whatever it says itself.
    @ivar max_ttl: and at most this long.
    @ivar timeout: for one lookup.
    """

    servers: Annotated[
        tuple[Annotated[tuple[str, int], PlainValidator(_name_server), WithJsonSchema({"type": "string"})], ...],
        OneOrMany(),
    ] = ()
    hosts: StrictStr = "/etc/hosts"
    min_ttl: PositiveDuration = limits.NAME_SHORTEST_SECONDS
    max_ttl: PositiveDuration = limits.NAME_LONGEST_SECONDS
    timeout: PositiveDuration = limits.NAME_LOOKUP_SECONDS

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.max_ttl < self.min_ttl:
            raise wrong("contradiction", "`max_ttl` is shorter than `min_ttl`", at="max_ttl")
        return self
