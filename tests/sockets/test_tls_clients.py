"""Client certificates with real clients: whom they let in, whom they keep out, and what changes while it runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sockets.test_tls import curl, entry, run
from tests.support.authority import Authority, Issued
from tests.support.ports import LOOPBACK, free_port
from tests.support.proxy import RunningProxy

pytestmark = pytest.mark.peers
__all__ = ["run"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def client(authority: Authority) -> Issued:
    return authority.issue("client.test")


def asking(authority: Authority, more: str = "") -> str:
    return f", client: {{verify: required, ca: {authority.ca}{more}}}"


def listener(port: int, *entries: str, more: str = "") -> str:
    return f'  - {{endpoint: "tcp:{port}:interface={LOOPBACK}", tls: {{certificates: [{", ".join(entries)}]{more}}}}}\n'


def plain(port: int, more: str = "") -> str:
    return f'  - {{endpoint: "tcp:{port}:interface={LOOPBACK}"{more}}}\n'


def status_of(authority: Authority, port: int, host: str, claimed: str, *options: str) -> str:
    """What a request for `claimed` gets by a handshake for `host`."""
    options = ("-H", f"Host: {claimed}", "-o", "/dev/null", "-w", "%{http_code}", *options)
    return curl(authority, port, host, *options).stdout


def plain_status(proxy: RunningProxy, port: int, host: str) -> int:
    with RunningProxy(proxy.process, port, proxy.config).connect() as client:
        return client.get(b"/", b"Host: %b" % host.encode()).status


def test_a_protected_wildcard_is_not_reached_further_down(
    authority: Authority, client: Issued, run: Callable[[str, int], RunningProxy]
) -> None:
    port, open_port = free_port(), free_port()
    wild, www = authority.issue("*.wild.test"), authority.issue("www.test")
    proxy = run(
        "listen:\n"
        + listener(port, entry(www), entry(wild, asking(authority)))
        + plain(open_port)
        + 'routes:\n  - {host: "*.wild.test", path: /, respond: 204}\n'
        + "  - {host: [x.y.wild.test, office.test], path: /, respond: 204}\n"
        + "  - {path: /, respond: 204}\n",
        port,
    )
    mine = ("--cert", client.cert, "--key", client.key)
    assert status_of(authority, port, "a.wild.test", "a.wild.test", *mine) == "204"
    assert status_of(authority, port, "www.test", "www.test") == "204"
    for claimed in ("a.wild.test", "a.b.wild.test", "A.B.C.wild.test.", "x.y.wild.test", "office.test"):
        assert status_of(authority, port, "www.test", claimed) == "421"
        assert status_of(authority, port, "a.wild.test", "b." + claimed, *mine) == "421"
        assert plain_status(proxy, open_port, claimed) == 421
    assert status_of(authority, port, "www.test", "wild.test") == "204"
    assert plain_status(proxy, open_port, "elsewhere.test") == 204
