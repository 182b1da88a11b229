"""No spelling of a path walks around a route: what is denied below /admin never reaches the server in any dress."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

import pytest

from tests.sockets.stage import OK, Stage, eventually
from tests.support.origin import answering
from tests.support.ports import LOOPBACK
from tests.support.proxy import RunningProxy


@pytest.fixture(scope="module")
def proxy(serve: Callable[..., RunningProxy], stage: Stage) -> RunningProxy:
    return serve(
        f"""
        upstreams:
          stage: {{servers: ["http://{LOOPBACK}:{stage.port}"]}}
        routes:
          - {{path: /, upstream: stage}}
          - {{path: /admin, respond: {{status: 403, body: "no"}}}}
          - {{path: /public, upstream: stage, gates: [{{strip_prefix: /public}}]}}
          - {{path: /slash, upstream: stage, encoded_slash: allow}}
        """
    )


#: Every way to write a path that some server takes for /admin or something below it.
SPELLINGS = [
    b"/admin",
    b"/admin/",
    b"/admin/x",
    b"/admin?x",
    b"/admin/../admin",
    b"//admin",
    b"///admin/x",
    b"/./admin",
    b"/x/../admin",
    b"/x/y/../../admin",
    b"/x//../admin",
    b"/x/..//admin",
    b"/%61dmin",
    b"/%61%64%6d%69%6e/x",
    b"/%2e/admin",
    b"/x/%2e%2e/admin",
    b"/x/.%2e/admin",
    b"/x/%2E./admin",
    b"/../admin",
    b"/..%2fadmin",
    b"/x%2f..%2fadmin",
    b"/x/..%2fadmin",
    b"/x%2f../admin",
    b"/%2fadmin",
    b"/%5cadmin",
    b"/x%5c..%5cadmin",
    b"/x/..\\admin",
    b"/\\admin",
    b"/admin%2fx",
    b"/admin%5cx",
    b"/admin%00",
    b"/admin%00/x",
    b"/x%00/../admin",
    b"/admin#",
    b"/admin%23",
    b"/admin;x",
    b"/admin;/x",
    b"/;/admin",
    b"/x;/../admin",
    b"/admin%3fx",
    b"/admin%20",
    b"/admin%09",
    b"/admin.",
    b"http://a/admin",
    b"http://a//admin",
    b"http://a/x/../admin",
    b"HTTP://a/%61dmin",
    b"/public/../admin",
    b"/public/%2e%2e/admin",
    b"/public/..%2fadmin",
    b"/public//../admin",
    b"/slash/../admin",
    b"/slash%2f..%2fadmin",
    b"/slash/..%2fadmin",
    b"/slash%2f%2e%2e%2fadmin",
    b"/slash%5c..%5cadmin",
    b"/slash/%2e%2e%5cadmin",
    b"/x/%252e%252e/admin",
    b"/%2561dmin",
    b"/ad\tmin",
    b"/\xe1dmin",
    b"/%c1%a1dmin",
]


def resolves_to_admin(target: bytes) -> bool:
    """Whether a server that decodes once, takes backslashes for slashes and merges slashes sees /admin."""
    path = unquote_to_bytes(target.partition(b"?")[0].partition(b"#")[0]).replace(b"\\", b"/")
    path = re.sub(rb"/+", b"/", path)
    return (posixpath.normpath(path) + b"/").startswith(b"/admin/")


def test_nothing_that_is_admin_reaches_the_server(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(answering(OK))
    statuses = {}
    for spelling in SPELLINGS:
        with proxy.connect() as client:
            statuses[spelling] = client.get(spelling).status
    arrived = re.findall(rb"(?m)^GET (\S+) HTTP/1\.1\r$", stage.received)
    assert len(arrived) == sum(status == 200 for status in statuses.values())
    assert [target for target in arrived if resolves_to_admin(target)] == []
    assert set(statuses.values()) <= {200, 400, 403, 404}
    for spelling in SPELLINGS[:6]:
        assert statuses[spelling] == 403, spelling


def test_what_only_looks_like_it_passes(proxy: RunningProxy, stage: Stage) -> None:
    """Otherwise the test above would hold for a proxy that refuses everything."""
    stage.play(answering(OK))
    for target in (
        b"/administrator",
        b"/x/admin",
        b"/ADMIN",
        b"/x?/admin",
        b"/slash/a%2fb",
        b"/admin.",
        b"/public/admin.html",
    ):
        with proxy.connect() as client:
            assert client.get(target).status == 200, target
    eventually(lambda: b"GET /slash/a%2fb HTTP/1.1" in stage.received)


def test_a_gate_cannot_be_used_to_get_there(proxy: RunningProxy, stage: Stage) -> None:
    """`strip_prefix` makes /admin of /public/admin, which is what it was asked to do; dots and slashes it refuses."""
    stage.play(answering(OK))
    for target in (b"/public/%2e%2e/admin", b"/public//admin", b"/public/./admin", b"/public/%2fadmin"):
        with proxy.connect() as client:
            client.get(target)
    for target in re.findall(rb"(?m)^GET (\S+) HTTP/1\.1\r$", stage.received):
        assert b".." not in target
        assert b"//" not in target
        assert b"%2f" not in target.lower()
