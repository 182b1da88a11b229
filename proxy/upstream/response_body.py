"""The body of one response, on its way from a server's connection to whoever takes it.

A connection carries many responses; this belongs to one. Once it is over it leads nowhere, so that whoever still holds
it, and stops it late, does not stop the response of somebody else.
"""

from __future__ import annotations

from typing import Protocol

from proxy.errors import RESPONSE_IDLE, ProxyError
from proxy.message import BodySink


class Carrier(Protocol):
    """The connection that the body comes from."""

    def start_body(self, sink: BodySink) -> None: ...
    def hold_body(self) -> None: ...
    def release_body(self) -> None: ...
    def stop(self) -> None: ...


class ResponseBody:
    """A `BodySource`.

    @param length: in bytes; negative where the server did not say.
    @ivar length: the same, None where the server did not say.
    """

    __slots__ = ("_carrier", "length")

    def __init__(self, carrier: Carrier, length: int) -> None:
        self.length = length if length >= 0 else None
        self._carrier: Carrier | None = carrier

    def over(self) -> None:
        """Told by the connection: the body is complete, or will never be."""
        self._carrier = None

    def start(self, sink: BodySink) -> None:
        if self._carrier is None:
            sink.body_failed(ProxyError(RESPONSE_IDLE, "its body was not taken in time"))
        else:
            self._carrier.start_body(sink)

    def pause(self) -> None:
        if self._carrier is not None:
            self._carrier.hold_body()

    def resume(self) -> None:
        if self._carrier is not None:
            self._carrier.release_body()

    def stop(self) -> None:
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            carrier.stop()

    def __repr__(self) -> str:
        return f"<ResponseBody {self.length} bytes of {self._carrier!r}>"
