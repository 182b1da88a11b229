"""What a connection to a server tells the factory that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from proxy.errors import ProxyError

if TYPE_CHECKING:
    from proxy.upstream.connection import UpstreamConnection


class Home(Protocol):
    """Where a connection belongs, and is told what becomes of it."""

    def released(self, connection: UpstreamConnection) -> None:
        """It is IDLE again, and fit for another request."""

    def broke_off(self, error: ProxyError) -> None:
        """The body of a response will not be complete, and nobody held it back, or owed it the rest of the request."""

    def gone(self, connection: UpstreamConnection) -> None:
        """It will carry no more exchanges."""

    def closed_while_idle(self, seconds: float) -> None:
        """The server closed it after `seconds` of idleness."""

    def outlasted(self, seconds: float) -> None:
        """It was idle for `seconds`, and the server had not closed it."""
