"""Authorities are answered before anybody else, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock

from proxy.acme.order import Proof
from proxy.acme.proofs import PATH
from proxy.assemble import assemble
from proxy.config import load_text
from proxy.resources.challenged import Challenged
from tests.assemble.test_house import Street

TEXT = """
access_log: false
state: /nowhere
listen:
  - tcp:80
  - {endpoint: "tcp:81", redirect: https}
  - {endpoint: "tcp:443", tls: {acme: {directory: "https://ca.test/dir", names: a.test}}}
routes: [{host: a.test, path: /, respond: {status: 404, body: "no\\n"}}]
"""
GET = b"%b /.well-known/acme-challenge/%b HTTP/1.1\r\nHost: b.test\r\n\r\n"


@pytest.fixture
def street() -> Street:
    street = Street(TEXT)
    assert street.house.office is not None
    street.house.office.proofs.show(Proof("http-01", "a.test", "token", "token.print"))
    return street


@pytest.mark.parametrize("listener", [0, 1])
def test_on_every_plain_listener_before_routes_and_redirects(street: Street, listener: int) -> None:
    client = street.visit(listener)
    client.says(GET % (b"GET", b"token"))
    answer = client.takes()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Type: application/octet-stream\r\n" in answer
    assert answer.endswith(b"\r\n\r\ntoken.print")
    client.says(GET % (b"HEAD", b"token"))
    assert client.takes().startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("method", "token"), [(b"GET", b"other"), (b"GET", b""), (b"POST", b"token"), (b"GET", b"token/x")]
)
def test_everything_else_takes_its_usual_way(street: Street, method: bytes, token: bytes) -> None:
    client = street.visit(1)
    client.says(GET % (method, token))
    assert b"Location: https://b.test/.well-known/acme-challenge/" in client.takes()


def test_where_nothing_is_ordered_nobody_is_asked() -> None:
    street = Street("access_log: false\nlisten: tcp:80\nroutes: [{path: /, respond: 204}]")
    assert street.house.office is None
    assert not isinstance(street.house.listeners[0].site.resource, Challenged)


def test_stock_requests_find_the_tree_behind() -> None:
    class Root:
        def getChildWithDefault(self, name: bytes, request: Any) -> Any:
            return name, request

        def render(self, request: Any) -> bytes:
            return b"here"

        def putChild(self, path: bytes, child: Any) -> None:
            raise NotImplementedError

    root = Challenged(Root(), lambda path: None)
    assert root.getChildWithDefault(b"a", 1) == (b"a", 1)
    assert root.render(None) == b"here"
    with pytest.raises(NotImplementedError):
        root.putChild(b"a", None)


def test_one_house_after_another_shows_the_same(street: Street) -> None:
    after = assemble(load_text(TEXT, "site.yaml", {}), MemoryReactorClock(), standing=street.house)
    assert after.office is not None
    assert after.office.proofs.answer(PATH + b"token") == b"token.print"
