"""What a request tells the upstream about where it came from, and what it may not tell.

A request is received once, in `ForwardingPolicy.receive`: hop-by-hop fields and everything that strangers claim about
themselves are gone, our own word about the client stands in their place, and only then do gates see it. So a gate can
change or remove what we say, and a client cannot. On the way out `ForwardingPolicy.block` turns the fields into bytes.

Both are pure and cheap to repeat: a client that sends the same field block again (the codec then hands out the same
`Fields`) gets the same `Received` from its connection's `Forwarder`, with the bytes already made.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from proxy.errors import INTERNAL, REQUEST_LOOP, ProxyError
from proxy.message.fields import Fields, Pair
from proxy.message.head import RequestHead
from proxy.policy.hop import TE_TRAILERS, NameFilter, canonical, end_to_end_request, passes_request
from proxy.policy.trust import NOBODY, TrustedNetworks
from proxy.policy.upgrade import asked_protocols

# Written anew for every request: from here on they are our word.
_OURS = frozenset(
    {b"host", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"x-real-ip"}
)

# Other names under which servers look for the client's address: only a proxy that is trusted may use them.
_CLAIMS = frozenset(
    {
        b"forwarded",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-original-forwarded-for",
        b"x-original-host",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"fastly-client-ip",
        b"client-ip",
    }
)

# What was said of so many clients is remembered; nobody fills the memory with it.
_WORDS_REMEMBERED = 1024
_WORD_BYTES = 1024

_SCHEMES = frozenset({b"http", b"https"})
_AUTHORITY = re.compile(rb"[A-Za-z0-9._~!$&'()*+;=%\-\[\]:]{1,255}")
_PORT = re.compile(rb"[0-9]{1,5}")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~+/=:@-]{1,128}")

# What `block` writes itself, or leaves to the sender.
_NOT_IN_REST = frozenset({b"host", b"upgrade", b"connection", b"content-length", b"transfer-encoding", b"keep-alive"})
_TE_NOMINATED = b"Connection: TE\r\n"
_REST = NameFilter(lambda name: name.lower() not in _NOT_IN_REST)


class Word(NamedTuple):
    """What we say about a client, as fields and as the bytes they become: the same for all that it asks of one host."""

    pairs: tuple[Pair, ...]
    lines: bytes


class ReceivedFields(Fields):
    """The fields of a received request, with the bytes they become on the way out once somebody asked for them.

    @param host: the Host line.
    @param kept: what travels on.
    @param word: what we say.
    @param upgrade: the Upgrade line, where there is one to think about.
    @param trailers: `kept` has `TE: trailers`, which needs a nomination (RFC 9110 section 10.1.4).
    """

    __slots__ = ("_kept", "_rest", "_trailers", "_word")

    def __init__(self, host: Pair, kept: list[Pair], word: Word, upgrade: Pair | None, trailers: bool) -> None:
        super().__init__((host, *kept, *word.pairs) if upgrade is None else (host, *kept, *word.pairs, upgrade))
        self._kept = kept
        self._word = word
        self._trailers = trailers
        self._rest: bytes | None = None

    def rest(self) -> bytes:
        """Every field line but Host and Upgrade, ready for the wire: the codec has seen that each is one line."""
        rest = self._rest
        if rest is None:
            nomination = _TE_NOMINATED if self._trailers else b""
            rest = self._rest = b"\r\n".join([*map(b": ".join, self._kept), self._word.lines + nomination])
        return rest


class Received(NamedTuple):
    """A request as the house sees it.

    @ivar fields: the end-to-end fields, and ours. Host comes first and is `head.host`. `Upgrade` is there only
        where it may be thought about, `TE` only as `trailers`.
    @ivar client: the client's address as far as it can be believed, `trust.UNKNOWN` where it has none.
    @ivar scheme: b"http" or b"https", as the client sees it.
    @ivar request_id: from a trusted peer; empty where one must be made.
    @ivar upgrades: the protocols that it asks to switch to and that may be thought about.
    @ivar expect: the value of `Expect`; empty where there is none to think about.
    """

    fields: Fields
    client: str
    scheme: bytes
    request_id: bytes
    upgrades: tuple[bytes, ...]
    expect: bytes


class ForwardingPolicy:
    """What is said about clients, and to whom it is believed. Immutable, one for a configuration.

    @param trusted: the proxies in front of us.
    @param forwarded: also say it in the words of RFC 7239, as `Forwarded`.
    @param pseudonym: our name in `Via`, a token that no other proxy has, this program's other processes included; a
        request that comes by with it has gone in a circle. Empty: no `Via` and no loop detection.
    @param request_id: the name of the field that carries the request id; empty for none.
    @param underscores: pass on field names with an underscore. Those that look like ours are never passed on.
    """

    __slots__ = (
        "_from_strangers",
        "_from_trusted",
        "_words",
        "forwarded",
        "pseudonym",
        "request_id",
        "trusted",
        "underscores",
    )

    def __init__(
        self,
        trusted: TrustedNetworks = NOBODY,
        *,
        forwarded: bool = False,
        pseudonym: bytes = b"",
        request_id: bytes = b"X-Request-ID",
        underscores: bool = False,
    ) -> None:
        self.trusted = trusted
        self.forwarded = forwarded
        self.pseudonym = pseudonym
        self.request_id = request_id
        self.underscores = underscores
        self._words: dict[tuple[tuple[str, ...], bytes, bytes, bytes, bytes, int], Word] = {}
        self._from_trusted = NameFilter(self._passes_from_trusted)
        self._from_strangers = NameFilter(self._passes_from_strangers)

    def _passes_from_trusted(self, name: bytes) -> bool:
        plain = canonical(name)
        if plain in _OURS or plain == canonical(self.request_id) or (plain == b"forwarded" and self.forwarded):
            return False
        return (self.underscores or b"_" not in name) and passes_request(name)

    def _passes_from_strangers(self, name: bytes) -> bool:
        plain = canonical(name)
        return not plain.startswith(b"x-forwarded") and plain not in _CLAIMS and self._passes_from_trusted(name)

    def client_address(self, peer: str, fields: Fields) -> str:
        """The address of the client behind `peer` (an IP address as text), as far as it can be believed."""
        return self.trusted.chain(peer, fields.all(b"x-forwarded-for"))[0]

    def receive(self, head: RequestHead, peer: str, scheme: bytes, certificate: bytes = b"") -> Received:
        """Take in a request.

        @param head: as it was parsed.
        @param peer: the address of the other end of the connection, as text.
        @param scheme: b"http" or b"https", as the connection is.
        @param certificate: what is said about the peer's verified certificate; empty where it has none.
        @raise ProxyError: the request has come through here already; or too many connection options.
        """
        fields, host = head.fields, head.host
        address, trusted = self.trusted.peer(peer)
        kept = end_to_end_request(fields, self._from_trusted if trusted else self._from_strangers)
        trailers, expect = False, b""
        asked: tuple[bytes, ...] = ()
        if not fields.shape.plain:
            trailers = bool(kept) and kept[-1] is TE_TRAILERS
            expect = fields.get(b"expect") or b""
            asked = asked_protocols(head)
            if head.minor == 0:  # RFC 9110 section 10.1.1: an expectation of HTTP/1.0 is ignored.
                kept = [pair for pair in kept if pair[0].lower() != b"expect"]
                expect = b""
            if self.pseudonym:
                self._refuse_loop(fields)
        if trusted:
            chain = tuple(self.trusted.chain(peer, fields.all(b"x-forwarded-for")))
            scheme = _one_of(fields.tokens(b"x-forwarded-proto"), scheme)
            seen_host = _whole(fields, b"x-forwarded-host", _AUTHORITY) or host
            port = _whole(fields, b"x-forwarded-port", _PORT)
            word = self._word(chain, scheme, seen_host, port, certificate, head.minor)
            request_id = self._accepted_id(fields)
        else:
            chain = (address,)
            word = self._word(chain, scheme, host, b"", certificate, head.minor)
            request_id = b""
        upgrade = (b"Upgrade", b", ".join(asked)) if asked else None
        received = ReceivedFields((b"Host", host), kept, word, upgrade, trailers)
        return Received(received, chain[0], scheme, request_id, asked, expect)

    def _word(
        self, chain: tuple[str, ...], scheme: bytes, host: bytes, port: bytes, certificate: bytes, minor: int
    ) -> Word:
        """What we say about the client, in its two spellings, and our line of `Via` (RFC 9110 section 7.6.3).

        Clients come back: what was said of the last ones is remembered, as far as it is short (1.5 µs a request).

        @param port: empty for the one that belongs to `host` and `scheme`.
        """
        key = chain, scheme, host, port, certificate, minor
        word = self._words.get(key)
        if word is not None:
            return word
        pairs = [
            (b"X-Forwarded-For", ", ".join(chain).encode("ascii")),
            (b"X-Real-IP", chain[0].encode("ascii")),
            (b"X-Forwarded-Proto", scheme),
            (b"X-Forwarded-Host", host),
            (b"X-Forwarded-Port", port or _port_of(host, scheme)),
        ]
        if self.forwarded:
            pairs.append((b"Forwarded", _forwarded(chain, scheme, host)))
        if certificate:
            pairs.append((b"X-Forwarded-Client-Cert", certificate))
        if self.pseudonym:
            pairs.append((b"Via", b"1.%d %b" % (minor, self.pseudonym)))
        word = Word(tuple(pairs), b"".join([b"%b: %b\r\n" % pair for pair in pairs]))
        if len(word.lines) <= _WORD_BYTES:
            if len(self._words) >= _WORDS_REMEMBERED:
                self._words.clear()
            self._words[key] = word
        return word

    def _refuse_loop(self, fields: Fields) -> None:
        """@raise ProxyError: our own name is in `Via` already."""
        for line in fields.all(b"via"):
            if self.pseudonym in line and any(self.pseudonym in member.split() for member in line.split(b",")):
                raise ProxyError(REQUEST_LOOP, f"Via: {line!r}")

    def _accepted_id(self, fields: Fields) -> bytes:
        """The request id of a trusted peer, where it is one that may be logged and shown."""
        return _whole(fields, self.request_id.lower(), _REQUEST_ID) if self.request_id else b""

    def block(self, head: RequestHead, request_id: bytes, host: bytes = b"", upgrade: bytes = b"") -> bytes:
        """The field lines of a request to an HTTP/1.1 server: all but the framing and the empty line at the end.

        @param head: with the fields of a `Received`, as the gates left them.
        @param host: the value of Host where the client's is not kept.
        @param upgrade: the value of Upgrade (see `upgrade.permitted`), empty for none.
        @raise ProxyError: a field cannot be written as a line.
        """
        fields = head.fields
        if isinstance(fields, ReceivedFields):
            lines = b"Host: %b\r\n%b" % (host or fields.pairs[0][1], fields.rest())
        else:
            lines = b"Host: %b\r\n%b" % (host or fields.get(b"host") or head.host, field_lines(fields))
        if upgrade:
            lines = b"%bUpgrade: %b\r\nConnection: upgrade\r\n" % (lines, upgrade)
        if self.request_id:
            return b"%b%b: %b\r\n" % (lines, self.request_id, request_id)
        return lines

    def __repr__(self) -> str:
        return f"<ForwardingPolicy trusted={self.trusted!r} forwarded={self.forwarded} via={self.pseudonym!r}>"


class Forwarder:
    """The policy as one client connection meets it: what was received twice is judged once.

    @param policy: what to say.
    @param peer: the address of the other end, as text.
    @param scheme: b"http" or b"https".
    @param certificate: what is said about its verified certificate; empty where it has none.
    """

    __slots__ = ("_certificate", "_last", "_policy", "_received", "peer", "scheme")

    def __init__(self, policy: ForwardingPolicy, peer: str, scheme: bytes, certificate: bytes = b"") -> None:
        self._certificate = certificate
        self._policy = policy
        self.peer = peer
        self.scheme = scheme
        self._last: RequestHead | None = None
        self._received: Received | None = None

    def receive(self, head: RequestHead) -> Received:
        """See `ForwardingPolicy.receive`. Method and target do not matter to it, so they may differ."""
        last, received = self._last, self._received
        if (
            received is None
            or last is None
            or last.fields is not head.fields
            or last.host != head.host
            or last.minor != head.minor
        ):
            received = self._received = self._policy.receive(head, self.peer, self.scheme, self._certificate)
            self._last = head
        return received


def field_lines(fields: Fields) -> bytes:
    """Field lines for the wire, less what `ForwardingPolicy.block` and the sender write.

    @raise ProxyError: a name or value would end its line (a gate put it there: what clients send has been parsed).
    """
    pairs = _REST.kept(fields)
    lines = b"".join([b"%b: %b\r\n" % pair for pair in pairs])
    if lines.count(b"\n") != len(pairs) or lines.count(b"\r") != len(pairs) or b"\0" in lines:
        raise ProxyError(INTERNAL, "a field with a line end in it")
    return lines + _TE_NOMINATED if b"te" in fields else lines


def _one_of(tokens: list[bytes], default: bytes) -> bytes:
    """The scheme that the nearest proxy saw: the last one of the list."""
    return tokens[-1] if tokens and tokens[-1] in _SCHEMES else default


def _whole(fields: Fields, name: bytes, grammar: re.Pattern[bytes]) -> bytes:
    """The one value of the field `name`, where it is there once and obeys `grammar`; else empty."""
    values = fields.all(name)
    return values[0] if len(values) == 1 and grammar.fullmatch(values[0]) else b""


def _port_of(host: bytes, scheme: bytes) -> bytes:
    """The port that the client used: what is behind the host, else the scheme's own."""
    _, colon, port = host.rpartition(b":")
    if colon and _PORT.fullmatch(port):
        return port
    return b"443" if scheme == b"https" else b"80"


def _forwarded(chain: Sequence[str], scheme: bytes, host: bytes) -> bytes:
    """The chain in the words of RFC 7239: one element for each hop, the first one says what the client asked for."""
    nodes = [(f'"[{address}]"' if ":" in address else address).encode("ascii") for address in chain]
    about = b";proto=" + scheme + (b';host="%b"' % host if host else b"")
    return b", ".join(b"for=%b%b" % (node, about if place == 0 else b"") for place, node in enumerate(nodes))
