"""Requests that are split among pools."""

from __future__ import annotations

from collections import Counter
from random import Random

from twisted.internet.task import Clock

from proxy.alarm import Alarm
from proxy.balance.key import parse_rule
from proxy.message import EMPTY, Deadlines, Exchange, Fields, Peer, RequestHead
from proxy.observe import ExchangeRecord
from proxy.policy.forwarding import ForwardingPolicy
from proxy.policy.retry import RetryPolicy
from proxy.resources.forward import Forward
from proxy.resources.split import Branch, SplitForward
from proxy.upstream.pool import Pool
from tests.support.playbook import GET, OK, playing


def exchange(client: str = "192.0.2.1") -> Exchange:
    head = RequestHead(b"GET", b"/", b"a", 1, Fields())
    return Exchange(head, b"/", EMPTY, Peer(client, 1), ExchangeRecord(0.0, 0.0), lambda head: None)


def split(*weights: int, by: str | None = None) -> SplitForward:
    alarm = Alarm(Clock())
    branches = [
        Branch(Forward(Pool(str(place), [], alarm), ForwardingPolicy()), weight, Deadlines())
        for place, weight in enumerate(weights)
    ]
    return SplitForward(branches, Random(1), None if by is None else parse_rule(by))


def test_shares_are_as_weights() -> None:
    target = split(90, 10)
    counts = Counter(target.branches.index(target.choose(exchange())) for _ in range(4000))
    assert 0.08 < counts[1] / 4000 < 0.12


def test_who_is_known_stays() -> None:
    target = split(50, 50, by="client")
    for client in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
        assert len({target.branches.index(target.choose(exchange(client))) for _ in range(20)}) == 1
    assert len({target.branches.index(target.choose(exchange(f"192.0.2.{number}"))) for number in range(50)}) == 2


def test_who_is_not_known_draws_lots() -> None:
    target = split(50, 50, by="cookie:session")
    assert len({target.branches.index(target.choose(exchange())) for _ in range(50)}) == 2


def test_each_branch_has_its_deadlines_and_its_pool() -> None:
    with playing(pool={"retry": RetryPolicy(0)}) as stage:
        quick = Branch(Forward(stage.pool, ForwardingPolicy(request_id=b"")), 1, Deadlines(response_head=1.0))
        nobody = Branch(Forward(Pool("nobody", [], stage.alarm), ForwardingPolicy()), 0, Deadlines())
        with playing(target=SplitForward([nobody, quick], Random(1))) as play:
            client = play.client()
            client.says(GET)
            stage.turn()
            server = stage.server()
            server.hears(GET)
            server.says(OK)
            stage.turn()
            play.turn()
            client.hears(OK)
            assert play.record.upstream == "pool"
            client.says(GET)
            play.turn()
            stage.wait(1.2)
            play.turn()
            assert client.takes().startswith(b"HTTP/1.1 504 ")
