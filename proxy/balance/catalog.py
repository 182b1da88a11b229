"""The algorithms, by the name they have in a configuration."""

from __future__ import annotations

from collections.abc import Callable

from proxy.balance.consistent_hash import ConsistentHash
from proxy.balance.first_available import FirstAvailable
from proxy.balance.least_connections import LeastConnections
from proxy.balance.least_time import LeastTime
from proxy.balance.power_of_two import PowerOfTwo
from proxy.balance.round_robin import RoundRobin
from proxy.balance.tiers import Tiers
from proxy.balance.view import Balancer, S
from proxy.balance.weighted_random import WeightedRandom

#: The name of the one algorithm that needs a key.
HASH = "hash"
DEFAULT = "round_robin"

NAMES = (DEFAULT, "random", "power_of_two", "least_connections", "least_time", "first_available", HASH)


def balancer(name: str, *, slow_start: float = 0.0, load_factor: float = 0.0) -> Balancer[S]:
    """The algorithm called `name`.

    @param slow_start: seconds until a server that came back has its full share; 0 for at once. Servers that are
        filled in order or found by hash have no share that could grow.
    @param load_factor: for `hash`: how many times its fair share a server may have in flight; 0 for no bound.
    @raise KeyError: there is none of that name.
    """
    table: dict[str, Callable[[], Balancer[S]]] = {
        DEFAULT: lambda: RoundRobin(slow_start),
        "random": lambda: WeightedRandom(slow_start),
        "power_of_two": lambda: PowerOfTwo(slow_start),
        "least_connections": lambda: LeastConnections(slow_start),
        "least_time": lambda: LeastTime(slow_start),
        "first_available": FirstAvailable,
        HASH: lambda: ConsistentHash(load_factor),
    }
    return table[name]()


def tiers(
    name: str = DEFAULT, *, slow_start: float = 0.0, load_factor: float = 0.0, panic: float | None = None
) -> Tiers[S]:
    """The whole choice for an upstream: `balancer(name)` in each of its tiers. See there, and `tiers.Tiers`."""
    return Tiers(
        lambda: balancer(name, slow_start=slow_start, load_factor=load_factor),
        lambda: balancer(name, load_factor=load_factor),
        panic,
    )
