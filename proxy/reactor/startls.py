"""`ITLSTransport.startTLS` for a stream: Twisted's own TLS, slipped under the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet._newtls import startTLS

if TYPE_CHECKING:
    from proxy.reactor.stream import Stream

__all__ = ["start_tls"]


def start_tls(stream: Stream, context_factory: Any, normal: bool) -> None:
    """Encrypt `stream` from here on; `normal` false swaps the roles of client and server.

    The methods of the class stay the plain ones: TLS itself sends through them. What the protocol calls from now on is
    laid over them on the instance, so that streams without TLS pay for no test per write.
    """
    producer, streaming = stream.producer, stream.streamingProducer
    if producer is not None:
        stream.unregisterProducer()
    startTLS(stream, context_factory, normal, type(stream))
    tls = stream.protocol

    def lose_connection() -> None:
        if stream.connected and not stream.disconnecting:
            tls.loseConnection()

    vars(stream).update(
        write=tls.write,
        writeSequence=tls.writeSequence,
        loseConnection=lose_connection,
        registerProducer=tls.registerProducer,
        unregisterProducer=tls.unregisterProducer,
    )
    if producer is not None:
        tls.registerProducer(producer, streaming)
