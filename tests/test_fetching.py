"""Errands over HTTP: what is sent, and collected, with Twisted's client. Over sockets: tests/tls/test_responder.py."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss

from proxy.fetching import Sent, TooLargeError, agent, collected, innermost


class Transport:
    lost = False

    def loseConnection(self) -> None:
        self.lost = True


class Response:
    """An answer whose body a test delivers."""

    def __init__(self) -> None:
        self.transport = Transport()

    def deliverBody(self, body: Any) -> None:
        self.body = body
        body.makeConnection(self.transport)


class Consumer:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


def test_a_body_is_sent_at_once() -> None:
    consumer, body = Consumer(), Sent(b"question")
    assert body.startProducing(consumer).called
    assert (consumer.data, body.length) == (b"question", 8)


@pytest.mark.parametrize("end", [ResponseDone(), PotentialDataLoss()])
def test_an_answer_is_there_when_all_of_it_is(end: Exception) -> None:
    response, told = Response(), list[Any]()
    collected(response, 4).addBoth(told.append)
    response.body.dataReceived(b"an")
    response.body.dataReceived(b"sw")
    assert told == []
    response.body.connectionLost(Failure(end))
    assert told == [b"answ"]
    assert not response.transport.lost


def test_one_that_breaks_off_is_none() -> None:
    response, told = Response(), list[Any]()
    collected(response, 4).addBoth(told.append)
    response.body.dataReceived(b"an")
    response.body.connectionLost(Failure(ConnectionLost()))
    assert told[0].check(ConnectionLost)


def test_one_that_is_too_large_is_cut_off() -> None:
    response, told = Response(), list[Any]()
    collected(response, 4).addBoth(told.append)
    for _ in range(3):
        response.body.dataReceived(b"abc")
    assert told[0].check(TooLargeError)
    assert str(told[0].value) == "the answer is too large"
    assert response.transport.lost
    response.body.connectionLost(Failure(ResponseDone()))
    assert len(told) == 1


def test_nobody_waits_any_more() -> None:
    response, told = Response(), list[Any]()
    collecting = collected(response, 4)
    collecting.addBoth(told.append)
    collecting.cancel()
    assert told[0].check(CancelledError)
    assert response.transport.lost


def test_nothing_is_kept_alive_and_nothing_logged() -> None:
    made = agent(Clock(), 5.0)
    assert not made._pool.persistent
    assert not made._pool._factory.noisy


def test_what_went_wrong_at_first() -> None:
    error = ValueError("x")
    assert innermost(ResponseFailed([Failure(ResponseFailed([Failure(error)]))])) is error
    assert innermost(error) is error
