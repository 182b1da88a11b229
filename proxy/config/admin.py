"""The control site of the running proxy, as written."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Annotated, Any, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from proxy.config.endpoint import parse_endpoint
from proxy.config.values import ShortWish, Text, shown, wrong

# What nobody guesses: 128 bits, if whoever made them took the trouble.
TOKEN_BYTES = 16
# Whoever may open the socket may change the proxy.
SOCKET_MODE = "600"


def default_endpoint() -> str:
    """Where the control site is if nobody says where: a socket in a directory of the user who runs the proxy; "" where
    there is no such directory."""
    if os.getuid() == 0:
        return f"unix:/run/reverseproxy.sock:mode={SOCKET_MODE}"
    directory = os.environ.get("XDG_RUNTIME_DIR", "")
    # Not in /tmp: there anybody could listen in our place.
    return f"unix:{directory.replace(':', chr(92) + ':')}/reverseproxy.sock:mode={SOCKET_MODE}" if directory else ""


def _control_endpoint(value: Any) -> str:
    endpoint = parse_endpoint(value)
    kind = endpoint.partition(":")[0]
    if kind == "unix":
        return endpoint if re.search(r"(?<!\\):mode=", endpoint) else f"{endpoint}:mode={SOCKET_MODE}"
    interface = re.search(r"(?<!\\):interface=((?:\\.|[^:\\])*)", endpoint)
    address = re.sub(r"\\(.)", r"\1", interface[1]) if interface else ""
    if kind not in ("tcp", "tcp6") or not _is_loopback(address):
        hint = "a UNIX socket, unix:/path, or loopback: tcp:9180:interface=127.0.0.1"
        raise wrong("admin", f"the control site cannot listen on {shown(endpoint)}", hint)
    return endpoint


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def switched(value: Any) -> Any:
    """`true` for the control site as it is by default, `false` for none."""
    return {} if value is True else None if value is False else value


class Admin(ShortWish):
    """The control site: where it listens, and who may change things there.

    @ivar listen: a UNIX socket (of mode 600 unless it says otherwise), or a loopback address.
    @ivar token: lets those who come over TCP change things; without one, only the UNIX socket does.
    """

    shorthand = "listen"

    listen: Annotated[
        str,
        PlainValidator(_control_endpoint),
        WithJsonSchema({"type": "string", "examples": ["unix:/run/reverseproxy.sock", "tcp:9180:interface=127.0.0.1"]}),
    ] = Field(default_factory=default_endpoint)
    token: Text | None = None

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if not self.listen:
            raise wrong("admin", "there is no usual place for the control site", "write for example admin: unix:/path")
        if self.token is not None and len(self.token.encode("utf-8")) < TOKEN_BYTES:
            hint = "`openssl rand -hex 32` makes one"
            raise wrong("key-short", f"the token has less than {TOKEN_BYTES} characters", hint, at="token")
        return self
