"""What ends at this hop: fields that belong to one connection never travel on (RFC 9110 section 7.6.1).

Removal happens to what was *received*, before anything of ours is added. So a client can name any field it likes in
`Connection`, it never reaches what this proxy says about it (CVE-2022-31813, CVE-2024-45410).

Names are judged by their canonical form, in which every character that is neither letter nor digit is a hyphen. That
is how CGI and WSGI servers see names, so `X_Forwarded_For` and `X-Forwarded-For` are one field here as well.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import compress

from proxy import limits
from proxy.errors import REQUEST_INVALID, RESPONSE_INVALID, ProxyError, Reason
from proxy.message.fields import Fields, Pair
from proxy.message.shape import SHAPES_REMEMBERED, Shape

# Content-Length and Transfer-Encoding are framing: whoever sends the message on frames it anew.
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})

_HOP_BY_HOP = _FRAMING | {b"connection", b"keep-alive", b"te", b"upgrade", b"proxy-connection", b"http2-settings"}

# `Proxy` becomes HTTP_PROXY in a CGI program (httpoxy, CVE-2016-5385). Credentials for a proxy are for this one.
_REQUEST_ONLY = frozenset({b"proxy", b"proxy-authorization"})
_RESPONSE_ONLY = frozenset({b"proxy-authenticate", b"proxy-authentication-info"})

# What `Connection` cannot take away: who the message is for, where it ends, and who it came from.
_KEPT = _FRAMING | {b"host", b"via", b"forwarded", b"x-real-ip", b"x-request-id"}

# Options that name no field beyond those above. Spelled as nearly everybody spells them.
_HARMLESS = frozenset({b"keep-alive", b"Keep-Alive", b"close", b"Close"})

#: The one thing that `TE` may say beyond a hop (RFC 9110 section 10.1.4).
TE_TRAILERS: Pair = (b"TE", b"trailers")

_TO_CANONICAL = bytes(
    byte if chr(byte).isascii() and chr(byte).isalnum() else ord("-") for byte in bytes(range(256)).lower()
)


def canonical(name: bytes) -> bytes:
    """The form of `name` in which names are compared: lower case, a hyphen for each other character."""
    return name.translate(_TO_CANONICAL)


class NameFilter(dict[Shape, tuple[bool, ...]]):
    """Says of the names of a head, spelled as they came, which may pass: `names[shape]`, in their order.

    Clients repeat the same few forms for ever; so each is judged once, and then costs one look-up. Who invents
    names fills no memory: at `SHAPES_REMEMBERED` everything is forgotten, and learned again.

    @param passes: the judgement of one name; a pure function.
    """

    __slots__ = ("_passes",)

    def __init__(self, passes: Callable[[bytes], bool]) -> None:
        super().__init__()
        self._passes = passes

    def __missing__(self, shape: Shape) -> tuple[bool, ...]:
        verdicts = tuple(map(self._passes, shape.names))
        if shape.remembered:
            if len(self) >= SHAPES_REMEMBERED:
                self.clear()
            self[shape] = verdicts
        return verdicts

    def kept(self, fields: Fields) -> list[Pair]:
        """Those of `fields` that may pass."""
        return list(compress(fields.pairs, self[fields.shape]))


def passes_request(name: bytes) -> bool:
    """Whether a request field of this name may travel on, underscores aside."""
    plain = canonical(name)
    return plain not in _HOP_BY_HOP and plain not in _REQUEST_ONLY


def passes_response(name: bytes) -> bool:
    """Whether a response field of this name may travel on. Here spelling fools nobody: clients compare exactly."""
    lower = name.lower()
    return lower not in _HOP_BY_HOP and lower not in _RESPONSE_ONLY


_REQUEST_NAMES = NameFilter(lambda name: b"_" not in name and passes_request(name))
_RESPONSE_NAMES = NameFilter(passes_response)
_RESPONSE_NAMES_AND_LENGTH = NameFilter(lambda name: name.lower() == b"content-length" or passes_response(name))


def end_to_end_request(fields: Fields, names: NameFilter = _REQUEST_NAMES) -> list[Pair]:
    """The fields of a received request that may travel on, in order, as they were spelled.

    `TE_TRAILERS` comes last where the client nominated it; the sender then owes its own `Connection: TE`. Framing is
    gone: the sender adds its own.

    @param names: which names pass at all.
    @raise ProxyError: too many connection options.
    """
    kept = names.kept(fields)
    if b"connection" not in fields.shape.places or _harmless(fields):
        return kept
    named = connection_options(fields, REQUEST_INVALID)
    kept = _without(kept, named)
    if b"te" in named and b"trailers" in fields.tokens(b"te"):
        kept.append(TE_TRAILERS)
    return kept


def end_to_end_response(fields: Fields, *, keep_length: bool = False) -> list[Pair]:
    """The fields of a received response that may travel on, in order, as they were spelled.

    @param keep_length: keep `Content-Length`, where it describes a body that is not sent: the answer to HEAD, a 304.
    @raise ProxyError: too many connection options.
    """
    names = _RESPONSE_NAMES_AND_LENGTH if keep_length else _RESPONSE_NAMES
    kept = names.kept(fields)
    if b"connection" not in fields.shape.places or _harmless(fields):
        return kept
    return _without(kept, connection_options(fields, RESPONSE_INVALID))


def _harmless(fields: Fields) -> bool:
    """Whether `Connection` names nothing that could be taken out."""
    options = fields.all(b"connection")
    return len(options) == 1 and options[0] in _HARMLESS


def connection_options(fields: Fields, reason: Reason) -> frozenset[bytes]:
    """The members of `Connection`, in lower case.

    @raise ProxyError: for `reason`, where there are more than `limits.CONNECTION_OPTIONS`.
    """
    options = fields.tokens(b"connection")
    if len(options) > limits.CONNECTION_OPTIONS:
        raise ProxyError(reason, f"{len(options)} connection options")
    return frozenset(options)


def _without(pairs: list[Pair], named: frozenset[bytes]) -> list[Pair]:
    """`pairs` less those that a peer nominated, as far as it may."""
    gone = {name for name in named if name not in _KEPT and not name.startswith(b"x-forwarded-")}
    return [pair for pair in pairs if pair[0].lower() not in gone]
