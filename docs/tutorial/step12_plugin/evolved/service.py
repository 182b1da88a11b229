"""The life of the program: what starts, what stops, and in which order."""

from __future__ import annotations

from twisted.application import strports
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred

from evolved.alarm import Reactor
from evolved.assemble import assemble
from evolved.channel import DrainingFactory
from evolved.config import Config


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
