"""What a balancer may see of a server, and what all balancers, and all ways of sticking to one, answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random
from typing import NamedTuple, Protocol, TypeVar

from proxy.message.fields import Fields

#: What a server gets at the very beginning of its slow start (Envoy's minimum).
RAMP_START = 0.1


class ServerView(Protocol):
    """A server, as far as choosing goes. The live server object may be it: reading all this changes nothing.

    @ivar name: unique in its upstream, stable over restarts: consistent hashing and sticky cookies build on it.
    @ivar weight: its share; with 0 it gets nothing new (it drains), but those who stick to it stay.
    @ivar priority: 0 is used first, backups have more. May change only with a new sequence of servers, as may `weight`.
    @ivar in_flight: requests it is working on.
    @ivar available: may be given a request now: healthy, not ejected, not draining, room for one more.
    @ivar has_room: the same, whatever its health: the question in a panic.
    @ivar since: when it last became healthy, in seconds of the monotonic clock.
    """

    @property
    def name(self) -> str: ...
    @property
    def weight(self) -> int: ...
    @property
    def priority(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def available(self) -> bool: ...
    @property
    def has_room(self) -> bool: ...
    @property
    def since(self) -> float: ...

    def latency(self, now: float) -> float:
        """How long it takes to answer, in seconds; 0.0 where nobody knows yet."""


class FrozenServer(NamedTuple):
    """A `ServerView` that stands still: for tests, for explaining."""

    name: str
    weight: int = 1
    priority: int = 0
    in_flight: int = 0
    available: bool = True
    has_room: bool = True
    since: float = float("-inf")
    seconds: float = 0.0

    def latency(self, now: float) -> float:
        return self.seconds


S = TypeVar("S", bound=ServerView)


class Balancer(Protocol[S]):
    """Chooses among servers of equal priority. It keeps what it needs between requests, such as whose turn it is."""

    def choose(
        self, servers: Sequence[S], key: bytes | None, now: float, random: Random, tried: Collection[S] = ()
    ) -> S | None:
        """A server that is available, or None.

        @param servers: the same object as long as nobody joins, leaves or changes its weight: a balancer may keep
            what it worked out about it.
        @param key: what the request is hashed by, where it is.
        @param now: seconds of the monotonic clock.
        @param tried: these have failed the request already.
        """


class Stickiness(Protocol[S]):
    """One upstream's way of keeping clients with their servers."""

    def find(self, fields: Fields, servers: Sequence[S], tried: Collection[S], now: float) -> S | None:
        """The server that a request sticks to, where it is available. One of weight 0 is: its sessions may end there.

        @param fields: of the request.
        @param servers: the same object as long as nobody joins or leaves.
        @param tried: these have failed the request already.
        @param now: seconds of the monotonic clock.
        """

    def answered(self, server: S, request: Fields, response: Fields, scheme: bytes, now: float) -> bytes | None:
        """`server` has answered.

        @param request: the fields of the request as the client sent it.
        @param scheme: by which the client came.
        @return: the value of a `Set-Cookie` that the client needs to stick to it, if it needs one.
        """

    def without(self, fields: Fields) -> Fields:
        """The fields of a request, less what is ours and no business of the server's."""


def ramp(server: ServerView, now: float, slow_start: float) -> float:
    """The part of its weight that a server gets `slow_start` seconds or less after it became healthy: linear, to 1."""
    age = now - server.since
    if age >= slow_start:
        return 1.0
    return max(RAMP_START, age / slow_start)


def load(server: ServerView, now: float, slow_start: float) -> float:
    """How busy a server would be with one request more, in requests for each unit of its weight; lower is better."""
    share = server.weight * ramp(server, now, slow_start) if slow_start else server.weight
    return (server.in_flight + 1) / share if share else float("inf")
