"""A small client of the control site: JSON over HTTP, over a UNIX socket or loopback TCP."""

from __future__ import annotations

import http.client
import os
import re
import socket
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from proxy.cli.terminal import Stop, complain
from proxy.config import load, load_admin
from proxy.config.report import summary

if TYPE_CHECKING:
    from proxy.config import Config
    from proxy.config.admin import Admin

TOKEN_VARIABLE = "REVERSEPROXY_ADMIN_TOKEN"
# A reload waits for health checks and the like; that the proxy answers at all is known much sooner.
ANSWER_SECONDS = 120.0


class Refusal(Stop):
    """The control site said no; `value` is why, as JSON."""

    def __init__(self, text: str, value: Any) -> None:
        super().__init__(text)
        self.value = value


class Where(NamedTuple):
    """Where a control site listens: a path, or a host and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"tcp:{self.host}:{self.port}"

    @classmethod
    def of(cls, text: str) -> Where:
        """From what people type (`unix:/path`, `tcp:host:port`, a URL), or from an endpoint description.

        @raise Stop: it is none of them.
        """
        if text.startswith("http://"):
            parts = urlsplit(text)
            return cls(host=parts.hostname or "", port=parts.port or 80)
        kind, *rest = [re.sub(r"\\(.)", r"\1", part) for part in re.split(r"(?<!\\):", text)]
        named = dict(part.partition("=")[::2] for part in rest if "=" in part)
        plain = [part for part in rest if "=" not in part]
        if kind == "unix" and (path := named.get("address") or "".join(plain[:1])):
            return cls(path=path)
        if kind in ("tcp", "tcp6") and len(plain) == 2 and plain[1].isdigit():
            return cls(host=plain[0], port=int(plain[1]))
        port = named.get("port") or "".join(plain[:1])
        if kind in ("tcp", "tcp6") and port.isdigit():
            return cls(host=named.get("interface", "127.0.0.1"), port=int(port))
        raise Stop(f"`{text}` is not a control site: write unix:/path, tcp:host:port or a URL", 2)


class Control:
    """The control site of a running proxy.

    @param token: lets us change things where the socket alone does not.
    """

    def __init__(self, where: Where, token: str = "") -> None:
        self._where = where
        self._token = token

    @classmethod
    def find(cls, asked: str | None, config: Config | None = None) -> Control:
        """The site that the command line names, or else the configuration, or else the usual one.

        @raise Stop: the configuration has none.
        """
        if asked is None and config is not None and config.admin is None:
            raise Stop("the configuration has no control site: add `admin: true` to it, or name one with --admin")
        return cls._at(asked, config.admin if config is not None else None)

    @classmethod
    def _at(cls, asked: str | None, admin: Admin | None) -> Control:
        token = os.environ.get(TOKEN_VARIABLE, "")
        if asked is None and admin is not None:
            asked, token = admin.listen, token or admin.token or ""
        if asked is None:
            from proxy.config.admin import default_endpoint

            asked = default_endpoint()
        if not asked:
            raise Stop("which proxy? Name its configuration, or its control site with --admin")
        return cls(Where.of(asked), token)

    @classmethod
    def of_file(cls, asked: str | None, file: str | None) -> Control:
        """The same, where a file may be named. If it is faulty, the proxy that runs is there all the same: by what the
        file says of the control site, or else in the usual place."""
        if file is None or asked is not None:
            return cls.find(asked)
        loaded = load(file, os.environ)
        if loaded.config is not None:
            return cls.find(None, loaded.config)
        site = cls._at(None, load_admin(file, os.environ))
        complain(f"{file}: {summary(loaded.errors)}; asking the control site at {site._where}")
        return site

    def get(self, path: str) -> Any:
        """The JSON value of a page."""
        return self._ask("GET", path, None)

    def post(self, path: str, value: Any) -> Any:
        """The JSON value that is answered to `value`.

        @raise Refusal: the site says no.
        @raise Stop: nobody is there.
        """
        import orjson

        return self._ask("POST", path, orjson.dumps(value, default=str))

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        import orjson

        connection = _Connection(self._where)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Stop(f"{self._where}: {getattr(error, 'strerror', None) or error or 'no answer'}") from error
        finally:
            connection.close()
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise Stop(f"{self._where}: this is not a control site (HTTP {response.status}, no JSON)") from error
        if response.status >= 400:
            raise Refusal(_words(self._where, response.status, value), value)
        return value


class _Connection(http.client.HTTPConnection):
    """HTTP/1.1 to a place; over a UNIX socket the Host is `localhost`."""

    def __init__(self, where: Where) -> None:
        super().__init__(where.host or "localhost", where.port or None, timeout=ANSWER_SECONDS)
        self._path = where.path

    def connect(self) -> None:
        if not self._path:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _words(where: Where, status: int, value: Any) -> str:
    """What a refusal says: its error, or every problem."""
    if not isinstance(value, dict):
        return f"{where}: HTTP {status}"
    if "problems" in value:
        return "\n".join(str(problem.get("text") or problem.get("message")) for problem in value["problems"])
    return f"{where}: {value.get('error', f'HTTP {status}')}"
