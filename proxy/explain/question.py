"""A request that somebody wants to know about: the bytes that it would be on the wire, and the listener that would hear
them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from proxy.config.endpoint import port_of
from proxy.config.model import Listener
from proxy.message import RequestHead
from proxy.wire import RequestLimits, RequestReader
from proxy.wire.request_reader import DEFAULT

_URL = re.compile(r"(https?|wss?)://([^/?#]+)([^#]*)", re.IGNORECASE)
_SECURE = ("https", "wss")


class Question(NamedTuple):
    """A request that somebody wants to know about.

    @ivar url: absolute, or a path.
    @ivar headers: lines, `Name: value`.
    @ivar client: the address that it comes from.
    @ivar listener: the endpoint that it comes to; "" for the one that fits.
    @ivar certificate: what the client shows where it is asked for one, as PEM; "" for nothing, None where that is open.
    """

    method: str
    url: str
    headers: tuple[str, ...] = ()
    client: str = "127.0.0.1"
    listener: str = ""
    certificate: str | None = None

    @classmethod
    def of(cls, said: Any) -> Question:
        """From JSON.

        @raise ValueError: it is no question.
        """
        if not isinstance(said, Mapping):
            raise ValueError("a question is an object with `method` and `url`")
        missing = " and ".join(f"`{key}`" for key in ("method", "url") if key not in said)
        if missing:
            raise ValueError(f"a question needs `method` and `url`; there is no {missing}")
        headers = said.get("headers", [])
        if not isinstance(headers, list) or not all(isinstance(line, str) for line in headers):
            raise ValueError("`headers` is a list of lines, each `Name: value`")
        rest = {key: said.get(key, cls._field_defaults.get(key)) for key in ("method", "url", "client", "listener")}
        certificate = said.get("certificate")
        given = rest if certificate is None else rest | {"certificate": certificate}
        wrong = " and ".join(f"`{key}`" for key, value in given.items() if not isinstance(value, str))
        if wrong:
            raise ValueError(f"in a question, {wrong} must be text")
        return cls(headers=tuple(headers), certificate=certificate, **rest)

    @property
    def host(self) -> bytes | None:
        """The host of its URL, as handshakes are for it; None where it is a path."""
        url = _URL.match(self.url)
        return url[2].encode("utf-8") if url is not None else None


class Entrance(NamedTuple):
    """Where a request comes in.

    @ivar place: which item of `listen`; None where nobody listens for it: it is judged as if somebody did.
    @ivar scheme: b"http" or b"https", as it is spoken there.
    @ivar others: the endpoints of listeners that fit as well.
    """

    place: int | None
    scheme: bytes
    others: tuple[str, ...] = ()


class Asked(NamedTuple):
    """What the parser makes of the bytes: a head, and the length of its body, None where that is open."""

    head: RequestHead
    length: int | None


def entrance(listen: Sequence[Listener], question: Question) -> Entrance:
    """The listener that hears `question`: by scheme and port, or else by scheme. Ports may be mapped on the way to us.

    @raise ValueError: there is no such listener, or it does not speak the scheme.
    """
    url = _URL.match(question.url)
    secure = url[1].lower() in _SECURE if url is not None else None
    fits = [place for place, one in enumerate(listen) if secure in (None, one.tls is not None)]
    if question.listener:
        named = [place for place, one in enumerate(listen) if one.endpoint == question.listener]
        if not named:
            known = ", ".join(one.endpoint for one in listen)
            raise ValueError(f"there is no listener {question.listener}; there are: {known}")
        if named[0] not in fits:
            spoken, scheme = ("plain HTTP", "http") if secure else ("TLS", "https")
            raise ValueError(f"{question.listener} speaks {spoken}: ask for {scheme}://")
        fits = named
    elif url is None:  # a path says nothing about listeners: one that serves it tells more than one that redirects
        fits.sort(key=lambda place: listen[place].redirect is not None)
    else:
        port = re.search(r":([0-9]{1,5})\Z", url[2])
        wanted = int(port[1]) if port else 443 if secure else 80
        fits = [place for place in fits if port_of(listen[place].endpoint) == wanted] or fits
    if not fits:
        return Entrance(None, b"https" if secure else b"http")
    spoken_here = b"http" if listen[fits[0]].tls is None else b"https"
    return Entrance(fits[0], spoken_here, tuple(listen[place].endpoint for place in fits[1:]))


def read(question: Question, limits: RequestLimits = DEFAULT) -> Asked:
    """What the question's bytes would make on the wire, by the same parser.

    @raise ProxyError: they make no request.
    @raise ValueError: they would be more, or less, than one request; or they come from no address.
    """
    try:
        ipaddress.ip_address(question.client)
    except ValueError as error:
        raise ValueError(f"`{question.client}` is not an IP address") from error
    url = _URL.match(question.url)
    host, target = ("localhost", question.url) if url is None else (url[2], url[3])
    lines = [f"{question.method} {target if target[:1] not in ('', '?') else f'/{target}'} HTTP/1.1"]
    if not any(line.lower().startswith("host:") for line in question.headers):
        lines.append(f"Host: {host}")
    lines += question.headers
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a request line and a field are one line each")
    reader = RequestReader(limits)
    reader.feed("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))
    head = reader.next_event()
    if not isinstance(head, RequestHead):
        raise ValueError("this does not make a request")
    return Asked(head, reader.body_length if reader.body_length >= 0 else None)
