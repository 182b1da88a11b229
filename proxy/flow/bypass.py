"""The rest of a large body goes by a pipe of the kernel, past this process, where nobody wants to see it."""

from __future__ import annotations

from typing import Any, Protocol

from proxy.message import BodySink
from proxy.wire.reader import MessageReader


def own_method(transport: Any, name: str) -> Any:
    """The method of that name, if the transport itself has it, else None. Twisted's wrappers (TLS, PROXY protocol) lend
    those of the transport below them, which know nothing of what the wrapper does to every byte."""
    return getattr(transport, name) if hasattr(type(transport), name) else None


class Carrier(Protocol):
    """Who passes the body on otherwise."""

    def body_moved(self, size: int) -> None:
        """So many bytes of it have gone the other way."""

    def release_body(self) -> None:
        """The rest comes as ever, be it only its end."""


class Bypass:
    """A `PipeOwner` for one body: keeps its reader and whoever carries it informed.

    @param reader: it has given all of the body that has arrived.
    """

    __slots__ = ("_carrier", "_reader")

    def __init__(self, reader: MessageReader[Any], carrier: Carrier) -> None:
        self._reader = reader
        self._carrier = carrier

    def begin(self, sink: BodySink | None, transport: Any) -> None:
        """Go this way if `sink` and both transports are able to; else nothing changes, and the body comes as ever."""
        pipe_from = getattr(sink, "pipe_from", None)
        if pipe_from is not None:
            pipe_from(transport, self._reader.absent, self)

    def piped(self, size: int) -> None:
        self._reader.pass_over(size)
        self._carrier.body_moved(size)

    def pipe_over(self) -> None:
        self._carrier.release_body()
