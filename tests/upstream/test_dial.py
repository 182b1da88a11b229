"""How a server is reached, and what it means when it is not."""

from __future__ import annotations

import errno

import pytest
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import (
    ConnectError,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TCPTimedOutError,
    TimeoutError,
    UserError,
    getConnectError,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock

from proxy.errors import CONNECT_FAILED, CONNECT_REFUSED, CONNECT_TIMEOUT, NAME_UNRESOLVED, Reason, Retry
from proxy.upstream.dial import Address, dial_error, endpoint_for


@pytest.mark.parametrize(
    ("address", "text", "kind"),
    [
        (Address("127.0.0.1", 80), "127.0.0.1:80", TCP4ClientEndpoint),
        (Address("::1", 80), "[::1]:80", TCP6ClientEndpoint),
        (Address("app.internal", 80), "app.internal:80", HostnameEndpoint),
        (Address("", path="/run/app.sock"), "unix:/run/app.sock", UNIXClientEndpoint),
    ],
)
def test_each_kind_of_address_has_its_endpoint(address: Address, text: str, kind: type) -> None:
    assert str(address) == text
    assert isinstance(endpoint_for(MemoryReactorClock(), address, 5.0), kind)


def test_an_attempt_has_its_time() -> None:
    reactor = MemoryReactorClock()
    endpoint_for(reactor, Address("127.0.0.1", 9000), 3.5).connect(Factory.forProtocol(Protocol))
    [(host, port, _, timeout, _)] = reactor.tcpClients
    assert (host, port, timeout) == ("127.0.0.1", 9000, 3.5)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(), CONNECT_REFUSED),
        (TimeoutError(), CONNECT_TIMEOUT),
        (TCPTimedOutError(), CONNECT_TIMEOUT),
        (DNSLookupError(), NAME_UNRESOLVED),
        (NoRouteError(), CONNECT_FAILED),
        (ConnectError(), CONNECT_FAILED),
        (UserError(), CONNECT_FAILED),
        (FileNotFoundError(2, "No such file"), CONNECT_FAILED),
    ],
)
def test_what_a_failed_attempt_means(error: Exception, reason: Reason) -> None:
    failed = dial_error(error, Address("127.0.0.1", 9000))
    assert failed.reason is reason
    assert failed.retry is Retry.UNSENT, "nothing was sent, so any request may go elsewhere"
    assert failed.detail.startswith("127.0.0.1:9000: ")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (getConnectError((errno.ENOENT, "No such file or directory")), "No such file or directory"),
        (getConnectError((errno.EACCES, "Permission denied")), "Permission denied"),
        (ConnectError(errno.ENOENT), "No such file or directory"),
        (ConnectError("no room"), "no room"),
        (ConnectError(string="gone"), "An error occurred while connecting: gone."),
    ],
)
def test_a_failed_attempt_is_told_in_words(error: Exception, words: str) -> None:
    assert dial_error(error, Address("", path="/run/app.sock")).detail == f"unix:/run/app.sock: {words}"
