"""UNIX streams: no TCP options, and descriptors to pass along."""

from __future__ import annotations

import array
import socket
from typing import Any, cast

from twisted.internet import error
from twisted.internet.interfaces import IFileDescriptorReceiver, IPushProducer, IUNIXTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from proxy.reactor.sending import Output
from proxy.reactor.stream import Stream

__all__ = ["UNIXStream", "wants_descriptors"]

# uvloop does not tell when a socket that it has nothing to send on is writable.
_RETRY_SECONDS = 0.002

# More than this many descriptors waiting pause a push producer, as with Twisted's own transport.
_HIGH_WATER_DESCRIPTORS = 64


def wants_descriptors(protocol: Any) -> bool:
    """Whether `protocol` receives descriptors: uvloop would lose them, so it gets Twisted's own transport."""
    return bool(IFileDescriptorReceiver.providedBy(protocol))


@implementer(IUNIXTransport)
class UNIXStream(Stream):
    """A connected UNIX stream."""

    __slots__ = ("_descriptors",)

    def __init__(self, sock: socket.socket, protocol: Any, reactor: Any) -> None:
        self._descriptors: list[int] = []
        super().__init__(sock, protocol, reactor)

    def sendFileDescriptor(self, fileno: int) -> None:
        """Send a copy of the descriptor with the next byte that no other descriptor goes with.

        It must stay open until it is sent. With fewer bytes than descriptors to send, the connection is lost for
        `FileDescriptorOverrun`.
        """
        self._descriptors.append(fileno)
        if self.producer is not None and self.streamingProducer and len(self._descriptors) > _HIGH_WATER_DESCRIPTORS:
            self.producerPaused = True
            cast(IPushProducer, self.producer).pauseProducing()
        self._schedule()

    @property
    def takes_pipes(self) -> bool:
        return super().takes_pipes and not self._descriptors

    def flush(self) -> None:
        sendable = self.connected and self._uv is not None and not self._blocked and self._output is not Output.DROPPED
        if self._descriptors and sendable:
            data = b"".join(self._queue)
            self._queue = [data]
            if len(self._descriptors) > self._queued:
                self._waiting = False
                self.lose(Failure(error.FileDescriptorOverrun()))
                return
            if not self._send_descriptors(data):
                self._waiting = False
                return
        super().flush()

    def _send_descriptors(self, data: bytes) -> bool:
        """Send every descriptor with a byte of `data`; false if some must wait, or the connection is gone."""
        sent = 0
        try:
            for descriptor in self._descriptors:
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))
                self.socket.sendmsg([data[sent : sent + 1]], [rights])
                sent += 1
        except BlockingIOError:
            self._blocked = True
            self.reactor.loop.call_later(_RETRY_SECONDS, self.resume_writing)
            return False
        except OSError:
            self.lose()
            return False
        finally:
            del self._descriptors[:sent]
            self._queue = [data[sent:]] if len(data) > sent else []
            self._queued = len(data) - sent
        return True

    def getTcpNoDelay(self) -> bool:
        return False

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing: there is no such option here, and callers need not know which kind of stream they have."""
