"""The route tests of a configuration: each request makes its journey, and what comes of it is compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from proxy.config import Loaded, Problem
from proxy.config.address import looks_like_address, parse_address
from proxy.config.expectations import RouteTest
from proxy.explain.handshake import certificate_named
from proxy.explain.journey import Journey, judges_of, travel
from proxy.explain.question import Question
from proxy.routing import Route, Router
from proxy.tls.certificates import CertificateError
from proxy.tls.pairs import Pairs


class Failure(NamedTuple):
    """One expectation of a route test that is not met.

    @ivar key: which: `request`, `route`, `upstream`, `path`, `status`, `refused` or `headers`.
    @ivar message: both, and what came of the request, in one sentence.
    @ivar hint: what to do, if that is known.
    """

    key: str
    expected: str
    got: str
    message: str
    hint: str = ""


def rehearse(loaded: Loaded, router: Router, pairs: Pairs | None = None) -> list[Problem]:
    """An error for each expectation of `tests:` that is not met.

    @param pairs: has what is in the files of listeners, as far as they have been read.
    """
    return [
        loaded.problem_at(("tests", place, failure.key), "test-failed", failure.message, failure.hint, error=True)
        for place, found in enumerate(failures(loaded, router, pairs))
        for failure in found
    ]


def failures(loaded: Loaded, router: Router, pairs: Pairs | None = None) -> Iterator[tuple[Failure, ...]]:
    """For each test, every expectation that is not met."""
    judges = judges_of(loaded, router, pairs)
    for test in loaded.require().tests:
        try:
            journey = travel(judges, question_of(test))
        except ValueError as error:
            yield (Failure("request", "a request", str(error), f"this cannot be asked: {error}"),)
        else:
            yield tuple(_unmet(test, journey))


def question_of(test: RouteTest) -> Question:
    """The request that `test` makes.

    @raise ValueError: the certificate that its client shows cannot be read.
    """
    asked = test.request
    fields = ((name, value) for name, values in asked.headers.items() for value in values)
    lines = tuple(f"{name.decode()}: {value.decode('utf-8', 'surrogateescape')}" for name, value in fields)
    shown = asked.client_certificate
    if shown is not None:
        try:
            shown = certificate_named(shown)
        except CertificateError as error:
            raise ValueError(str(error)) from error
    return Question(asked.line.method.decode(), asked.line.url, lines, asked.client, certificate=shown)


def _unmet(test: RouteTest, journey: Journey) -> Iterator[Failure]:
    route, got = journey.route, _got(journey)
    hint = "ask for https://: so do clients, once they are redirected" if journey.sent_away else ""
    if test.route is not None and (route is None or route.name != test.route):
        yield Failure("route", test.route, got, f"expected the route `{test.route}`, got {got}", hint)
    if test.upstream is not None:
        wanted = parse_address(test.upstream).text if looks_like_address(test.upstream) else test.upstream
        if route is None or wanted not in route.wish.upstreams:
            whole = f"{got} to {_target(route)}" if route is not None or not journey.sent_away else got
            yield Failure("upstream", wanted, whole, f"expected the upstream `{test.upstream}`, got {whole}", hint)
    if test.path is not None:
        path = journey.exchange.path if journey.exchange is not None else b""
        if route is None or path != test.path.encode("utf-8"):
            text = path.decode("utf-8", "replace")
            yield Failure("path", test.path, text, f"expected the path `{test.path}`, got {got} with `{text}`", hint)
    if test.refused is not None and (journey.error is None or journey.error.reason.code != test.refused):
        yield Failure("refused", test.refused, got, f"expected to be refused ({test.refused}), got {got}", hint)
    if test.status is not None or test.headers:
        yield from (failure._replace(hint=hint) for failure in _answer_unmet(test, journey, got))


def _got(journey: Journey) -> str:
    """How far the request came, in words."""
    if journey.sent_away and journey.listener is not None:
        return f"the listener `{journey.listener.endpoint}`, which redirects to https"
    if journey.route is not None:
        refused = f", refused ({journey.error.reason.code})" if journey.error is not None else ""
        return f"the route `{journey.route.name}`{refused}"
    if journey.error is not None and not journey.error.reason.status:
        return f"a refused handshake ({journey.error.reason.code}: {journey.error.detail})"
    return f"no route ({journey.error.reason.code})" if journey.error is not None else "no route"


def _target(route: Route | None) -> str:
    if route is None:
        return "nowhere"
    return " and ".join(f"`{name}`" for name in route.wish.upstreams) or f"`{route.wish.target}`"


def _answer_unmet(test: RouteTest, journey: Journey, got: str) -> Iterator[Failure]:
    answer = journey.answer
    if answer is None:
        key = "status" if test.status is not None else "headers"
        whole = got
        if journey.error is None:
            whole = f"{got} to {_target(journey.route)}: what that answers is not known before"
        yield Failure(key, "an answer of the proxy itself", whole, f"got {whole}")
        return
    if test.status is not None and answer.status != test.status:
        message = f"expected the status {test.status}, got {answer.status} from {got}"
        yield Failure("status", str(test.status), f"{answer.status} from {got}", message)
    for name, value in test.headers.items():
        values = answer.fields.all(name.lower())
        if value not in values:
            wanted = f"{name.decode('ascii')}: {value.decode('utf-8', 'replace')}"
            said = " and ".join(f"`{one.decode('utf-8', 'replace')}`" for one in values) or "no such field"
            message = f"expected `{wanted}`, got {said} from {got}"
            yield Failure("headers", wanted, f"{said} from {got}", message)
