"""Where a server of an upstream is: `http(s)://host:port`, `unix:/path`, `srv://service`, or a demo server."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from proxy.config.values import shown, wrong

_HOST = re.compile(r"(?=.{1,253}\.?\Z)(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?\Z")

# What is written in its place.
_INSTEAD = {
    "wss": "write https://{}",
    "ws": "write http://{}",
    **dict.fromkeys(("srv+https", "srvs"), "write https+srv://{}"),
    **dict.fromkeys(("unix+https", "unixs"), "write https+unix:{}"),
}


class Address(NamedTuple):
    """An address that a server listens on.

    @ivar kind: what the other fields mean.
    @ivar host: of `tcp`: a name or an IP address, IPv6 without brackets; of `srv`: the name of the service; else "".
    @ivar port: of `tcp`: 1 to 65535; of `demo`: which demo server, from 1; else 0.
    @ivar path: of `unix`: an absolute path; else "".
    @ivar text: the address as it is shown to people.
    @ivar secure: TLS is spoken there.
    """

    kind: Literal["tcp", "unix", "srv", "demo"]
    host: str
    port: int
    path: str
    text: str
    secure: bool = False

    @property
    def authority(self) -> bytes:
        """What stands in `Host` where the upstream wants to read its own name."""
        if self.kind != "tcp":
            return self.server_name.encode("ascii")
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.secure else 80
        return host.encode("ascii") if self.port == usual else f"{host}:{self.port}".encode("ascii")

    @property
    def server_name(self) -> str:
        """Who a server has to be by its certificate, where nothing else is agreed on. Of a service it is the name that
        was asked for: the names in the answer are told by DNS, and may be forged (RFC 9525 section 6.1)."""
        if self.kind == "srv":
            return re.sub(r"\A(?:_[^.]*\.)+", "", self.host)
        return self.host.removesuffix(".") if self.kind == "tcp" else "localhost"

    @property
    def is_name(self) -> bool:
        """Whether it has to be looked up, and may be many servers."""
        return self.kind == "srv" or (self.kind == "tcp" and not _is_literal(self.host))

    def __str__(self) -> str:
        return self.text


def looks_like_address(text: str) -> bool:
    """Whether `text` is meant as an address and not as the name of an upstream."""
    return "/" in text or ":" in text


def parse_address(value: object) -> Address:
    """The address that `value` writes.

    @raise PydanticCustomError: where it is none.
    """
    if not isinstance(value, str):
        raise wrong("server", f"{shown(value)} is not a server", "write for example http://127.0.0.1:9001")
    if value.startswith("demo:"):
        return _demo(value)
    if value.startswith(("unix:", "http+unix:", "https+unix:")):
        return _unix(value, value.startswith("https"))
    scheme, separator, rest = value.partition("://")
    if not separator:
        hint = f"write http://{value}" if re.fullmatch(r"[A-Za-z0-9.\[\]:-]+", value) else "write http://host:port"
        raise wrong("server", f"`{value}` is not the URL of a server", hint)
    if scheme in ("srv", "http+srv", "https+srv"):
        return _srv(value, rest, scheme.startswith("https"))
    if scheme not in ("http", "https"):
        hint = _INSTEAD.get(scheme, "use http://, https:// or unix:").format(rest)
        raise wrong("server", f"`{scheme}://` is not spoken to upstreams", hint)
    return _tcp(value, scheme, rest)


def _unix(value: str, secure: bool) -> Address:
    scheme, _, path = value.partition(":")
    path = path[2:] if path.startswith("//") else path
    scheme = "https+unix" if secure else "unix"
    if not path.startswith("/"):
        raise wrong("server", f"`{value}` needs an absolute path", f"write for example {scheme}:/run/app.sock")
    return Address("unix", "", 0, path, f"{scheme}:{path}", secure)


def _demo(value: str) -> Address:
    number = value.removeprefix("demo:")
    if not re.fullmatch("[1-9][0-9]?", number):
        raise wrong("server", f"`{value}` is not a demo server", "write demo:1 for the first one")
    return Address("demo", "", int(number), "", value)


def _srv(value: str, name: str, secure: bool) -> Address:
    name = name.rstrip("/")
    scheme = "https+srv" if secure else "srv"
    if not _HOST.match(name):
        hint = f"write for example {scheme}://_http._tcp.api.internal"
        if re.search(r":[0-9]+\Z", name):
            hint = "the ports come with the answer: remove this one"
        raise wrong("server", f"`{value}` is not the name of a service", hint)
    return Address("srv", name.removesuffix("."), 0, "", f"{scheme}://{name}", secure)


def _tcp(value: str, scheme: str, rest: str) -> Address:
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise wrong("server", f"`{value}` is not the URL of a server", "write http://host:port") from error
    if "@" in rest:
        raise wrong("server", "the URL of a server takes no user name or password", "set an Authorization field")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        hint = "change the path with the gates strip_prefix, add_prefix or rewrite"
        raise wrong(
            "server", f"the URL of a server takes no path: `{value}`", hint, offset=len(f"{scheme}://{parts.netloc}")
        )
    if port == 0 or not _valid_host(host):
        raise wrong("server", f"`{value}` is not the URL of a server", "write http://host:port")
    shown_host = f"[{host}]" if ":" in host else host
    secure = scheme == "https"
    port = (443 if secure else 80) if port is None else port
    return Address("tcp", host, port, "", f"{scheme}://{shown_host}:{port}", secure)


def _valid_host(host: str) -> bool:
    if ":" in host or re.fullmatch(r"[0-9.]+", host):
        return _is_literal(host)
    return bool(_HOST.match(host))


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
