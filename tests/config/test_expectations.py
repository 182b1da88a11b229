"""Route tests as they are written."""

import pytest
from pydantic import ValidationError

from proxy.config.expectations import RequestLine, RouteTest, TestRequest


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GET http://a.example/x?y=z", RequestLine(b"GET", b"a.example", b"/x?y=z")),
        ("POST https://a:8443", RequestLine(b"POST", b"a:8443", b"/")),
        ("GET http://a?q", RequestLine(b"GET", b"a", b"/?q")),
        ("GET http:///x", RequestLine(b"GET", b"", b"/x")),
        ("GET http://[::1]/", RequestLine(b"GET", b"[::1]", b"/")),
    ],
)
def test_request_lines(line: str, expected: RequestLine) -> None:
    assert TestRequest.model_validate(line).line == expected


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
