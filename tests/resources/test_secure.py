"""A listener that only says where the real one is."""

import pytest

from proxy.errors import REQUEST_HOST, ProxyError
from proxy.flow.walk import Walk
from proxy.message import EMPTY, Exchange, Fields, Peer, RequestHead, Response
from proxy.observe import ExchangeRecord
from proxy.resources.secure import HttpsRedirect


def answered(port: int, host: bytes, target: bytes) -> Response:
    head = RequestHead(b"GET", target, host, 1, Fields())
    exchange = Exchange(head, b"", EMPTY, Peer("192.0.2.1", 1), ExchangeRecord(0.0, 0.0), lambda head: None)
    node = HttpsRedirect(port)
    came: list[Response | BaseException] = []
    Walk(node.resource_for(exchange).respond(exchange), came.append, came.append).start()
    [answer] = came
    if isinstance(answer, BaseException):
        raise answer
    return answer


@pytest.mark.parametrize(
    ("port", "host", "target", "location"),
    [
        (443, b"a.test", b"/x/y?q=1", b"https://a.test/x/y?q=1"),
        (443, b"a.test:8080", b"/", b"https://a.test/"),
        (8443, b"[::1]:80", b"//evil.test/", b"https://[::1]:8443/evil.test/"),
        (443, b"a.test", b"*", b"https://a.test"),
    ],
)
def test_same_host_path_and_query(port: int, host: bytes, target: bytes, location: bytes) -> None:
    answer = answered(port, host, target)
    assert answer.head.status == 308
    assert answer.head.fields.get(b"location") == location


def test_without_a_host_there_is_nowhere_to_go() -> None:
    with pytest.raises(ProxyError) as caught:
        answered(443, b"", b"/")
    assert caught.value.reason is REQUEST_HOST


def test_repr() -> None:
    assert repr(HttpsRedirect(443)) == "<HttpsRedirect to port 443>"
