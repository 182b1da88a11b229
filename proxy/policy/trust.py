"""Who the client is, as far as proxies in front of us can be believed.

`X-Forwarded-For` is read from right to left. Our peer's own address is a fact. If the peer is trusted, what it
appended last is believed; if that is a trusted proxy too, so is what *that* appended; and so on. The first address
that is not trusted is the client, and everything to the left of it is its own invention.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple, TypeVar

_Key = TypeVar("_Key", str, bytes)

#: Addresses that are remembered with their verdict: the proxies in front of us, and the clients of a busy second.
ADDRESSES_REMEMBERED = 4096
#: More proxies in a row than this is a list made up to cost time.
HOPS = 64
#: How a node without an IP address is called (RFC 7239 section 6.2): the other end of a UNIX socket.
UNKNOWN = "unknown"


class Hop(NamedTuple):
    """One node on the way to us.

    @ivar address: its IP address in the shortest form, without port or zone; IPv4 also where it came mapped into IPv6.
        `UNKNOWN` where it has none.
    @ivar trusted: whether its word about the node before it is believed.
    """

    address: str
    trusted: bool


class TrustedNetworks:
    """The networks of the proxies in front of us, whose word is taken.

    @param networks: in CIDR form or as single addresses.
    @param unix: whether a peer on a UNIX socket is trusted.
    @raise ValueError: a network is not valid.
    """

    __slots__ = ("_masks", "_networks", "_nodes", "_peers", "_unix")

    def __init__(self, networks: Iterable[str] = (), *, unix: bool = False) -> None:
        self._networks = tuple(ip_network(network) for network in networks)
        self._masks = tuple(
            (network.version, int(network.netmask), int(network.network_address)) for network in self._networks
        )
        self._unix = unix
        # Apart: the path of a UNIX socket must never be found under a word that somebody put into a list.
        self._peers: dict[str, Hop] = {}
        self._nodes: dict[bytes, Hop] = {}

    def __bool__(self) -> bool:
        return bool(self._networks) or self._unix

    def peer(self, host: str) -> Hop:
        """What is known about the other end of a connection.

        @param host: its IP address as text; anything else is a UNIX socket.
        """
        hop = self._peers.get(host)
        if hop is None:
            address = _parse(host)
            hop = Hop(UNKNOWN, self._unix) if address is None else self._judge(address)
            _remember(self._peers, host, hop)
        return hop

    def chain(self, peer: str, received: Sequence[bytes]) -> list[str]:
        """Everybody on the way who can be believed in, the client first and the peer last. Never empty.

        @param received: the values of all `X-Forwarded-For` lines, in order: they are one list (RFC 9110 section 5.3).
        """
        hop = self.peer(peer)
        chain = [hop.address]
        if hop.trusted and received:
            for member in reversed(b",".join(received).rsplit(b",", HOPS)[-HOPS:]):
                text = member.strip(b" \t")
                if not text:
                    continue
                node = self._node(text)
                if node is None:
                    break  # Whoever wrote this is the last one known.
                chain.append(node.address)
                if not node.trusted:
                    break
        chain.reverse()
        return chain

    def _node(self, text: bytes) -> Hop | None:
        """One member of a list."""
        hop = self._nodes.get(text)
        if hop is None and (address := parse_node(text)) is not None:
            hop = self._judge(address)
            _remember(self._nodes, text, hop)
        return hop

    def _judge(self, address: IPv4Address | IPv6Address) -> Hop:
        version, number = address.version, int(address)
        return Hop(str(address), any(version == v and number & mask == net for v, mask, net in self._masks))

    def __repr__(self) -> str:
        return f"TrustedNetworks({[str(network) for network in self._networks]}, unix={self._unix})"


NOBODY = TrustedNetworks()


def parse_node(text: bytes) -> IPv4Address | IPv6Address | None:
    """The address in one member of `X-Forwarded-For`, or None.

    Taken are `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]` and `[2001:db8::1]:4711`.
    """
    if len(text) > 64 or not text.isascii():
        return None
    node = text.decode("ascii")
    if node.startswith("["):
        node, bracket, rest = node[1:].partition("]")
        if not bracket or ":" not in node or not (rest == "" or _is_port(rest)):
            return None
    elif node.count(":") == 1:
        node, colon, port = node.partition(":")
        if not _is_port(colon + port):
            return None
    return _parse(node)


def _remember(known: dict[_Key, Hop], key: _Key, hop: Hop) -> None:
    """Keep a verdict. A full memory is forgotten: the proxies in front of us are back in it at once."""
    if len(known) >= ADDRESSES_REMEMBERED:
        known.clear()
    known[key] = hop


def _is_port(text: str) -> bool:
    return len(text) <= 6 and text.startswith(":") and text[1:].isdigit()


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """The address that `text` is; an IPv4 address that came over a socket for both families is IPv4 again."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
