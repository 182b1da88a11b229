"""Requests that somebody wants to know about: what they are on the wire, and who hears them."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.config.model import Listener
from proxy.errors import ProxyError
from proxy.explain.question import Entrance, Question, entrance, read
from proxy.wire import RequestLimits


@pytest.mark.parametrize("header", ["A: b\r\nC: d", "A: b\n"])
def test_a_question_is_one_request(header: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        read(Question("GET", "/", (header,)))


def test_what_a_url_says() -> None:
    head, length = read(Question("GET", "https://a.example:8443?b=c"))
    assert (head.target, head.host, length) == (b"/?b=c", b"a.example:8443", 0)
    head, _ = read(Question("GET", "/x", ("Host: b.example",)))
    assert head.host == b"b.example"
    assert read(Question("OPTIONS", "*")).head.target == b"*"
    assert read(Question("POST", "/", ("Content-Length: 7",))).length == 7
    assert read(Question("POST", "/", ("Transfer-Encoding: chunked",))).length is None


@pytest.mark.parametrize("question", [
    Question("GET", "http://a/\u00e9"),
    Question("GET", "http:///x"),
    Question("POST", "http://a/", ("Content-Length: 1", "Content-Length: 2")),
    Question("GET", "http://a:99999/"),
    Question("GET", "http://[/"),
])  # fmt: skip
def test_what_the_parser_refuses_is_refused(question: Question) -> None:
    with pytest.raises(ProxyError) as refused:
        read(question)
    assert refused.value.reason.status == 400


def test_sizes_are_those_of_the_configuration() -> None:
    with pytest.raises(ProxyError):
        read(Question("GET", "/", ("A: b", "C: d")), RequestLimits(fields=2))


def test_a_client_has_an_address() -> None:
    with pytest.raises(ValueError, match="`notanip` is not an IP address"):
        read(Question("GET", "/", client="notanip"))


def test_a_question_in_json() -> None:
    assert Question.of({"method": "GET", "url": "/"}) == Question("GET", "/")
    whole = {"method": "GET", "url": "/", "headers": ["A: b"], "client": "::1", "listener": "tcp:80"}
    assert Question.of(whole) == Question("GET", "/", ("A: b",), "::1", "tcp:80")
    assert Question.of({**whole, "certificate": ""}).certificate == ""
    with pytest.raises(ValueError, match="`certificate` must be text"):
        Question.of({**whole, "certificate": 1})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "an object with `method` and `url`"),
        ({}, "there is no `method` and `url`"),
        ({"url": "/"}, "there is no `method`"),
        ({"method": "GET"}, "there is no `url`"),
        ({"method": "GET", "url": "/", "headers": 5}, "`headers` is a list of lines"),
        ({"method": "GET", "url": "/", "headers": [5]}, "`headers` is a list of lines"),
        ({"method": 5, "url": "/"}, "`method` must be text"),
        ({"method": "GET", "url": "/", "client": None}, "`client` must be text"),
    ],
)
def test_what_is_no_question_is_told(said: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Question.of(said)


LISTEN = [
    Listener.model_validate(one)
    for one in (
        {"endpoint": "tcp:80", "redirect": "https"},
        {"endpoint": "tcp:443:interface=10.0.0.1", "tls": "internal"},
        {"endpoint": "unix:/run/x.sock"},
        {"endpoint": "tcp:port=8080"},
    )
]


@pytest.mark.parametrize(
    ("url", "listener", "expected"),
    [
        ("http://a/", "", Entrance(0, b"http")),
        ("https://a/", "", Entrance(1, b"https")),
        ("WSS://a/", "", Entrance(1, b"https")),
        ("https://a:9999/", "", Entrance(1, b"https")),
        ("http://a:8080/", "", Entrance(3, b"http")),
        ("http://a:9999/", "", Entrance(0, b"http", ("unix:/run/x.sock", "tcp:port=8080"))),
        ("http://a/", "unix:/run/x.sock", Entrance(2, b"http")),
        ("/", "tcp:80", Entrance(0, b"http")),
        ("/", "", Entrance(1, b"https", ("unix:/run/x.sock", "tcp:port=8080", "tcp:80"))),
    ],
)
def test_who_hears_it(url: str, listener: str, expected: Entrance) -> None:
    assert entrance(LISTEN, Question("GET", url, listener=listener)) == expected


def test_where_nobody_speaks_the_scheme() -> None:
    assert entrance(LISTEN[:1], Question("GET", "https://a/")) == Entrance(None, b"https")
    assert entrance((), Question("GET", "/")) == Entrance(None, b"http")


def test_a_listener_that_is_none_and_one_that_speaks_otherwise() -> None:
    with pytest.raises(ValueError, match="there is no listener tcp:1; there are: tcp:80, "):
        entrance(LISTEN, Question("GET", "/", listener="tcp:1"))
    with pytest.raises(ValueError, match="tcp:80 speaks plain HTTP: ask for http://"):
        entrance(LISTEN, Question("GET", "https://a/", listener="tcp:80"))
    with pytest.raises(ValueError, match="speaks TLS: ask for https://"):
        entrance(LISTEN, Question("GET", "http://a/", listener="tcp:443:interface=10.0.0.1"))
