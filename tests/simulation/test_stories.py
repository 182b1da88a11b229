"""Worlds that once went wrong, each told again in its smallest form."""

from __future__ import annotations

from proxy.balance.catalog import DEFAULT
from proxy.health.ejection import EjectionPolicy
from proxy.observe import ExchangeRecord
from proxy.policy.retry import RetryPolicy
from proxy.upstream.pool import PoolPlan
from tests.simulation.clients import Ask, ClientScript
from tests.simulation.invariants import number_of
from tests.simulation.network import Line
from tests.simulation.servers import HANG, REFUSE, Mood, ServerScript
from tests.simulation.world import EPILOGUE, Setting, World

#: Nothing is tried twice.
ALONE = PoolPlan(retry=RetryPolicy(retries=0))
SERVERS = (ServerScript("s0"), ServerScript("s1"))


def whole(setting: Setting) -> World:
    """The world of `setting`, after its end, with nothing broken."""
    world = World(setting, telling=True)
    judge = world.run()
    assert judge.offences == [], "\n".join(f"{at:.4f} {who} {what}" for at, who, what in world.timeline)
    return world


def outcomes(world: World) -> list[tuple[int, str]]:
    """Of all but the epilogue."""
    return [(record.status, record.reason) for record in told(world)]


def told(world: World) -> list[ExchangeRecord]:
    return [record for record in world.judge.records if number_of(record) < EPILOGUE.asks[0].number]


def test_all_is_well() -> None:
    asks = tuple(Ask(number, size=1000) for number in range(1, 9))
    world = whole(Setting(SERVERS, (ClientScript(asks, depth=4),), balance=DEFAULT))
    assert outcomes(world) == [(200, "")] * 8


def test_a_client_that_leaves_while_its_server_is_dialed_is_not_tried_elsewhere() -> None:
    # Endpoints say ConnectingCancelledError, not CancelledError: it was taken for a failure of the server, and the
    # request of a client who was gone went to the next one.
    servers = (ServerScript("s0", (Mood(connecting=HANG),)), ServerScript("s1", (Mood(connecting=HANG),)))
    world = whole(Setting(servers, (ClientScript((Ask(1), Ask(2)), leaves=0.1, how="reset"),)))
    assert outcomes(world) == [(499, "client.closed")]
    assert [record.attempts for record in told(world)] == [1]
    assert [server.failures for server in world.all_servers] == [0, 0]


def test_a_body_that_ends_with_the_connection_is_not_whole_because_the_client_has_ended_its_side() -> None:
    # To HTTP/1.0 a body of unknown length ends when the connection does: only a reset says that something is missing.
    line = Line(latency=0.05, window=4096)
    ask = Ask(1, size=150_000, minor=0)
    for seed in range(8):
        client = ClientScript((ask,), leaves=0.4 + seed / 20, how="end")
        whole(Setting(SERVERS, (client,), seed, line))


def test_a_body_that_ends_with_the_connection_is_not_whole_after_a_reset() -> None:
    servers = (ServerScript("s0", (Mood(answers=("reset in body",)),)),)
    asks = (Ask(1, size=2000), Ask(2, size=2000), Ask(3, size=2000))
    for seed in range(12):
        world = whole(Setting(servers, tuple(ClientScript((ask,)) for ask in asks), seed))
        assert all(reason for _, reason in outcomes(world))


def test_an_answer_that_nobody_asked_for_answers_nothing() -> None:
    # The next request waits already for the only connection that there may be.
    servers = (ServerScript("s0", (Mood(answers=("two at once",)),)),)
    clients = tuple(ClientScript((Ask(number),)) for number in range(1, 5))
    world = whole(Setting(servers, clients, 1, Line(segment=16384), connections=1))
    assert outcomes(world) == [(200, "")] * 4


def test_a_retry_waits_for_room_and_is_counted_once() -> None:
    servers = (ServerScript("s0", (Mood(answers=("close",)),)), ServerScript("s1", (Mood(pause=0.1),)))
    plan = PoolPlan(queue=8, queue_seconds=5.0, retry=RetryPolicy(retries=1, minimum=8))
    clients = tuple(ClientScript((Ask(number),)) for number in range(1, 7))
    world = whole(Setting(servers, clients, plan=plan, connections=1))
    assert outcomes(world) == [(200, "")] * 6


def test_a_post_that_a_server_may_have_seen_is_not_repeated() -> None:
    servers = (ServerScript("s0", (Mood(answers=("close",)),)), ServerScript("s1", (Mood(answers=("reset",)),)))
    asks = (Ask(1, b"POST", body=20), Ask(2, b"POST", body=20))
    world = whole(Setting(servers, tuple(ClientScript((ask,)) for ask in asks)))
    assert [status for status, _ in outcomes(world)] == [502, 502]
    assert [record.attempts for record in told(world)] == [1, 1]


def test_a_removed_server_finishes_what_it_has_begun() -> None:
    servers = (ServerScript("s0", (Mood(pause=0.5),)), ServerScript("s1", (Mood(pause=0.5),)))
    clients = tuple(ClientScript((Ask(number),)) for number in range(1, 5))
    world = whole(Setting(servers, clients, removed=((0.2, 0),)))
    assert outcomes(world) == [(200, "")] * 4


def test_a_server_that_is_removed_while_it_is_ejected_leaves_the_clock_alone() -> None:
    # A connection that times out after the ejection should have been over set a deadline in the past, and the wheel
    # of deadlines turned for ever.
    servers = (ServerScript("s0", (Mood(1000.01, HANG), Mood(connecting=REFUSE))), ServerScript("s1"))
    starts = (0.0, 0.0, 0.02, 0.02, 0.02, 0.02)
    clients = tuple(ClientScript((Ask(number),), start=at) for number, at in enumerate(starts, 1))
    ejection = EjectionPolicy(2, first_seconds=0.3)
    world = whole(Setting(servers, clients, plan=ALONE, ejection=ejection, removed=((0.2, 0),)))
    assert sorted(outcomes(world))[3:] == [
        (502, "upstream.connect.refused"),
        (502, "upstream.connect.refused"),
        (504, "upstream.connect.timeout"),
    ]


def test_a_body_waits_between_two_attempts() -> None:
    # The connection that was given up went on taking it: when the next server was connected, too much had passed to
    # be sent once more, and the exchange ended in an assertion.
    line = Line(latency=0.05)
    client = ClientScript((Ask(1, b"PUT", body=200_000),), piece=3000, pace=0.02)
    for kind, retry in (
        ("silent", RetryPolicy(per_try=0.3)),
        ("too early", RetryPolicy(statuses=frozenset({503}))),
    ):
        servers = (ServerScript("s0", (Mood(answers=(kind,)),)), ServerScript("s1", (Mood(answers=(kind,)),)))
        world = whole(Setting(servers, (client,), line=line, plan=PoolPlan(retry=retry)))
        assert [record.attempts for record in told(world)] == [2]
        assert told(world)[0].status in (503, 504)
