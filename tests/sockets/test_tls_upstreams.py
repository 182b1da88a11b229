"""TLS to real servers: nginx with and without faults, at names, at UNIX sockets and behind services."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from twisted.names import dns

from tests.sockets.stage import eventually, logged
from tests.sockets.test_tls import run, start
from tests.support.authority import Authority, Issued
from tests.support.nginx import start_nginx
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ProcessPark
from tests.support.proxy import RunningProxy

pytestmark = pytest.mark.peers

__all__ = ["run"]  # a fixture

Run = Callable[[str, int], RunningProxy]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def tls_nginx(park: ProcessPark, issued: Issued, more: str = "", at: str = "") -> int:
    """Starts an nginx with TLS that says how it was met.

    @param at: where it listens; a port of its own by default, which is returned.
    """
    port = free_port()
    server = f"""
        listen {at or f"{LOOPBACK}:{port}"} ssl;
        ssl_certificate {issued.cert};
        ssl_certificate_key {issued.key};
        ssl_session_tickets on;
        {more}
        location / {{ return 200 "$ssl_server_name|$ssl_client_verify|$ssl_session_reused|$ssl_protocol|$http_host"; }}
"""
    start_nginx(park, server)
    return port


# --- whom it believes -------------------------------------------------------------------------------------


class Faults(NamedTuple):
    """A proxy with an upstream for each fault, on a route of the same name."""

    proxy: RunningProxy
    ports: dict[str, int]


@pytest.fixture(scope="module")
def faults(authority: Authority, module_park: ProcessPark) -> Iterator[Faults]:
    ours = authority.issue("proxy.test", file="ours")
    revoked = authority.issue("localhost", file="revoked")
    asks = f"ssl_verify_client on; ssl_client_certificate {authority.ca};"
    stranger = Authority(authority.folder, "Stranger").issue("localhost", file="strange")
    servers = {
        "expired": authority.issue("localhost", file="expired", days=-0.1),
        "early": authority.issue("localhost", file="early", since=1),
        "name": authority.issue("other.test", file="other"),
        "selfsigned": authority.issue("localhost", file="selfsigned", self_signed=True),
        "stranger": stranger,
        "revoked": revoked,
    }
    good = tls_nginx(module_park, authority.issue("localhost", file="good"), asks)
    ports = {name: tls_nginx(module_park, issued) for name, issued in servers.items()}
    ports["plain"] = start_nginx(module_park).port
    believed = f"ca: {authority.ca}, crl: {authority.revoke(revoked)}"
    lines = [f"  {name}: {{servers: 'https://localhost:{at}', tls: {{{believed}}}}}" for name, at in ports.items()]
    lines += [
        f"  good: {{servers: 'https://localhost:{good}', health: {{path: /, interval: 1s}},",
        f"         tls: {{{believed}, cert: {ours.cert}, key: {ours.key}}}}}",
        f"  pinned: {{servers: 'https://localhost:{ports['name']}', tls: {{{believed}, san: other.test}}}}",
        f"  mispinned: {{servers: 'https://localhost:{good}', tls: {{{believed}, san: 'spiffe://test/x'}}}}",
        f"  machine: {{servers: 'https://localhost:{good}'}}",
        f"  unverified: {{servers: 'https://localhost:{ports['selfsigned']}', tls: {{verify: false}}}}",
    ]
    names = [line.split(":")[0].strip() for line in lines if line[2] != " "]
    routes = "".join(f"  - {{path: /{name}, upstream: {name}}}\n" for name in names)
    port = free_port()
    upstreams = "\n".join(lines)
    config = f"listen: tcp:{port}:interface={LOOPBACK}\nupstreams:\n{upstreams}\nroutes:\n{routes}"
    proxy = start(module_park, config, port)
    yield Faults(proxy, ports)
    proxy.process.stop()
    proxy.process.assert_no_traceback()


@pytest.mark.parametrize(
    ("fault", "reason", "error", "words"),
    [
        ("expired", "upstream.tls.expired", b"tls_certificate_error", "it has expired"),
        ("early", "upstream.tls.expired", b"tls_certificate_error", "it is not valid yet"),
        ("name", "upstream.tls.name", b"tls_certificate_error", "it is not for localhost but for other.test"),
        ("selfsigned", "upstream.tls.untrusted", b"tls_certificate_error", "it is self-signed"),
        ("stranger", "upstream.tls.untrusted", b"tls_certificate_error", "its issuer"),
        ("revoked", "upstream.tls.revoked", b"tls_certificate_error", "it is revoked"),
        ("plain", "upstream.tls.handshake", b"tls_protocol_error", "wrong version number"),
        ("mispinned", "upstream.tls.name", b"tls_certificate_error", "none of spiffe://test/x is in it"),
        ("machine", "upstream.tls.untrusted", b"tls_certificate_error", "its issuer"),
    ],
)
def test_a_server_that_is_not_believed(faults: Faults, fault: str, reason: str, error: bytes, words: str) -> None:
    with faults.proxy.connect() as client:
        answer = client.get(b"/" + fault.encode())
    assert answer.status == 502
    assert f"reason: {reason}".encode() in answer.body
    said = answer.field(b"proxy-status") or b""
    assert b"error=" + error in said
    assert reason.encode() in said
    line = logged(faults.proxy, f"/{fault}")
    assert (line["status"], line["reason"]) == (502, reason)
    assert words in line["detail"]


def test_servers_that_are_believed(faults: Faults) -> None:
    with faults.proxy.connect() as client:
        assert client.get(b"/good").body.startswith(b"localhost|SUCCESS|")
        assert client.get(b"/pinned").status == 200
        assert client.get(b"/unverified").status == 200
    assert "tls-unverified" in faults.proxy.log


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_server_that_wants_a_certificate_which_we_do_not_have(
    authority: Authority, run: Run, version: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued = authority.issue("localhost", file="asks")
    context.load_cert_chain(issued.cert, issued.key)
    context.load_verify_locations(authority.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = ssl.TLSVersion[f"TLSv{version.replace('.', '_')}"]
    listening = socket.create_server((LOOPBACK, 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                client = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                with client, contextlib.suppress(OSError):
                    try:
                        client.do_handshake()
                    except ssl.SSLError:  # it has said why; closing now would cut that off
                        while socket.socket.recv(client, 65536):
                            pass

    threading.Thread(target=serve, daemon=True).start()
    port, at = free_port(), listening.getsockname()[1]
    proxy = run(
        f"""
