"""What the connections of one listener share."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.task import Clock
from twisted.web.resource import IResource
from twisted.web.server import Request, Site
from twisted.web.test.requesthelper import DummyChannel

from proxy.alarm import Alarm
from proxy.downstream.admission import Admission
from proxy.downstream.channel import ProxyChannel
from proxy.downstream.site import ProxySite
from proxy.message import EMPTY, BytesBody, Exchange, Fields, Peer, RequestHead, Response, ResponseHead
from proxy.observe import ExchangeRecord
from proxy.policy.forwarding import ForwardingPolicy
from proxy.resources.tree import Root
from tests.support.ends import End
from tests.support.playbook import GET, playing

HEAD = RequestHead(b"GET", b"/x", b"a", 1, Fields())


class Tree:
    """A root that answers every exchange with itself."""

    def resource_for(self, exchange: Exchange) -> Tree:
        return self


def made(**asked: Any) -> ProxySite:
    clock = Clock()
    admission = Admission(ForwardingPolicy(), lambda: b"id")  # type: ignore[arg-type] # whatever makes an id
    return ProxySite(asked.pop("root", Tree()), Alarm(clock, clock.seconds), admission, clock, **asked)


def test_it_is_a_site_of_twisted_that_makes_our_channels() -> None:
    site = made()
    assert isinstance(site, Site)
    channel = site.buildProtocol(None)
    assert isinstance(channel, ProxyChannel)
    assert channel.factory is site


def test_starting_it_opens_no_log_and_leaves_no_timer() -> None:
    clock = Clock()
    site = made()
    site.startFactory()
    site.stopFactory()
    assert not clock.getDelayedCalls()


def test_an_exchange_is_asked_of_our_tree_and_a_stock_request_of_twisteds() -> None:
    tree = Tree()
    site = made(root=tree)
    exchange = site.open_exchange(HEAD, EMPTY, Peer("192.0.2.1", 1), lambda head: None)
    assert site.getResourceFor(exchange) is tree
    site = made(root=Root(None, []))  # type: ignore[arg-type] # nobody asks this router
    request = Request(DummyChannel(), False)
    request.prepath, request.postpath = [], [b"x"]
    assert IResource.providedBy(site.getResourceFor(request))


def test_an_exchange_begins_with_all_that_is_known_of_it() -> None:
    site = made(name="tcp:8443", tls=object())
    exchange = site.open_exchange(HEAD, EMPTY, Peer("192.0.2.1", 1), lambda head: None)
    record = exchange.record
    assert (record.method, record.target, record.host, record.minor) == (b"GET", b"/x", b"a", 1)
    assert (record.peer, record.listener, record.scheme) == ("192.0.2.1", "tcp:8443", b"https")
    assert exchange.scheme == b"https"


def test_every_observer_sees_every_exchange_once_it_has_ended() -> None:
    class Observer:
        def __init__(self) -> None:
            self.seen: list[ExchangeRecord] = []

        def observe(self, record: ExchangeRecord) -> None:
            self.seen.append(record)

    one, two = Observer(), Observer()
    site = made(observers=[one, two])
    record = ExchangeRecord(0.0, 0.0)
    site.observe(record)
    assert one.seen == two.seen == [record]


def test_the_date_is_that_of_now() -> None:
    site = made()
    first = site.date()
    assert first.endswith(b" GMT")
    parsedate_to_datetime(first.decode())
    assert len(first) == 29


def test_how_many_requests_a_connection_may_have() -> None:
    site = made(requests_per_connection=2)
    assert site.keeps_alive(1)
    assert not site.keeps_alive(2)
    assert made(requests_per_connection=0).keeps_alive(10**9)
    site.stopping = True
    assert not site.keeps_alive(1)


def test_it_knows_its_connections_and_says_when_the_last_has_gone() -> None:
    with playing() as play:
        one, two = play.client(), play.client()
        assert "2 connections" in repr(play.site)
        empty: list[int] = []
        one.says(b"GET / HT")
        two.says(b"GET / HT")
        play.site.drain(lambda: empty.append(len(play.site.channels)))
        one.leaves()
        assert empty == []
        two.leaves()
        assert empty == [0]
        assert "stopping" in repr(play.site)


def test_a_unix_socket_is_a_listener_too() -> None:
    async def hello(exchange: Exchange) -> Response:
        return Response(ResponseHead(200, b"OK", Fields()), BytesBody(exchange.client.encode()))

    with playing(target=hello) as play:
        address: Any = UNIXAddress(None)
        end = End(play.clock, address)
        end.joins(play.site.buildProtocol(address))
        end.says(GET)
        assert end.takes().startswith(b"HTTP/1.1 200 OK")
        end.leaves()
