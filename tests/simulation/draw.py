"""From a seed to a setting: what may be different between two worlds, and how often."""

from __future__ import annotations

from random import Random

from proxy.balance.catalog import HASH, NAMES
from proxy.health.agent import Mode, Report, Word
from proxy.health.breaker import BreakerPolicy
from proxy.health.ejection import EjectionPolicy
from proxy.policy.retry import RetryPolicy
from proxy.upstream.pool import PoolPlan
from proxy.upstream.prober import ProbePlan
from tests.simulation.clients import LEAVING, Ask, ClientScript
from tests.simulation.network import Line
from tests.simulation.servers import ACCEPT, ANSWERS, CONNECTING, Mood, ServerScript
from tests.simulation.world import Setting

_METHODS = (b"GET", b"GET", b"GET", b"HEAD", b"PUT", b"POST", b"POST", b"DELETE")
_BODIES = (0, 1, 20, 3000, 3000, 70_000, 200_000)
_SIZES = (0, 1, 10, 10, 10, 1000, 1000, 20_000, 150_000)
_BALANCERS = tuple(name for name in NAMES if name != HASH)


def draw(seed: int) -> Setting:
    """The setting of one seed."""
    random = Random(seed)

    def chance(part: float) -> bool:
        return random.random() < part

    servers = tuple(_server(random, f"s{place}") for place in range(random.choice((1, 2, 2, 3, 3, 5))))
    retry = RetryPolicy(
        retries=random.choice((0, 1, 1, 1, 2, 3)),
        statuses=frozenset({503}) if chance(0.3) else frozenset(),
        any_method=chance(0.15),
        share=random.choice((0.0, 0.2, 0.5)),
        minimum=random.choice((0, 1, 3)),
        per_try=random.choice((0.3, 1.0)) if chance(0.2) else 0.0,
        total=random.choice((1.5, 3.0)) if chance(0.15) else 0.0,
        hedge_after=random.choice((0.01, 0.1, 0.25)) if chance(0.2) else 0.0,
    )
    setting = Setting(
        servers,
        _clients(random),
        seed,
        line=Line(
            latency=random.choice((0.0001, 0.002, 0.05)),
            window=random.choice((4096, 16384, 65536)),
            segment=random.choice((30, 1460, 1460, 16384)),
            high_water=random.choice((4096, 65536)),
        ),
        plan=PoolPlan(queue=random.choice((0, 1, 8, 64)), queue_seconds=random.choice((0.2, 1.0)), retry=retry),
        balance=random.choice(_BALANCERS),
        slow_start=random.choice((0.0, 0.0, 2.0)),
        panic=random.choice((None, None, 0.0, 0.5)),
        connections=random.choice((0, 1, 2, 4)),
        idle_connections=random.choice((0, 1, 8)),
        idle_seconds=random.choice((0.3, 1.0, 4.0)),
        ejection=_ejection(random) if chance(0.8) else None,
        probe=_probe(random) if chance(0.4) else None,
        breaker=BreakerPolicy(0.5, random.choice((2, 5)), 2.0, 0.5, random.choice((1, 2))) if chance(0.3) else None,
        removed=((random.uniform(0.0, 3.0), random.randrange(len(servers))),) if chance(0.2) else (),
        drained=random.uniform(0.01, 3.0) if chance(0.1) else 0.0,
        hands=_hands(random, len(servers)) if chance(0.2) else (),
        reports=_reports(random, len(servers)) if chance(0.2) else (),
    )
    return _crowded(random, setting) if chance(0.15) else setting


def _crowded(random: Random, setting: Setting) -> Setting:
    """The same world with more clients than fit, and servers that come and go."""
    clients = tuple(
        ClientScript((Ask(number, random.choice((b"GET", b"POST"))),), start=random.uniform(0.0, 1.0))
        for number in range(1, 31)
    )
    return setting._replace(
        clients=clients,
        servers=tuple(server._replace(moods=tuple(_slow(mood) for mood in server.moods)) for server in setting.servers),
        connections=random.choice((1, 2, 4)),
        plan=setting.plan._replace(queue=64, queue_seconds=2.0),
        hands=setting.hands or _hands(random, len(setting.servers)),
    )


def _slow(mood: Mood) -> Mood:
    return mood._replace(pause=max(mood.pause, 0.1))


