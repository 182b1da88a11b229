"""What a server tells the pool that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from proxy.health.change import Change
from proxy.health.ejection import Company

if TYPE_CHECKING:
    from proxy.upstream.factory import ProxyClientFactory


class Owner(Protocol):
    """The pool a server belongs to."""

    def freed(self, server: ProxyClientFactory) -> None:
        """The server may be able to take more exchanges than a moment ago."""

    def changed(self, server: ProxyClientFactory, changes: list[Change]) -> None:
        """What is thought of the server is other than before."""

    def reweighed(self, server: ProxyClientFactory) -> None:
        """Its weight is another one."""

    def broke_off(self) -> None:
        """A response of a server of it, that had been an answer when its head came, will not be complete."""

    def company(self, server: ProxyClientFactory) -> Company:
        """The other servers, as far as it matters whether this one may go."""


class Alone:
    """The owner of a server that belongs to nobody yet."""

    def freed(self, server: ProxyClientFactory) -> None:
        """Nobody waits."""

    def changed(self, server: ProxyClientFactory, changes: list[Change]) -> None:
        """Nobody is told."""

    def reweighed(self, server: ProxyClientFactory) -> None:
        """Nobody balances."""

    def broke_off(self) -> None:
        """Nobody counts."""

    def company(self, server: ProxyClientFactory) -> Company:
        return Company(1, 0, 0)