listen: tcp:{port}:interface={LOOPBACK}
upstreams: {{asks: {{servers: "https://localhost:{at}", tls: {{ca: {authority.ca}}}}}}}
routes: [{{path: /, upstream: asks}}]
""",
        port,
    )
    with proxy.connect() as client:
        answer = client.get(b"/")
    line = logged(proxy, "/")
    listening.close()
    assert (answer.status, line["reason"]) == (502, "upstream.tls.handshake")
    assert "certificate" in line["detail"] or "handshake failure" in line["detail"]


def test_a_server_that_is_not_believed_is_left_alone(authority: Authority, park: ProcessPark, run: Run) -> None:
    good = tls_nginx(park, authority.issue("localhost", file="beside"))
    bad = tls_nginx(park, authority.issue("localhost", file="of-itself", self_signed=True))
    port = free_port()
    proxy = run(
        f"""
listen: tcp:{port}:interface={LOOPBACK}
upstreams:
  api:
    servers: [{{url: "https://localhost:{good}", name: good}}, {{url: "https://localhost:{bad}", name: bad}}]
    tls: {{ca: {authority.ca}}}
    ejection: {{failures: 2}}
    retries: {{count: 1, budget: 100%}}
routes: [{{path: /, upstream: api}}]
""",
        port,
    )
    with proxy.connect() as client:
        for _ in range(12):
            assert client.get(b"/").status == 200
    eventually(lambda: "2 failures in a row, out for 10 s; the last: upstream.tls.untrusted" in proxy.log)
    assert proxy.log.count("in -> ejected") == 1


# --- sessions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_sessions_are_resumed(authority: Authority, park: ProcessPark, run: Run, version: str) -> None:
    at = tls_nginx(park, authority.issue("localhost", file="again"), f"ssl_protocols {version}; keepalive_timeout 0;")
    port = free_port()
    proxy = run(
        f"""
listen: tcp:{port}:interface={LOOPBACK}
upstreams: {{again: {{servers: "https://localhost:{at}", tls: {{ca: {authority.ca}}}}}}}
routes: [{{path: /, upstream: again}}]
""",
        port,
    )
    with proxy.connect() as client:
        seen = [client.get(b"/").body.split(b"|")[2:4] for _ in range(6)]
    assert seen[0] == [b".", version.encode()]
    # Where connecting takes its time, both addresses of `localhost` are tried, and a session is used up in vain.
    assert seen[1:].count([b"r", version.encode()]) >= 3
    assert {now for _, now in seen} == {version.encode()}


def test_a_session_is_no_way_around_the_end_of_a_certificate(authority: Authority, park: ProcessPark, run: Run) -> None:
    port, at = free_port(), free_port()
    proxy = run(
        f"""
