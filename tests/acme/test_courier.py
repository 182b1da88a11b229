"""Requests to a directory. Real ones go to Pebble in tests/sockets/test_acme.py; here are those that go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http_headers import Headers

from proxy import limits
from proxy.acme.courier import Courier
from proxy.acme.words import Answer, Ask, UnreachedError

ASK = Ask("POST", "https://ca.test:14000/order", b"{}", "application/pem-certificate-chain")


class Consumer:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


class Transport:
    lost = False

    def loseConnection(self) -> None:
        self.lost = True


class Response:
    """An answer whose body a test delivers."""

    code = 200
    headers = Headers({"Replay-Nonce": ["n1"], "Link": ["a", "b"]})

    def deliverBody(self, body: Any) -> None:
        self.body = body
        body.makeConnection(Transport())


class Agent:
    """Remembers what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.answer: Deferred[Any] = Deferred()

    def request(self, method: bytes, url: bytes, headers: Headers, body: Any) -> Deferred[Any]:
        self.asked.append((method, url, headers, body))
        return self.answer


class Stage:
    def __init__(self, ask: Ask = ASK) -> None:
        self.clock, self.agent = Clock(), Agent()
        courier = Courier(self.clock)
        courier._agent = lambda: self.agent  # type: ignore[method-assign,assignment,return-value]
        self.told: list[Any] = []
        self.running: Deferred[Answer] = Deferred.fromCoroutine(courier.fetch(ask))
        self.running.addBoth(self.told.append)

    def words(self) -> str:
        [failure] = self.told
        assert isinstance(failure.value, UnreachedError), failure
        return str(failure.value)


def test_a_request_says_who_asks() -> None:
    [(method, url, headers, body)] = Stage().agent.asked
    assert (method, url) == (b"POST", b"https://ca.test:14000/order")
    assert headers.getRawHeaders("user-agent")[0].startswith("twisted-reverseproxy/")
    assert headers.getRawHeaders("content-type") == ["application/jose+json"]
    assert headers.getRawHeaders("accept") == ["application/pem-certificate-chain"]
    consumer = Consumer()
    assert body.startProducing(consumer).called
    assert (consumer.data, body.length) == (b"{}", 2)
    [(_, _, headers, body)] = Stage(Ask("GET", "https://ca.test/dir")).agent.asked
    assert headers.getRawHeaders("content-type") is None
    assert body is None


def test_an_answer_is_there_when_its_body_is() -> None:
    stage, response = Stage(), Response()
    stage.agent.answer.callback(response)
    response.body.dataReceived(b"a")
    response.body.dataReceived(b"b")
    assert stage.told == []
    response.body.connectionLost(Failure(ResponseDone()))
    assert stage.told == [Answer(200, {"replay-nonce": "n1", "link": "b"}, b"ab")]
    assert not stage.clock.getDelayedCalls()


def test_an_answer_without_end_is_cut_off() -> None:
    stage, response = Stage(), Response()
    stage.agent.answer.callback(response)
    response.body.dataReceived(bytes(limits.ACME_ANSWER_BYTES + 1))
    assert response.body.transport.lost
    assert "too large" in stage.words()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection was refused"),
        (ResponseFailed([Failure(ResponseFailed([Failure(ValueError("odd"))]))]), "odd"),
        (SSL.Error([("SSL routines", "", "certificate verify failed")]), "certificate verify failed"),
        (ValueError(), "ValueError"),
    ],
)
def test_why_there_is_no_answer(error: Exception, words: str) -> None:
    stage = Stage()
    stage.agent.answer.errback(error)
    assert stage.words().startswith("ca.test:14000 cannot be reached: ")
    assert words in stage.words()


def test_a_server_that_says_nothing_has_a_deadline() -> None:
    stage = Stage()
    stage.clock.advance(limits.ACME_ANSWER_SECONDS)
    assert "no answer within 30 seconds" in stage.words()


def test_or_that_stops_in_the_middle() -> None:
    stage, response = Stage(), Response()
    stage.agent.answer.callback(response)
    stage.clock.advance(limits.ACME_ANSWER_SECONDS)
    assert "no answer within 30 seconds" in stage.words()
    assert response.body.transport.lost
    response.body.connectionLost(Failure(ResponseDone()))  # it comes too late


def test_whoever_gives_up_is_not_told_of_a_failure() -> None:
    stage = Stage()
    stage.running.cancel()
    [failure] = stage.told
    assert failure.check(CancelledError)
    assert not stage.clock.getDelayedCalls()


def test_a_file_of_authorities_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    courier = Courier(Clock(), str(tmp_path / "ca.pem"))
    told: list[Any] = []
    Deferred.fromCoroutine(courier.fetch(ASK)).addBoth(told.append)
    assert "`ca` cannot be used" in str(told[0].value)
