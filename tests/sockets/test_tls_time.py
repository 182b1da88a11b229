"""TLS with real clients that take their time, and what we do as it passes."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sockets.stage import eventually
from tests.sockets.test_tls import entry, start
from tests.support.authority import Authority
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ProcessPark
from tests.support.proxy import RunningProxy

pytestmark = pytest.mark.peers

ASK = b"GET / HTTP/1.1\r\nHost: www.test\r\n\r\n"
#: Longer than anything here should take on the slowest machine.
PATIENCE_SECONDS = 30.0

# The keys of tickets live for hours, and certificates are looked at every five seconds.
_HASTE = """
from proxy import limits
limits.TLS_TICKET_SECONDS = 1.0
limits.CERTIFICATE_LOOK_SECONDS = 0.2
"""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def hasty(authority: Authority, park: ProcessPark) -> Iterator[RunningProxy]:
    """A proxy with short deadlines, and keys that it changes every second."""
    (park.directory / "sitecustomize.py").write_text(_HASTE)
    port = free_port()
    config = f"""
listen: {{endpoint: "tcp:{port}:interface={LOOPBACK}", tls: {{certificates: {entry(authority.issue("www.test"))}}}}}
timeouts: {{tls_handshake: 1s}}
routes: [{{path: /, respond: {{status: 200, body: hello}}}}]
"""
    proxy = start(park, config, port, {"PYTHONPATH": str(park.directory)})
    yield proxy
    proxy.process.stop()
    proxy.process.assert_no_traceback()


@pytest.fixture
def connect(authority: Authority, hasty: RunningProxy) -> Callable[..., ssl.SSLSocket]:
    """`connect()` shakes hands, and resumes a session if it is given one."""
    context = ssl.create_default_context(cafile=authority.ca)

    def connected(session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        raw = socket.create_connection((LOOPBACK, hasty.port), timeout=PATIENCE_SECONDS)
        return context.wrap_socket(raw, server_hostname="www.test", session=session)

    return connected


@pytest.mark.parametrize("said", [b"\x16", b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x01\x00\x05\x01\x00\x02\x00\x03"])
def test_a_client_that_stops_in_its_handshake_is_hung_up_on(hasty: RunningProxy, said: bytes) -> None:
    with hasty.connect(PATIENCE_SECONDS) as client:
        client.send(said)
        assert client.is_closed(PATIENCE_SECONDS)
    hasty.process.wait_for_text("client.tls.timeout")
    [line] = hasty.access_log()
    assert line["reason"] == "client.tls.timeout"


def test_a_client_that_says_nothing_is_hung_up_on_and_leaves_no_line(hasty: RunningProxy) -> None:
    with hasty.connect(PATIENCE_SECONDS) as client:
        assert client.is_closed(PATIENCE_SECONDS)
    assert hasty.access_log() == []


def test_a_client_that_does_not_answer_the_end_is_not_waited_for(connect: Callable[..., ssl.SSLSocket]) -> None:
    with connect() as client:
        client.sendall(ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        heard = b""
        while piece := client.recv(65536):
            heard += piece
        assert heard.endswith(b"hello")
        # That was close_notify. The client keeps its side open, and even goes on talking, for as long as anybody
        # listens.
        until = time.monotonic() + PATIENCE_SECONDS
        with pytest.raises(OSError):
            while time.monotonic() < until:
                socket.socket.send(client, b"x")
                time.sleep(0.05)


def test_the_keys_of_tickets_change_and_nobody_is_disconnected(connect: Callable[..., ssl.SSLSocket]) -> None:
    def asked(client: ssl.SSLSocket) -> ssl.SSLSession:
        client.sendall(ASK)
        assert client.recv(65536).endswith(b"hello")
        assert client.session is not None
        return client.session

    def session() -> ssl.SSLSession:
        with connect() as client:
            return asked(client)

    def resumes(session: ssl.SSLSession) -> bool:
        with connect(session) as client:
            asked(client)
            return client.session_reused is True

    with connect() as client:
        first = asked(client)
        assert eventually(lambda: not resumes(first), PATIENCE_SECONDS)
        asked(client)
        # With the new keys as with the old ones, unless they change at this very moment.
        assert eventually(lambda: resumes(session()), PATIENCE_SECONDS)