def _hands(random: Random, servers: int) -> tuple[tuple[float, float, int], ...]:
    """Some are taken out by hand, and put back."""
    since = random.uniform(0.0, 2.0)
    return tuple((since, since + random.uniform(0.05, 1.0), place) for place in range(servers) if random.random() < 0.6)


def _reports(random: Random, servers: int) -> tuple[tuple[float, int, Report], ...]:
    """Agents take their servers out, each in its way, and put them back; some for more than they were to do before."""
    reports = []
    connections = random.choice((None, 50))
    for place in range(servers):
        at = random.uniform(0.0, 1.5)
        less = random.choice((Report(share=0.0), Report(mode=Mode.DRAIN), Report(word=Word.DOWN)))
        more = Report(1.0, connections, Mode.READY, Word.UP)
        reports += [(at, place, less), (at + random.uniform(0.05, 1.0), place, more)]
    return tuple(reports)


def _ejection(random: Random) -> EjectionPolicy:
    return EjectionPolicy(random.choice((1, 2, 3)), random.choice((0.3, 1.0)), 4.0, random.choice((0.34, 0.5, 1.0)))


def _probe(random: Random) -> ProbePlan:
    path = random.choice((b"/health", b"/health", b""))
    return ProbePlan(path, interval=random.choice((0.3, 1.0)), timeout=random.choice((0.1, 0.5)))


def _server(random: Random, name: str) -> ServerScript:
    """Mostly well; or ill; or changing between the two."""
    well = Mood(pause=random.choice((0.0, 0.001, 0.02, 0.2)))
    ill = Mood(
        connecting=random.choice((*CONNECTING, ACCEPT, ACCEPT, ACCEPT)),
        answers=tuple(random.choices(ANSWERS, k=random.randint(1, 6))),
        pause=random.choice((0.0, 0.001, 0.02, 0.2)),
    )
    nature = random.choice(("well", "ill", "falls ill", "recovers", "flaps"))
    moods: tuple[Mood, ...] = (well,) if nature == "well" else (ill,)
    if nature not in ("well", "ill"):
        times = [1000.0]
        while len(times) < (10 if nature == "flaps" else 2):
            times.append(times[-1] + random.uniform(0.05, 1.0))
        pair = (ill, well) if nature == "recovers" else (well, ill)
        changing = [pair[place % 2]._replace(until=until) for place, until in enumerate(times[1:])]
        moods = (*changing, pair[len(changing) % 2])
    return ServerScript(
        name,
        moods,
        weight=random.choice((1, 1, 1, 2, 5, 0)),
        priority=random.choice((0, 0, 0, 1)),
        idle=random.choice((0.0, 0.0, 0.05, 0.5, 2.0)),
        announces=random.random() < 0.3,
    )


def _clients(random: Random) -> tuple[ClientScript, ...]:
    clients = []
    number = 1
    for _ in range(random.choice((1, 2, 4, 8, 12))):
        asks = []
        for _ in range(random.choice((1, 1, 2, 4, 8))):
            asks.append(_ask(random, number))
            number += 1
        clients.append(
            ClientScript(
                tuple(asks),
                start=random.uniform(0.0, 2.0),
                depth=random.choice((1, 1, 2, 8)),
                piece=random.choice((50_000, 50_000, 3000, 7 if all(ask.body < 100 for ask in asks) else 3000)),
                pace=random.choice((0.0, 0.0, 0.001, 0.02)),
                leaves=random.uniform(0.0, 1.0) ** 3 if random.random() < 0.3 else 0.0,
                how=random.choice(LEAVING),
                pauses=_pauses(random) if random.random() < 0.3 else (),
            )
        )
    return tuple(clients)


def _ask(random: Random, number: int) -> Ask:
    method = random.choice(_METHODS)
    body = random.choice(_BODIES) if method in (b"PUT", b"POST") else 0
    minor = 0 if random.random() < 0.1 else 1
    ask = Ask(
        number,
        method,
        random.choice(_SIZES),
        body,
        chunked=bool(minor and body and random.random() < 0.5),
        minor=minor,
        close=random.random() < 0.1,
    )
    if random.random() < 0.08:
        ask = ask._replace(cut=random.randrange(len(ask.wire())))
    elif ask.chunked and random.random() < 0.1:
        ask = ask._replace(spoiled=True)
    return ask


def _pauses(random: Random) -> tuple[tuple[float, float], ...]:
    return tuple(
        (random.uniform(0.0, 1.0) ** 2, random.choice((0.01, 0.5, 1.9, float("inf"))))
        for _ in range(random.choice((1, 2)))
    )
