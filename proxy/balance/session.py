"""Sessions that the servers themselves began: the proxy adds no cookie of its own, it listens to theirs.

`LearnedSessions` remembers which server set the cookie; `NamedSessions` reads the server's name in it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from hashlib import blake2b
from typing import Generic, NamedTuple

from proxy import limits
from proxy.balance.key import cookie
from proxy.balance.view import S
from proxy.message.fields import Fields


class _Session(NamedTuple):
    server: str
    until: float


class LearnedSessions(Generic[S]):
    """Whoever set the session cookie that a client brings gets its request.

    Only servers add to what is known: what clients make up is looked for and not found. Cookies are kept as hashes:
    all cost the same, and nobody finds a session in our memory.

    @param name: of the cookie.
    @param size: so many sessions are remembered; the one that was not used for longest makes room.
    @param seconds: so long after it was last used a session is forgotten.
    """

    def __init__(
        self, name: bytes, size: int = limits.STICKY_SESSION_COUNT, seconds: float = limits.STICKY_SESSION_SECONDS
    ) -> None:
        self.name = name
        self._size = size
        self._seconds = seconds
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()
        self._named: _Named[S] = _Named()

    def find(self, fields: Fields, servers: Sequence[S], tried: Collection[S], now: float) -> S | None:
        word = cookie(fields, self.name)
        session = self._sessions.get(_digest(word)) if word else None
        if not word or session is None or session.until <= now:
            return None
        self._remember(word, session.server, now)
        server = self._named.get(session.server, servers)
        return server if server is not None and server.available and server not in tried else None

    def answered(self, server: S, request: Fields, response: Fields, scheme: bytes, now: float) -> bytes | None:
        for value in response.all(b"set-cookie"):
            name, _, rest = value.partition(b"=")
            word = rest.partition(b";")[0].strip(b' \t"')
            if name.strip(b" \t") == self.name and word:
                self._remember(word, server.name, now)
        return None

    def _remember(self, word: bytes, server: str, now: float) -> None:
        digest = _digest(word)
        self._sessions[digest] = _Session(server, now + self._seconds)
        self._sessions.move_to_end(digest)
        # The oldest stand in front: what is too old goes, and what is too much.
        while len(self._sessions) > self._size or next(iter(self._sessions.values())).until <= now:
            self._sessions.popitem(last=False)

    def without(self, fields: Fields) -> Fields:
        return fields

    def __len__(self) -> int:
        return len(self._sessions)

    def __repr__(self) -> str:
        return f"<LearnedSessions {self.name!r}, {len(self)}>"


class NamedSessions(Generic[S]):
    """The name of the server stands in its session cookie, behind the last dot: Tomcat's jvmRoute and its like.

    @param name: of the cookie.
    """

    def __init__(self, name: bytes) -> None:
        self.name = name
        self._named: _Named[S] = _Named()

    def find(self, fields: Fields, servers: Sequence[S], tried: Collection[S], now: float) -> S | None:
        word = cookie(fields, self.name)
        if word is None:
            return None
        server = self._named.get(word.rpartition(b".")[2].decode("utf-8", "replace"), servers)
        return server if server is not None and server.available and server not in tried else None

    def answered(self, server: S, request: Fields, response: Fields, scheme: bytes, now: float) -> bytes | None:
        return None

    def without(self, fields: Fields) -> Fields:
        return fields

    def __repr__(self) -> str:
        return f"<NamedSessions {self.name!r}>"


class _Named(Generic[S]):
    """Servers by their names. One that was found by a host name, `app@10.0.0.1:80`, is known as `app` too."""

    def __init__(self) -> None:
        self._servers: Sequence[S] = ()
        self._by_name: dict[str, S] = {}

    def get(self, name: str, servers: Sequence[S]) -> S | None:
        if servers is not self._servers:
            self._servers = servers
            self._by_name = {server.name.partition("@")[0]: server for server in reversed(servers)}
            self._by_name.update({server.name: server for server in servers})
        return self._by_name.get(name)


def _digest(word: bytes) -> bytes:
    return blake2b(word, digest_size=16).digest()
