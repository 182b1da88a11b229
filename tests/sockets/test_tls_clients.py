"""Client certificates with real clients: whom they let in, whom they keep out, and what changes while it runs."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

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


def secured(authority: Authority, port: int, name: str, certificate: Issued | None = None) -> ssl.SSLSocket:
    """A connection by a handshake for `name`, with a certificate of the client's own or without."""
    context = ssl.create_default_context(cafile=authority.ca)
    if certificate is not None:
        context.load_cert_chain(certificate.cert, certificate.key)
    return context.wrap_socket(socket.create_connection((LOOPBACK, port), timeout=10), server_hostname=name)


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


def test_a_redirect_to_https_is_for_hosts_that_need_a_certificate_too(
    authority: Authority, run: Callable[[str, int], RunningProxy]
) -> None:
    port, redirecting = free_port(), free_port()
    config = listener(port, entry(authority.issue("staff.test"), asking(authority)))
    config += plain(redirecting, f', redirect: "https:{port}"')
    proxy = run(f"listen:\n{config}routes: [{{path: /, respond: 204}}]\n", port)
    with RunningProxy(proxy.process, redirecting, proxy.config).connect() as client:
        answer = client.get(b"/a", b"Host: staff.test")
    assert answer.status == 308
    assert answer.field(b"location") == b"https://staff.test:%d/a" % port


# --- connections that are older than what is asked --------------------------------------------------------


def ask(client: ssl.SSLSocket, host: str) -> tuple[bytes, bool]:
    """The status line of an answer, and whether the connection is closed behind it."""
    client.sendall(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host.encode())
    heard = client.recv(65536)
    if b"\r\n\r\n" in heard and b"onnection: close" not in heard:
        return heard.partition(b"\r\n")[0], False
    while piece := client.recv(65536):
        heard += piece
    return heard.partition(b"\r\n")[0], True


OK, SENT_AWAY = (b"HTTP/1.1 204 No Content", False), (b"HTTP/1.1 421 Misdirected Request", True)


def test_a_reload_that_asks_for_more_does_not_leave_the_old_connections_in(
    authority: Authority, client: Issued, run: Callable[[str, int], RunningProxy]
) -> None:
    port = free_port()
    www, other = entry(authority.issue("www.test")), authority.issue("shop.test")
    stranger = Authority(authority.folder, "Another Authority")

    def config(asked: str) -> str:
        return "listen:\n" + listener(port, www, entry(other, asked)) + "routes: [{path: /, respond: 204}]\n"

    def reload(asked: str, count: int) -> None:
        proxy.config.write_text(config(asked))
        proxy.process.send_signal(signal.SIGHUP)
        proxy.process.wait_for_text(rf"(?s)(?:reloaded .*){{{count}}}")

    optional = asking(authority).replace("required", "optional")
    proxy = run(config(""), port)
    steps = [optional, asking(authority), asking(authority, f", crl: {authority.revoke()}"), asking(stranger)]
    with secured(authority, port, "www.test") as untouched:
        mine: Issued | None = None
        for count, asked in enumerate(steps, 1):
            with secured(authority, port, "shop.test", mine) as old:
                assert ask(old, "shop.test") == OK
                reload(asked, count)
                assert ask(old, "shop.test") == SENT_AWAY
            assert ask(untouched, "www.test") == OK
            mine = client
            if asked is not steps[-1]:
                with secured(authority, port, "shop.test", mine) as new:
                    assert ask(new, "shop.test") == OK
    assert "certificate required" in curl(authority, port, "shop.test").stderr


def test_a_new_revocation_list_counts_for_new_and_for_open_connections(
    authority: Authority, client: Issued, run: Callable[[str, int], RunningProxy]
) -> None:
    port, gone = free_port(), authority.issue("gone.test")
    crl = authority.revoke(authority.issue("nobody.test"), file="live.crl")
    asked = asking(authority, f", crl: {crl}")
    proxy = run(
        "listen:\n"
        + listener(port, entry(authority.issue("staff.test"), asked))
        + "routes: [{path: /, respond: 204}]\n",
        port,
    )
    with secured(authority, port, "staff.test", client) as good, secured(authority, port, "staff.test", gone) as bad:
        assert ask(good, "staff.test") == ask(bad, "staff.test") == OK
        authority.revoke(gone, file="live.crl")
        proxy.process.wait_for_text("certificate renewed")
        assert ask(good, "staff.test") == OK
        assert ask(bad, "staff.test") == SENT_AWAY
    mine = ("--cert", gone.cert, "--key", gone.key)
    assert "revoked" in curl(authority, port, "staff.test", *mine).stderr
    assert status_of(authority, port, "staff.test", "staff.test", "--cert", client.cert, "--key", client.key) == "204"
    proxy.process.wait_for_text("it is revoked")
    Path(crl).write_bytes(b"nonsense")
    proxy.process.wait_for_text("cannot be used, the old one stays")
    assert "revoked" in curl(authority, port, "staff.test", *mine).stderr
