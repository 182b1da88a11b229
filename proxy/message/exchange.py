"""One request and its response, and all that belongs to them while they pass through the house."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from proxy.message.body import EMPTY, BodySource
from proxy.message.deadlines import DEFAULT, Deadlines
from proxy.message.head import RequestHead, ResponseHead

if TYPE_CHECKING:
    from proxy.observe import ExchangeRecord


class Peer(NamedTuple):
    """The other end of a connection: an IP address as text and a port; for a UNIX socket its path (or "") and 0."""

    host: str
    port: int


class Tunnel(Protocol):
    """The far half of a connection that has left HTTP (after a 101): raw bytes both ways.

    @ivar transport: its Twisted transport; opaque on this floor.
    """

    transport: Any

    def join(self, splice: Any) -> None:
        """From now on give every byte to `splice` (see `proxy.flow.Splice`), those already read first."""

    def stop(self) -> None:
        """The client is gone before it could be joined."""


class Response(NamedTuple):
    """What a route answers: a head as a value, a body as a stream.

    @ivar head: without framing fields and without hop-by-hop fields; the channel adds its own.
    @ivar body: started by the channel once the head is on its way.
    @ivar tunnel: set only where `head.status` is 101: what the client's connection is joined with.
    """

    head: ResponseHead
    body: BodySource = EMPTY
    tunnel: Tunnel | None = None


class Exchange:
    """One request on its way in. Gates may put a changed `head`, `path` or `body` in place; nothing else changes.

    @ivar head: the request as it will go to the upstream, forwarding fields included.
    @ivar path: the normalized path that routes were matched on: percent-decoded where that is unambiguous, dot segments
        resolved, slashes merged. The raw path is in `head.target`.
    @ivar body: the request's body.
    @ivar peer: who is connected to us.
    @ivar client: the address of the client as far as trusted proxies tell it; `peer.host` where none is trusted.
    @ivar scheme: b"http" or b"https", as the client sees it.
    @ivar request_id: accepted from a trusted peer, or made here.
    @ivar record: what the access log will say.
    @ivar interim: passes a 1xx response on to the client at once.
    @ivar deadlines: how long this exchange may wait for what; the route's own once it is known.
    @ivar upgrades: the protocols that the request asks to switch to and that may be thought about.
    @ivar server: the server that answered, opaque here; None until one did.
    @ivar route: the route chosen, opaque here (see `proxy.routing`); None until the router was asked.
    """

    upgrades: tuple[bytes, ...] = ()
    route: Any = None
    server: Any = None

    def __init__(
        self,
        head: RequestHead,
        path: bytes,
        body: BodySource,
        peer: Peer,
        record: ExchangeRecord,
        interim: Callable[[ResponseHead], None],
        deadlines: Deadlines = DEFAULT,
        scheme: bytes = b"http",
        client: str = "",
        request_id: bytes = b"",
    ) -> None:
        self.head = head
        self.path = path
        self.body = body
        self.peer = peer
        self.client = client or peer.host
        self.scheme = scheme
        self.request_id = request_id
        self.record = record
        self.interim = interim
        self.deadlines = deadlines

    def __repr__(self) -> str:
        return f"<Exchange {self.head.method!r} {self.head.host!r} {self.head.target!r} from {self.client}>"
