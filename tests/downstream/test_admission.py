"""What is settled about a request before anybody looks at it."""

from __future__ import annotations

import pytest

from proxy.downstream.admission import Admission
from proxy.errors import MAX_FORWARDS, MISDIRECTED, REQUEST_LOOP, REQUEST_METHOD, REQUEST_PATH, ProxyError, Reason
from proxy.message import EMPTY, Exchange, Fields, Peer, RequestHead
from proxy.message.fields import Pair
from proxy.observe import ExchangeRecord
from proxy.policy.forwarding import ForwardingPolicy
from proxy.policy.trust import TrustedNetworks

TRUSTING = ForwardingPolicy(TrustedNetworks(["10.0.0.0/8"]), pseudonym=b"us")


def admitted(
    *pairs: Pair,
    method: bytes = b"GET",
    target: bytes = b"/",
    peer: str = "192.0.2.7",
    policy: ForwardingPolicy = TRUSTING,
) -> Exchange:
    """The exchange, let in."""
    admission = Admission(policy, lambda: b"made-here")  # type: ignore[arg-type] # whatever makes an id
    head = RequestHead(method, target, b"a", 1, Fields(((b"Host", b"a"), *pairs)))
    exchange = Exchange(head, b"", EMPTY, Peer(peer, 1), ExchangeRecord(0.0, 0.0), lambda head: None)
    admission.admit(exchange, admission.forwarder(peer, b"http"))
    return exchange


def test_a_stranger_is_who_it_is_whatever_it_says() -> None:
    exchange = admitted(
        (b"X-Forwarded-For", b"1.2.3.4"), (b"X-Request-ID", b"theirs"), (b"X-Forwarded-Proto", b"https")
    )
    assert exchange.client == exchange.record.client == "192.0.2.7"
    assert exchange.scheme == exchange.record.scheme == b"http"
    assert exchange.request_id == exchange.record.request_id == b"made-here"
    assert exchange.head.fields.all(b"x-forwarded-for") == [b"192.0.2.7"]


def test_a_proxy_that_is_trusted_is_believed() -> None:
    said = (b"X-Forwarded-For", b"1.2.3.4"), (b"X-Request-ID", b"theirs"), (b"X-Forwarded-Proto", b"https")
    exchange = admitted(*said, peer="10.1.1.1")
    assert exchange.client == "1.2.3.4"
    assert exchange.scheme == b"https"
    assert exchange.request_id == exchange.record.request_id == b"theirs"


def test_the_path_is_normalized_and_the_target_stays_as_it_came() -> None:
    exchange = admitted(target=b"/a/%62/../c?d=/../e")
    assert exchange.path == b"/a/c"
    assert exchange.head.target == b"/a/%62/../c?d=/../e"


@pytest.mark.parametrize(
    ("method", "target", "pairs", "reason"),
    [
        (b"TRACE", b"/", (), REQUEST_METHOD),
        (b"GET", b"/%00", (), REQUEST_PATH),
        (b"GET", b"/../x", (), REQUEST_PATH),
        (b"GET", b"/", ((b"Via", b"1.1 us"),), REQUEST_LOOP),
        (b"OPTIONS", b"*", ((b"Max-Forwards", b"0"),), MAX_FORWARDS),
    ],
)
def test_what_is_refused_at_the_door(method: bytes, target: bytes, pairs: tuple[Pair, ...], reason: Reason) -> None:
    with pytest.raises(ProxyError) as refused:
        admitted(*pairs, method=method, target=target)
    assert refused.value.reason is reason


def test_the_same_request_again_is_admitted_as_it_was() -> None:
    admission = Admission(TRUSTING, lambda: b"made-here")  # type: ignore[arg-type] # whatever makes an id
    visitor = admission.forwarder("192.0.2.7", b"http")
    fields = Fields(((b"Host", b"a"),))
    first = RequestHead(b"GET", b"/%61/../b", b"a", 1, fields)
    seen = []
    for head in (first, first, first._replace(target=b"/c"), first):
        exchange = Exchange(head, b"", EMPTY, Peer("192.0.2.7", 1), ExchangeRecord(0.0, 0.0), lambda head: None)
        admission.admit(exchange, visitor)
        seen.append((exchange.head.target, exchange.path))
        assert exchange.head.fields.get(b"x-real-ip") == b"192.0.2.7"
    assert seen == [(b"/%61/../b", b"/b"), (b"/%61/../b", b"/b"), (b"/c", b"/c"), (b"/%61/../b", b"/b")]


@pytest.mark.parametrize(("said", "passed_on"), [(b"5", b"4"), (b"1", b"0"), (b"many", b"many"), (b"-1", b"-1")])
def test_options_count_their_hops(said: bytes, passed_on: bytes) -> None:
    exchange = admitted((b"Max-Forwards", said), method=b"OPTIONS")
    assert exchange.head.fields.all(b"max-forwards") == [passed_on]


def test_hops_count_for_options_only() -> None:
    assert admitted((b"Max-Forwards", b"0")).head.fields.get(b"max-forwards") == b"0"


def test_a_guard_looks_at_every_request_unless_there_is_nothing_to_guard() -> None:
    class Guard:
        def check(self, authority: bytes, credentials: object) -> None:
            raise ProxyError(MISDIRECTED, authority.decode())

    admission = Admission(TRUSTING, lambda: b"made-here", Guard())  # type: ignore[arg-type] # all that is asked of them
    for one, refused in ((admission, True), (admission.unguarded(), False)):
        head = RequestHead(b"GET", b"/", b"a", 1, Fields(((b"Host", b"a"),)))
        exchange = Exchange(head, b"", EMPTY, Peer("192.0.2.7", 1), ExchangeRecord(0.0, 0.0), lambda head: None)
        try:
            one.admit(exchange, one.forwarder("192.0.2.7", b"http"))
        except ProxyError as error:
            assert error.reason is MISDIRECTED
            assert refused
        else:
            assert not refused
