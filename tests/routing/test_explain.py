"""Why this route and none of the others."""

from typing import Any

import pytest

from proxy.config.routes import Route
from proxy.message import Fields
from proxy.routing import Router, build


def router(*written: dict[str, Any]) -> Router:
    return build(
        [Route.model_validate({"name": f"r{place}", "respond": 204, **one}) for place, one in enumerate(written)]
    )


def reasons(
    table: Router, host: bytes = b"a.b", path: bytes = b"/x/y", method: bytes = b"GET"
) -> dict[str, str | None]:
    said = table.explain(host, path, method, Fields(), b"", "127.0.0.1", lambda name, value: value)
    return {route.name: reason for route, reason in said}


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"host": "c.d"}, "the host is not c.d"),
        ({"host": "*.a.b"}, "the host is not *.a.b"),
        ({"host": {"regex": "^x"}}, "the host does not match ^x"),
        ({"path": "/z"}, "the path is not below /z"),
        ({"path": {"exact": "/x"}}, "the path is not /x"),
        ({"path": {"regex": "^/y"}}, "the path does not match ^/y"),
        ({"methods": ["POST"]}, "the method is not POST"),
        ({"headers": {"X": "1"}}, "the header X is not '1'"),
        ({"query": {"q": {"present": True}}}, "the query parameter q is missing"),
        ({"client": "10.0.0.0/8"}, "the client is not in 10.0.0.0/8"),
    ],
)
def test_the_first_reason(written: dict[str, Any], reason: str) -> None:
    assert reasons(router({"path": "/"}, written)) == {"r0": None, "r1": reason}


@pytest.mark.parametrize(
    ("winner", "loser", "reason"),
    [
        ({"priority": 2}, {"host": "a.b"}, "it fits, but r0 has the higher priority"),
        ({"host": "a.b"}, {"host": "*.b"}, "it fits, but r0 has the more specific host"),
        ({"path": "/x/y"}, {"path": "/x"}, "it fits, but r0 has the more specific path"),
        ({"methods": ["GET"]}, {}, "it fits, but r0 has more conditions"),
        ({}, {}, "it fits, but r0 stands before it in the file"),
    ],
)
def test_what_fits_and_is_not_the_one(winner: dict[str, Any], loser: dict[str, Any], reason: str) -> None:
    assert reasons(router(winner, loser)) == {"r0": None, "r1": reason}


def test_every_route_is_told_once_in_the_order_in_which_they_count() -> None:
    table = router({}, {"host": ["c.d", "a.b"], "path": ["/z", "/x"]}, {"host": ["a.b", "*.b"], "path": "/"})
    assert reasons(table) == {
        "r1": None,
        "r2": "it fits, but r1 has the more specific path",
        "r0": "it fits, but r1 has the more specific host",
    }
    assert list(reasons(table)) == ["r1", "r2", "r0"]


def test_a_refused_path_is_told() -> None:
    assert "encoded slashes" in str(reasons(router({}), path=b"/a%2Fb")["r0"])
    assert reasons(router({"encoded_slash": "allow"}), path=b"/a%2Fb") == {"r0": None}
