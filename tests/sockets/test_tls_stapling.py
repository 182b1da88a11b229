"""OCSP responses from OpenSSL's own responder, in handshakes with OpenSSL's own client."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sockets.stage import eventually
from tests.sockets.test_tls import curl, entry, run, s_client
from tests.support.authority import Authority
from tests.support.ocsp import start_responder, url, with_issuer
from tests.support.ports import LOOPBACK, free_port, held_port
from tests.support.processes import ProcessPark
from tests.support.proxy import RunningProxy

pytestmark = pytest.mark.peers

__all__ = ["run"]  # a fixture

_NONE = "OCSP response: no response sent"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def status(port: int, name: str, *options: str) -> str:
    """What OpenSSL's client says about the response, and about the certificate."""
    return s_client(port, "-servername", name, "-status", *options)


@pytest.fixture
def silent_port() -> Iterator[int]:
    with held_port("::" if socket.has_dualstack_ipv6() else LOOPBACK) as port:  # OpenSSL's responder takes no address
        yield port


def test_a_real_responder(
    authority: Authority, park: ProcessPark, run: Callable[[str, int], RunningProxy], silent_port: int
) -> None:
    responder = silent_port
    where = url(responder)
    curve, rsa, revoked, unknown = (
        with_issuer(authority, one)
        for one in (
            authority.issue("good.test", file="ec", ocsp=where, must_staple=True),
            authority.issue("good.test", file="rsa", use_rsa=True, ocsp=where),
            authority.issue("revoked.test", ocsp=where),
            authority.issue("unknown.test", ocsp=where),
        )
    )
    plain = authority.issue("plain.test")
    there = start_responder(park, authority, responder, [curve, rsa], [revoked])
    port = free_port()
    config = f"""
state: {park.directory / "state"}
listen:
  endpoint: tcp:{port}:interface={LOOPBACK}
  tls: {{certificates: [{", ".join(map(entry, (curve, rsa, revoked, unknown, plain)))}]}}
routes: [{{path: /, respond: {{status: 200, body: hello}}}}]
"""
    proxy = run(config, port)
    trusted = ("-CAfile", authority.ca)
    eventually(lambda: "Cert Status: good" in status(port, "good.test"))
    for version in ("-tls1_2", "-tls1_3"):
        said = status(port, "good.test", version, *trusted)
        assert "OCSP Response Status: successful (0x0)" in said
        assert f"Serial Number: {curve.certificate.serial_number:040X}" in said
        assert "Verify return code: 0 (ok)" in said
    eventually(lambda: f"Serial Number: {rsa.certificate.serial_number:040X}" in by_rsa(port))
    # curl itself judges the response, and refuses a connection without one.
    assert curl(authority, port, "good.test", "--cert-status").stdout == "hello"
    proxy.process.wait_for_text("the certificate of revoked.test is revoked")
    proxy.process.wait_for_text("no OCSP response for unknown.test: the responder does not know the certificate")
    for name in ("revoked.test", "unknown.test", "plain.test"):
        assert _NONE in status(port, name)
    assert curl(authority, port, "plain.test", "--cert-status").returncode == 91  # no response
    # After a restart it has at once what it had, whether the responder is there or not.
    proxy.process.stop()
    there.stop()
    port = free_port()
    run(config.replace(f"tcp:{proxy.port}:", f"tcp:{port}:"), port)
    assert "Cert Status: good" in status(port, "good.test")


def by_rsa(port: int) -> str:
    return status(port, "good.test", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")


def test_a_responder_that_is_down_holds_nobody_up(
    authority: Authority, park: ProcessPark, run: Callable[[str, int], RunningProxy], silent_port: int
) -> None:
    responder, port = silent_port, free_port()
    first = with_issuer(authority, authority.issue("must.test", ocsp=url(responder), must_staple=True))
    proxy = run(
        f"""
state: {park.directory / "state"}
listen: {{endpoint: "tcp:{port}:interface={LOOPBACK}", tls: {{certificates: {entry(first)}}}}}
routes: [{{path: /, respond: {{status: 200, body: hello}}}}]
""",
        port,
    )
    proxy.process.wait_for_text("clients may refuse the certificate of must.test: it needs an OCSP response")
    assert curl(authority, port, "must.test").stdout == "hello"
    assert _NONE in status(port, "must.test")
    # A renewed certificate is asked about at once, and now there is somebody to ask.
    second = authority.issue("must.test", file="second", ocsp=url(responder), must_staple=True)
    start_responder(park, authority, responder, [second])
    with_issuer(authority, second)
    Path(first.key).write_bytes(Path(second.key).read_bytes())
    Path(first.cert).write_bytes(Path(second.cert).read_bytes())
    proxy.process.wait_for_text("must.test gets OCSP responses from")
    said = status(port, "must.test", "-CAfile", authority.ca)
    assert "Cert Status: good" in said
    assert f"Serial Number: {second.certificate.serial_number:040X}" in said
