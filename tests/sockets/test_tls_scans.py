"""What the scanners say about a default listener: nothing above low that is about the listener and not about the
certificate of a test, which nobody trusts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sockets.test_tls import entry, start
from tests.support.authority import Authority
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ProcessPark, require_program
from tests.support.proxy import RunningProxy

pytestmark = pytest.mark.peers

# About the certificate, or about DNS; and what testssl could not find out.
_NOT_THE_LISTENER = ("cert_", "DNS_", "sessionresumption_ticket")
_HARMLESS = {"OK", "INFO", "LOW"}
_PROBES = (
    *("--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--early_data", "--compression"),
    *("--heartbleed", "--openssl_ccs", "--robot", "--reneg", "--ems"),
)


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory, module_park: ProcessPark) -> Iterator[RunningProxy]:
    """Everything as it is without a word about it."""
    authority = Authority(tmp_path_factory.mktemp("scanned"))
    both = f"[{entry(authority.issue('localhost'))}, {entry(authority.issue('localhost', file='rsa', use_rsa=True))}]"
    port = free_port()
    tls = f"{{endpoint: 'tcp:{port}:interface={LOOPBACK}', tls: {{certificates: {both}}}}}"
    proxy = start(module_park, f"listen: {tls}\nroutes: [{{path: /, respond: 204}}]\n", port)
    yield proxy
    proxy.process.stop()
    proxy.process.assert_no_traceback()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_testssl(listener: RunningProxy, tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    what = ["--protocols", "--std", "--fs", "--server-defaults", "--vulnerable"]
    argv = [require_program("testssl", "testssl.sh"), "--quiet", "--color", "0", "--warnings", "off", "--ip", LOOPBACK]
    argv += [*what, "--jsonfile", str(found), f"localhost:{listener.port}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=230)
    findings = json.loads(found.read_text())
    severities = {one["id"]: (one["severity"], one["finding"]) for one in findings}
    assert severities["TLS1_3"][0] == "OK", done.stdout
    assert severities["heartbleed"][0] == "OK"
    bad = {
        name: what
        for name, what in severities.items()
        if what[0] not in _HARMLESS and not name.startswith(_NOT_THE_LISTENER)
    }
    assert bad == {}


def test_sslyze(listener: RunningProxy, tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    argv = [require_program("sslyze", "sslyze (from pip, in an environment of its own)")]
    argv += [*_PROBES, f"--json_out={found}", f"localhost:{listener.port}"]
    subprocess.run(argv, capture_output=True, check=False)
    scan = json.loads(found.read_text())["server_scan_results"][0]["scan_result"]

    def result(name: str) -> dict[str, object]:
        taken: dict[str, object] = scan[name]["result"]
        return taken

    for old in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
        assert result(f"{old}_cipher_suites")["accepted_cipher_suites"] == []
    assert len(result("tls_1_2_cipher_suites")["accepted_cipher_suites"]) == 6  # type: ignore[arg-type] # a list
    assert len(result("tls_1_3_cipher_suites")["accepted_cipher_suites"]) == 3  # type: ignore[arg-type] # a list
    assert result("tls_compression")["supports_compression"] is False
    assert result("tls_1_3_early_data")["supports_early_data"] is False
    assert result("heartbleed")["is_vulnerable_to_heartbleed"] is False
    assert result("openssl_ccs_injection")["is_vulnerable_to_ccs_injection"] is False
    assert result("session_renegotiation")["is_vulnerable_to_client_renegotiation_dos"] is False
    assert result("session_renegotiation")["supports_secure_renegotiation"] is True
    assert result("robot")["robot_result"] == "NOT_VULNERABLE_RSA_NOT_SUPPORTED"
    assert result("tls_extended_master_secret")["supports_ems_extension"] is True
