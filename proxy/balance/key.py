"""What a request is hashed by: its client, its path, a header, a cookie, or a parameter of its query."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from proxy.message.fields import Fields
from proxy.message.head import RequestHead


class Source(Enum):
    """Where a key comes from; the value is its word in a configuration."""

    CLIENT = "client"
    PATH = "path"
    HEADER = "header"
    COOKIE = "cookie"
    QUERY = "query"


class KeyRule(NamedTuple):
    """Where to find the key.

    @ivar name: of the header (in lower case), the cookie or the parameter; empty for the other two.
    """

    source: Source
    name: bytes = b""

    def key(self, head: RequestHead, path: bytes, client: str) -> bytes | None:
        """The key of a request; None where it has none.

        @param path: the normalized path, so that two spellings of one path find one server.
        @param client: the address of the client as far as it can be believed.
        """
        match self.source:
            case Source.CLIENT:
                return client.encode("utf-8", "surrogateescape")
            case Source.PATH:
                return path
            case Source.HEADER:
                return head.fields.get(self.name)
            case Source.COOKIE:
                return cookie(head.fields, self.name)
            case Source.QUERY:
                return parameter(head.target, self.name)


def parse_rule(text: str) -> KeyRule:
    """A rule as it is written: `client`, `path`, `header:X-User`, `cookie:session`, `query:id`.

    @raise ValueError: with words for the person who wrote it.
    """
    word, colon, name = text.partition(":")
    try:
        source = Source(word)
    except ValueError:
        raise ValueError(f"{word!r} is not one of {', '.join(source.value for source in Source)}") from None
    takes_name = source not in (Source.CLIENT, Source.PATH)
    if takes_name is not bool(name) or bool(colon) is not takes_name:
        raise ValueError(f"write {word}:NAME" if takes_name else f"{word!r} takes no name")
    if source is Source.HEADER:
        name = name.lower()
    return KeyRule(source, name.encode("utf-8"))


def cookie(fields: Fields, name: bytes) -> bytes | None:
    """The value of the first cookie `name` (RFC 6265 section 4.2.1), without quotes; None where there is none."""
    for line in fields.all(b"cookie"):
        for crumb in line.split(b";"):
            crumb_name, equals, value = crumb.strip(b" \t").partition(b"=")
            if equals and crumb_name == name:
                return value.strip(b'"')
    return None


def parameter(target: bytes, name: bytes) -> bytes | None:
    """The value of the first parameter `name` of the query in a request target, percent-decoded."""
    _, mark, query = target.partition(b"?")
    if mark:
        for pair in query.split(b"&"):
            pair_name, _, value = pair.partition(b"=")
            if unquote_to_bytes(pair_name.replace(b"+", b" ")) == name:
                return unquote_to_bytes(value.replace(b"+", b" "))
    return None
