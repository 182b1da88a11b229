"""Step 11: a service that starts and stops. Run: python docs/tutorial/step11_service.py docs/tutorial/routes.yaml"""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.application import strports
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.internet.task import react
from twisted.python.failure import Failure
from twisted.python.log import startLogging

from step03_deadline import Reactor
from step04_story import Channel, Respond
from step10_yaml import Config, ConfigError, assemble, read_config

# How long a stop waits for the exchanges under way.
DRAIN_SECONDS = 10.0


class DrainingChannel(Channel):
    """A channel that can be asked to end its conversation after the exchange under way."""

    def __init__(self, clock: Reactor, respond: Respond, seconds: float, house: DrainingFactory) -> None:
        super().__init__(clock, respond, seconds)
        self._house = house
        self._last = False

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._house.left(self)

    def finish(self) -> None:
        self._last = True
        if self._exchange is None:
            self.transport.loseConnection()

    async def _exchange_once(self) -> bool:
        return await super()._exchange_once() and not self._last


class DrainingFactory(ServerFactory):
    """Knows the channels that are open, and can wait until the last one is gone."""

    def __init__(self, clock: Reactor, respond: Respond, seconds: float) -> None:
        self._clock, self._respond, self._seconds = clock, respond, seconds
        self._channels: set[DrainingChannel] = set()
        self._empty: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> DrainingChannel:
        channel = DrainingChannel(self._clock, self._respond, self._seconds, self)
        self._channels.add(channel)
        return channel

    def left(self, channel: DrainingChannel) -> None:
        self._channels.discard(channel)
        if not self._channels and self._empty is not None:
            empty, self._empty = self._empty, None
            empty.callback(None)

    def drain(self) -> Deferred[None]:
        """Ends every conversation after its exchange; answers when all are gone, or time is up."""
        if not self._channels:
            return succeed(None)
        empty: Deferred[None] = Deferred()
        self._empty = empty
        for channel in list(self._channels):
            channel.finish()
        return empty.addTimeout(DRAIN_SECONDS, self._clock, onTimeoutCancel=lambda *_: None)


class Drain(Service):
    """Stops when the last exchange has been answered."""

    def __init__(self, factory: DrainingFactory) -> None:
        self._factory = factory

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return self._factory.drain()


def make_service(reactor: Reactor, config: Config) -> MultiService:
    """The whole program. Children start in this order; to stop it is to stop each of them."""
    factory = DrainingFactory(reactor, assemble(reactor, config), config.timeout)
    house = MultiService()
    Drain(factory).setServiceParent(house)
    strports.service(config.listen, factory, reactor=reactor).setServiceParent(house)
    return house


def main(reactor: Reactor, config: Config) -> Deferred[None]:
    startLogging(sys.stdout)
    house = make_service(reactor, config)
    house.startService()
    reactor.addSystemEventTrigger("before", "shutdown", house.stopService)
    return Deferred()


if __name__ == "__main__":
    try:
        wishes = read_config(Path(sys.argv[1]).read_text(), sys.argv[1])
    except ConfigError as error:
        sys.exit(str(error))
    react(main, [wishes])