listen: tcp:{port}:interface={LOOPBACK}
upstreams: {{short: {{servers: "https://localhost:{at}", tls: {{ca: {authority.ca}}}}}}}
routes: [{{path: /, upstream: short}}]
""",
        port,
    )
    issued = authority.issue("localhost", file="short", days=8 / 86400)
    tls_nginx(park, issued, "keepalive_timeout 0;", at=f"{LOOPBACK}:{at}")
    bodies = []
    with proxy.connect() as client:
        while (answer := client.get(b"/")).status == 200:
            bodies.append(answer.body)
            time.sleep(0.2)
    assert any(b"|r|" in body for body in bodies)  # it was resumed while the certificate counted
    assert issued.certificate.not_valid_after_utc.timestamp() <= time.time()
    assert logged(proxy, "/", len(bodies) + 1)["reason"] == "upstream.tls.expired"


# --- where servers are ------------------------------------------------------------------------------------


def test_a_server_at_a_unix_socket(authority: Authority, park: ProcessPark, run: Run, tmp_path: Path) -> None:
    named, anonymous = tmp_path / "named.sock", tmp_path / "anonymous.sock"
    tls_nginx(park, authority.issue("app.internal"), at=f"unix:{named}")
    tls_nginx(park, authority.issue("localhost", file="local"), at=f"unix:{anonymous}")
    port = free_port()
    proxy = run(
        f"""
listen: tcp:{port}:interface={LOOPBACK}
defaults: {{upstream: {{tls: {{ca: {authority.ca}}}}}}}
upstreams:
  named: {{servers: "https+unix:{named}", tls: {{ca: {authority.ca}, name: app.internal}}, health: {{path: /}}}}
  anonymous: {{servers: "https+unix:{anonymous}"}}
  wrong: {{servers: "https+unix:{named}"}}
routes:
  - {{path: /named, upstream: named}}
  - {{path: /anonymous, upstream: anonymous}}
  - {{path: /wrong, upstream: wrong}}
""",
        port,
    )
    with proxy.connect() as client:
        assert client.get(b"/named").body.startswith(b"app.internal|NONE|")
        assert client.get(b"/anonymous").body.startswith(b"localhost|NONE|")
        assert b"reason: upstream.tls.name" in client.get(b"/wrong").body
    assert logged(proxy, "/named")["server"] == f"https+unix:{named}"


class ServiceNames:
    """A name server that knows one service: its servers are ports of this machine, under a name of their own."""

    def __init__(self, *ports: int) -> None:
        self._ports = ports
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, peer = self._socket.recvfrom(4096)
                self._socket.sendto(self._answer(data), peer)

    def _answer(self, data: bytes) -> bytes:
        message: Any = dns.Message()
        message.fromStr(data)
        message.answer = 1
        [query] = message.queries
        if query.type == dns.SRV and query.name.name == b"_https._tcp.shop.test":
            message.answers = [
                dns.RRHeader(query.name.name, dns.SRV, payload=dns.Record_SRV(1, 1, port, b"node.elsewhere.test", 60))
                for port in self._ports
            ]
        elif query.type == dns.A and query.name.name == b"node.elsewhere.test":
            message.answers = [dns.RRHeader(query.name.name, dns.A, payload=dns.Record_A(LOOPBACK, 60))]
        elif query.type not in (dns.A, dns.AAAA):
            message.rCode = dns.ENAME
        return bytes(message.toStr())


def test_a_service_is_verified_by_its_own_name(authority: Authority, park: ProcessPark, run: Run) -> None:
    """And not by the names that DNS answers with: whoever forges that answer would choose them."""
    good = tls_nginx(park, authority.issue("shop.test"))
    forged = tls_nginx(park, authority.issue("node.elsewhere.test"))
    for at, expected in ((good, 200), (forged, 502)):
        names = ServiceNames(at)
        port = free_port()
        proxy = run(
            f"""
listen: tcp:{port}:interface={LOOPBACK}
resolver: {{servers: "{LOOPBACK}:{names.port}"}}
upstreams: {{shop: {{servers: "https+srv://_https._tcp.shop.test", tls: {{ca: {authority.ca}}}, host: upstream}}}}
routes: [{{path: /, upstream: shop}}]
""",
            port,
        )
        with proxy.connect() as client:
            answer = client.get(b"/")
        names.close()
        assert answer.status == expected
        if expected == 200:
            assert answer.body.startswith(b"shop.test|NONE|")
            assert answer.body.endswith(b"|shop.test")
        else:
            assert logged(proxy, "/")["reason"] == "upstream.tls.name"
