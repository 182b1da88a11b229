"""A server with an address in both families: version 6 first, version 4 soon after, whichever answers (RFC 8305)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from proxy.limits import NAME_FAMILY_SECONDS


@implementer(IStreamClientEndpoint)
class EitherFamily:
    """Connects to whichever of two addresses answers first.

    The second is tried when the first has failed, or has not answered for a moment. The one that answered last is the
    first the next time: a family that does not work costs one moment, not one for each connection.
    """

    def __init__(
        self,
        clock: IReactorTime,
        first: IStreamClientEndpoint,
        second: IStreamClientEndpoint,
        head_start: float = NAME_FAMILY_SECONDS,
    ) -> None:
        self._clock = clock
        self._order = [first, second]
        self._head_start = head_start

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803 - the interface's word
        race = _Race(self._clock, tuple(self._order), protocolFactory, self._head_start, self._answered)
        race.start()
        return race.result

    def _answered(self, endpoint: IStreamClientEndpoint) -> None:
        if self._order[0] is not endpoint:
            self._order.reverse()

    def __repr__(self) -> str:
        return f"<EitherFamily {self._order!r}>"


class _Race:
    """One connection that is being made.

    @ivar result: the protocol, or why the last of the attempts failed.
    """

    def __init__(
        self,
        clock: IReactorTime,
        endpoints: tuple[IStreamClientEndpoint, ...],
        factory: IProtocolFactory,
        head_start: float,
        answered: Callable[[IStreamClientEndpoint], None],
    ) -> None:
        self.result: Deferred[IProtocol] = Deferred(lambda _: self._stop())
        self._clock = clock
        self._waiting = list(endpoints)
        self._factory = _OnlyOne(factory)
        self._head_start = head_start
        self._answered = answered
        self._under_way: list[Deferred[Any]] = []
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """Try the next endpoint."""
        self._clear_timer()
        endpoint = self._waiting.pop(0)
        if self._waiting:
            self._timer = self._clock.callLater(self._head_start, self.start)
        attempt = endpoint.connect(self._factory)
        self._under_way.append(attempt)
        attempt.addCallbacks(
            self._connected, self._failed, callbackArgs=(endpoint, attempt), errbackArgs=(attempt,)
        )

    def _connected(self, protocol: IProtocol, endpoint: IStreamClientEndpoint, attempt: Deferred[Any]) -> None:
        self._under_way.remove(attempt)
        self._answered(endpoint)
        self._stop()
        self.result.callback(protocol)

    def _failed(self, reason: Failure, attempt: Deferred[Any]) -> None:
        if attempt not in self._under_way:
            return  # given up by us
        self._under_way.remove(attempt)
        if self._waiting:
            self.start()
        elif not self._under_way:
            self.result.errback(reason)

    def _stop(self) -> None:
        self._clear_timer()
        self._waiting.clear()
        losers, self._under_way = self._under_way, []
        for attempt in losers:
            attempt.cancel()

    def _clear_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


class _OnlyOne(Factory):
    """Makes one protocol: of two connections that stand in the same moment, the second gets none, and is closed."""

    noisy = False

    def __init__(self, factory: IProtocolFactory) -> None:
        self._factory: IProtocolFactory | None = factory

    def doStart(self) -> None:
        """The factory inside is asked for one protocol and told nothing else."""

    def doStop(self) -> None:
        """See `doStart`."""

    def buildProtocol(self, addr: Any) -> Any:
        factory, self._factory = self._factory, None
        return factory.buildProtocol(addr) if factory is not None else None
