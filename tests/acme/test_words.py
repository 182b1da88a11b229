"""What is said to an authority, and how it fails."""

import json

import pytest

from proxy.acme.words import Answer, Problem, RefusedError, printable


def test_a_problem_in_words() -> None:
    parts = [{"identifier": {"type": "dns", "value": "a.test"}, "detail": "no address"}, {"detail": "x"}, "odd"]
    value = {"type": "urn:ietf:params:acme:error:compound", "detail": "two names", "subproblems": parts}
    problem = Problem.of(value, 400)
    assert (problem.kind, problem.status) == ("compound", 400)
    assert problem.words == "two names (compound): a.test: no address; x"


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "HTTP 502"), ([], "HTTP 502"), ({}, "HTTP 502"), ({"title": "Gone\r\naway"}, "Gone  away")],
)
def test_what_is_no_problem_document_is_a_problem_all_the_same(value: object, words: str) -> None:
    assert Problem.of(value, 502).words == words
    assert Problem.of(None).words == "no reason given"


def test_what_others_say_fits_a_line() -> None:
    assert printable("a\x1b[31mb\nc") == "a [31mb c"
    assert len(printable("x" * 1000)) == 400


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("", 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("Mon, 21 Sep 2026 13:14:20 GMT", 60.0),
        ("Mon, 21 Sep 2026 13:10:20 GMT", 0.0),
    ],
)
def test_how_long_to_wait(value: str, seconds: float) -> None:
    assert Answer(503, {"retry-after": value}, b"").retry_after(1789996400.0) == seconds


def test_an_answer_is_an_object() -> None:
    assert Answer(200, {}, b'{"a": 1}').json() == {"a": 1}
    for body in (b"<html>", b"[]", json.dumps("x").encode(), b"\xff"):
        with pytest.raises(RefusedError, match="is not ACME"):
            Answer(200, {}, body).json()


def test_an_error_says_what_it_is_about() -> None:
    error = RefusedError(Problem("dns", "no such name"), 5.0, about="a.test")
    assert (str(error), error.kind, error.retry_after) == ("a.test: no such name (dns)", "dns", 5.0)
