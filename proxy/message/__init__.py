"""The nouns that rooms pass to each other: heads, fields, bodies, the exchange. Values, never Twisted objects."""

from proxy.message.body import EMPTY, BodySink, BodySource, BytesBody
from proxy.message.deadlines import Deadlines
from proxy.message.exchange import Exchange, Peer, Response, Tunnel
from proxy.message.fields import Fields
from proxy.message.head import RequestHead, ResponseHead

__all__ = [
    "EMPTY",
    "BodySink",
    "BodySource",
    "BytesBody",
    "Deadlines",
    "Exchange",
    "Fields",
    "Peer",
    "RequestHead",
    "Response",
    "ResponseHead",
    "Tunnel",
]
