"""Step 3: time passes. Run: python docs/tutorial/step03_deadline.py 8080 127.0.0.1:9000 [seconds]"""

from __future__ import annotations

import sys
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorCore, IReactorTCP, IReactorTime
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.internet.task import react
from twisted.python.failure import Failure

from http1 import RequestHead, ResponseHead
from step01_splice import Address, listen, parse_address
from step02_heads import Channel


class Reactor(IReactorTCP, IReactorTime, IReactorCore):
    """The sides of the reactor that we use. Types only."""


class Alarm:
    """One deadline at a time; setting it anew replaces the one before. The only `callLater` there is."""

    def __init__(self, clock: IReactorTime, time_passed: Callable[[], None]) -> None:
        self._clock, self._time_passed = clock, time_passed
        self._call: IDelayedCall | None = None

    def set(self, seconds: float) -> None:
        if self._call is not None and self._call.active():
            self._call.reset(seconds)
        else:
            self._call = self._clock.callLater(seconds, self._time_passed)

    def clear(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()


class TimedChannel(Channel):
    """A channel on which every wait ends: for a head, and for any progress after it."""

    def __init__(self, reactor: Reactor, upstream: Address, seconds: float) -> None:
        super().__init__(reactor, upstream)
        self.seconds = seconds
        self.alarm = Alarm(reactor, self.time_passed)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.alarm.clear()
        super().connectionLost(reason)

    def time_passed(self) -> None:
        if self.request is None and self.reader.buffered == 0 and not self.committed:
            self.committed = True  # idle between two requests: nobody is waiting for an answer
            self.alarm.set(self.seconds)
            self.transport.loseConnection()
        elif not self.reader.done:
            self.refuse(408, "the request did not arrive in time")
        else:
            self.refuse(504, "the server did not answer in time")

    # What counts as progress. The head has one deadline as a whole: bytes that trickle in do not extend it.

    def expect_request(self, received: bytes) -> None:
        super().expect_request(received)
        self.alarm.set(self.seconds)

    def read_on(self) -> None:
        super().read_on()
        if self.request is not None:
            self.alarm.set(self.seconds)

    def begin_response(self, request: RequestHead, head: ResponseHead, length_known: bool) -> None:
        self.alarm.set(self.seconds)
        super().begin_response(request, head, length_known)

    def write_response(self, piece: bytes) -> None:
        self.alarm.set(self.seconds)
        super().write_response(piece)


class Accept(ServerFactory):
    def __init__(self, reactor: Reactor, upstream: Address, seconds: float) -> None:
        self.reactor, self.upstream, self.seconds = reactor, upstream, seconds

    def buildProtocol(self, addr: IAddress | None) -> TimedChannel:
        return TimedChannel(self.reactor, self.upstream, self.seconds)


def main(reactor: Reactor, port: str, upstream: str, seconds: str = "30") -> Deferred[None]:
    return listen(reactor, port, Accept(reactor, parse_address(upstream), float(seconds)))


if __name__ == "__main__":
    react(main, sys.argv[1:])
