"""What is made of the answers of name servers: which servers a name stands for, and when to ask again.

A name server that fails says nothing about the servers, so what was known last still holds. One that says that the
name is gone is believed when it has said so a few times: names go and come back when zones are moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from itertools import zip_longest
from typing import NamedTuple

from proxy import limits

#: So many answers in a row that the name is gone, and its servers go too.
GONE_ANSWERS = 3
#: Between two questions that bring nothing: the first wait; each next one is twice as long.
RETRY_SECONDS = 1.0


class Question(NamedTuple):
    """A name to look up.

    @ivar port: of the servers; SRV records bring their own.
    @ivar service: ask for SRV records, not for addresses.
    """

    name: str
    port: int = 0
    service: bool = False


class Target(NamedTuple):
    """One server that a name stands for.

    @ivar host: its IP address.
    @ivar other: its address in the other family, if it has one.
    @ivar rank: 0 for those that come first.
    """

    host: str
    other: str = ""
    port: int = 0
    weight: int = 1
    rank: int = 0


class Answer(NamedTuple):
    """What a lookup found: `targets` hold for `ttl` seconds, as the name servers say."""

    targets: tuple[Target, ...]
    ttl: float


class Service(NamedTuple):
    """One SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    host: str


class ResolutionPolicy(NamedTuple):
    """How long answers hold, in seconds.

    @ivar shortest, longest: the bounds of what name servers may say.
    @ivar lookup: how long one lookup may take.
    """

    shortest: float = limits.NAME_SHORTEST_SECONDS
    longest: float = limits.NAME_LONGEST_SECONDS
    lookup: float = limits.NAME_LOOKUP_SECONDS


DEFAULT = ResolutionPolicy()


class Resolution:
    """What is believed of one name.

    @ivar targets: the servers it stands for, in an order that does not change with the order of the answers.
    @ivar trouble: why there was no answer the last time, else "".
    @ivar asked: whether any lookup has ended.
    """

    __slots__ = ("_gone", "_in_vain", "_policy", "asked", "targets", "trouble")

    def __init__(self, policy: ResolutionPolicy = DEFAULT) -> None:
        self.targets: tuple[Target, ...] = ()
        self.trouble = ""
        self.asked = False
        self._policy = policy
        self._gone = 0
        self._in_vain = 0

    def found(self, answer: Answer) -> float:
        """A lookup has found something.

        @return: seconds until the next one.
        """
        self.asked = True
        self._gone = self._in_vain = 0
        self.trouble = ""
        self.targets = answer.targets[: limits.NAME_ADDRESSES]
        return min(max(answer.ttl, self._policy.shortest), self._policy.longest)

    def gone(self, why: str) -> float:
        """The name servers say that there is nothing of that name."""
        self._gone += 1
        if self._gone >= GONE_ANSWERS:
            self.targets = ()
        return self._wait(why)

    def failed(self, why: str) -> float:
        """The name servers say nothing that can be used."""
        return self._wait(why)

    def _wait(self, why: str) -> float:
        self.asked = True
        self.trouble = why
        seconds = RETRY_SECONDS * 2.0 ** min(self._in_vain, 16)
        self._in_vain += 1
        return min(seconds, max(self._policy.longest, RETRY_SECONDS))

    def __repr__(self) -> str:
        return f"<Resolution {len(self.targets)} servers{', ' if self.trouble else ''}{self.trouble}>"


def paired(v4: Iterable[str], v6: Iterable[str], port: int, weight: int = 1, rank: int = 0) -> tuple[Target, ...]:
    """One target for each host that has these addresses: the first of one family goes with the first of the other.

    Sorted first, since name servers turn their answers around.
    """
    targets = []
    for old, new in zip_longest(_sorted(v4), _sorted(v6), fillvalue=""):
        targets.append(Target(old or new, new if old else "", port, weight, rank))
    return tuple(targets)


def _sorted(addresses: Iterable[str]) -> list[str]:
    return sorted(set(addresses), key=lambda text: int(ip_address(text)))


def served(services: Sequence[Service], found: dict[str, tuple[list[str], list[str]]]) -> tuple[Target, ...]:
    """The targets behind SRV records: lower priorities come first, weights are shares.

    @param found: the addresses of each host, by family (version 4 first).
    """
    ranks = {priority: rank for rank, priority in enumerate(sorted({each.priority for each in services}))}
    targets: dict[tuple[str, int], Target] = {}
    for each in sorted(services):
        v4, v6 = found.get(each.host, ([], []))
        # RFC 2782: a weight of 0 is a very small chance beside others, not none.
        for target in paired(v4, v6, each.port, max(each.weight, 1), ranks[each.priority]):
            targets.setdefault((target.host, target.port), target)
    return tuple(targets.values())


class ResolvConf(NamedTuple):
    """What resolv.conf(5) says: name servers, and how short names become long ones."""

    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = 1


def parse_resolv_conf(text: str) -> ResolvConf:
    """Read `text`; what is not understood is passed over, as everybody does."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    ndots = 1
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver":
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            search = tuple(word.rstrip(".") for word in words[1:] if word.rstrip("."))
        elif words[0] == "options":
            dots = [word.removeprefix("ndots:") for word in words[1:] if word.startswith("ndots:")]
            ndots = int(dots[-1]) if dots and dots[-1].isdigit() else ndots
    return ResolvConf(tuple(servers), search, min(ndots, 15))


def candidates(name: str, conf: ResolvConf) -> list[str]:
    """The full names that `name` may stand for, in the order in which they are asked for."""
    if name.endswith("."):
        return [name[:-1]]
    longer = [f"{name}.{domain}" for domain in conf.search]
    return [name, *longer] if name.count(".") >= conf.ndots else [*longer, name]
