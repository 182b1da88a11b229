"""The body of one response: it ends with it, whoever still holds it."""

from __future__ import annotations

from proxy.errors import RESPONSE_IDLE, ProxyError
from proxy.message import BodySink, Fields
from proxy.upstream.response_body import ResponseBody


class Connection:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def start_body(self, sink: BodySink) -> None:
        self.asked.append("start")

    def hold_body(self) -> None:
        self.asked.append("hold")

    def release_body(self) -> None:
        self.asked.append("release")

    def stop(self) -> None:
        self.asked.append("stop")


class Sink:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.errors: list[ProxyError] = []

    def body_data(self, data: bytes) -> None:
        raise AssertionError("there is nothing")

    def body_end(self, trailers: Fields) -> None:
        raise AssertionError("it never began")

    def body_failed(self, error: ProxyError) -> None:
        self.errors.append(error)


def test_it_leads_to_its_connection() -> None:
    connection = Connection()
    body = ResponseBody(connection, 5)
    body.start(Sink())
    body.pause()
    body.resume()
    body.stop()
    assert connection.asked == ["start", "hold", "release", "stop"]


def test_what_is_over_leads_nowhere() -> None:
    connection, sink = Connection(), Sink()
    body = ResponseBody(connection, -1)
    assert body.length is None
    body.over()
    body.pause()
    body.resume()
    body.stop()
    body.start(sink)
    assert connection.asked == []
    assert [error.reason for error in sink.errors] == [RESPONSE_IDLE]


def test_it_is_stopped_once() -> None:
    connection = Connection()
    body = ResponseBody(connection, 5)
    body.stop()
    body.stop()
    assert connection.asked == ["stop"]
