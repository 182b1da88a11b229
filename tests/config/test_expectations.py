"""Route tests as they are written."""

import pytest
from pydantic import ValidationError

from proxy.config.expectations import RequestLine, RouteTest, TestRequest


@pytest.mark.parametrize(
    "url", ["http://a.example/x?y=z", "https://a:8443", "http://a?q", "http:///x", "http://[::1]/"]
)
def test_request_lines(url: str) -> None:
    assert TestRequest.model_validate(f"POST {url}").line == RequestLine(b"POST", url)


@pytest.mark.parametrize(
    "line", ["", "GET", "GET /x", "http://a/", "GET ftp://a/", "GET http://u@a/", "GET http://a/#x", "G T http://a/", 7]
)
def test_what_is_no_request(line: object) -> None:
    with pytest.raises(ValidationError):
        TestRequest.model_validate(line)


def test_more_than_a_line() -> None:
    request = TestRequest.model_validate({"line": "GET http://a/", "headers": {"X": [1, "b"]}, "client": "::1"})
    assert request.headers == {b"X": (b"1", b"b")}
    assert request.client == "::1"
    with pytest.raises(ValidationError):
        TestRequest.model_validate({"line": "GET http://a/", "client": "nobody"})


def test_a_test_expects_something() -> None:
    assert RouteTest.model_validate({"request": "GET http://a/", "headers": {"A": "b"}}).headers == {b"A": b"b"}
    with pytest.raises(ValidationError, match="expects nothing"):
        RouteTest.model_validate({"request": "GET http://a/"})


def test_a_refusal_has_a_reason_that_there_is() -> None:
    assert RouteTest.model_validate({"request": "GET http://a/", "refused": "route.none"}).refused == "route.none"
    with pytest.raises(ValidationError, match="is no reason"):
        RouteTest.model_validate({"request": "GET http://a/", "refused": "route.nun"})
