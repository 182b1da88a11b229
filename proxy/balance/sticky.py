"""Sticky sessions: a cookie that names the server, in words that only we can write.

The cookie holds no address and no state: it is a keyed hash (HMAC-SHA-256) of the upstream's and the server's name.
So it tells nobody anything, cannot be made up, and means the same after a reload, after a restart, and in the process
next door, as long as the key stays.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Collection, Sequence
from enum import Enum
from typing import Generic

from proxy.balance.key import cookie
from proxy.balance.view import S
from proxy.message.fields import Fields

# 128 bits of the hash: more than anybody can guess.
_TOKEN_BYTES = 16
# So many are remembered: more servers than an upstream has, and few enough to forget them when names come and go.
_TOKENS = 1024
_NAME_CHARACTERS = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class SameSite(Enum):
    """When a browser sends the cookie along with requests that another site started."""

    STRICT = "Strict"
    LAX = "Lax"
    NONE = "None"


def derive_key(material: bytes) -> bytes:
    """A key from whatever secret there is, so that the same secret may serve other purposes too."""
    return hmac.digest(material, b"reverseproxy sticky cookie 1", "sha256")


class StickyCookie(Generic[S]):
    """The cookie of one upstream.

    @param key: 16 bytes or more, the same in all processes: from the configuration, or from `derive_key`.
    @param upstream: the upstream's name: a token of one means nothing in another.
    @param name: of the cookie.
    @param max_age: seconds until the browser forgets it; None for the end of its session.
    @param secure: send it over https only, which `SameSite=None` needs; None says so to clients that came over https.
    @raise ValueError: something of this cannot be a cookie, in words for the person who wrote it.
    """

    __slots__ = ("_by_token", "_key", "_plain", "_secure", "_secured", "_servers", "_tokens", "_upstream", "name")

    def __init__(
        self,
        key: bytes,
        upstream: str,
        name: bytes = b"server",
        *,
        path: bytes = b"/",
        max_age: int | None = None,
        secure: bool | None = None,
        http_only: bool = True,
        same_site: SameSite = SameSite.LAX,
    ) -> None:
        if len(key) < 16:
            raise ValueError("the key of a sticky cookie has at least 16 bytes")
        if not name or not _NAME_CHARACTERS.issuperset(name):
            raise ValueError("the name of a cookie is a token (RFC 6265 section 4.1.1)")
        if not path.startswith(b"/") or any(byte < 0x21 or byte > 0x7E or byte in b";," for byte in path):
            raise ValueError("the path of a cookie begins with a slash and has no space, semicolon or comma")
        if same_site is SameSite.NONE and not secure:
            raise ValueError("browsers refuse SameSite=None without Secure")
        self.name = name
        self._key = key
        self._upstream = upstream.encode("utf-8")
        attributes = [b"Path=" + path, b"SameSite=" + same_site.value.encode("ascii")]
        if max_age is not None:
            attributes.append(b"Max-Age=%d" % max_age)
        if http_only:
            attributes.append(b"HttpOnly")
        self._plain = b"; ".join(attributes)
        self._secured = self._plain + b"; Secure"
        self._secure = secure
        self._servers: Sequence[S] = ()
        self._by_token: dict[bytes, S] = {}
        self._tokens: dict[str, bytes] = {}

    def token(self, server: S) -> bytes:
        """The word for a server: 22 characters."""
        token = self._tokens.get(server.name)
        if token is None:
            if len(self._tokens) >= _TOKENS:
                self._tokens.clear()
            # The length in front keeps (ab, c) and (a, bc) apart.
            message = b"%d:%b%b" % (len(self._upstream), self._upstream, server.name.encode("utf-8"))
            digest = hmac.digest(self._key, message, "sha256")[:_TOKEN_BYTES]
            token = self._tokens[server.name] = urlsafe_b64encode(digest).rstrip(b"=")
        return token

    def find(self, fields: Fields, servers: Sequence[S], tried: Collection[S] = (), now: float = 0.0) -> S | None:
        word = cookie(fields, self.name)
        if word is None:
            return None
        if servers is not self._servers:
            self._servers = servers
            self._by_token = {self.token(server): server for server in servers}
        server = self._by_token.get(word)
        return server if server is not None and server.available and server not in tried else None

    def answered(self, server: S, request: Fields, response: Fields, scheme: bytes, now: float) -> bytes | None:
        return None if cookie(request, self.name) == self.token(server) else self.set_cookie(server, scheme)

    def set_cookie(self, server: S, scheme: bytes = b"https") -> bytes:
        """The value of the `Set-Cookie` that makes a client, which came by `scheme`, stick to `server`."""
        secure = scheme == b"https" if self._secure is None else self._secure
        return b"%b=%b; %b" % (self.name, self.token(server), self._secured if secure else self._plain)

    def without(self, fields: Fields) -> Fields:
        if cookie(fields, self.name) is None:
            return fields
        pairs = []
        for name, value in fields:
            if name.lower() == b"cookie":
                crumbs = [crumb.strip(b" \t") for crumb in value.split(b";")]
                value = b"; ".join(crumb for crumb in crumbs if crumb.partition(b"=")[0] != self.name)
                if not value:
                    continue
            pairs.append((name, value))
        return Fields(pairs)
