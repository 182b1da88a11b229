"""What the scanners say about a default listener: nothing above low that is about the listener, and not about the pages
behind it or about the DNS of a test."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.sockets.test_tls import entry, start
from tests.support.authority import Authority
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ProcessPark, RunningProcess, require_program
from tests.support.proxy import ROOT, RunningProxy

pytestmark = pytest.mark.peers

_HARMLESS = {"OK", "INFO", "LOW"}
# Fields of the pages themselves, such as Content-Security-Policy: an upstream's business. And tickets, which testssl
# often misses: it hangs up before they come. sslyze waits for them. And what the scanner's own OpenSSL lacks.
_NOT_THE_LISTENER = {"security_headers", "sessionresumption_ticket", "engine_problem"}
# Each for itself takes half a minute, most of it waiting: they wait together.
_SCANS = (
    ("--protocols", "--std", "--fs"),
    ("--server-defaults",),
    ("--server-preference", "--headers"),
    ("--vulnerable",),
)
# What grades are made of, with the finding where its severity does not say it all.
_GRADES: dict[str, str | None] = {
    **dict.fromkeys(("SSLv2", "SSLv3", "TLS1", "TLS1_1"), "not offered"),
    **dict.fromkeys(("TLS1_2", "TLS1_3", "PFS", "cipherlist_STRONG", "cipher_order")),
    **{f"cipherlist_{name}": "not offered" for name in ("NULL", "aNULL", "EXPORT", "LOW", "3DES_IDEA", "AVERAGE")},
    **dict.fromkeys(("heartbleed", "CCS", "ticketbleed", "ROBOT", "CRIME_TLS", "BREACH", "POODLE_SSL")),
    **dict.fromkeys(("SWEET32", "FREAK", "DROWN", "LOGJAM", "BEAST", "LUCKY13", "RC4", "fallback_SCSV")),
    "secure_renego": "supported",
    "secure_client_renego": "not vulnerable",
    "cipher_negotiated": "TLS_AES_128_GCM_SHA256, 253 bit ECDH (X25519)",
    "ALPN": "http/1.1",
    **{
        f"{name} <cert#{number}>": None
        for number in (1, 2)
        for name in ("cert_trust", "cert_chain_of_trust", "cert_expirationStatus", "cert_signatureAlgorithm")
    },
}
_PROBES = (
    *("--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--early_data", "--compression"),
    *("--heartbleed", "--openssl_ccs", "--robot", "--reneg", "--ems", "--fallback", "--resum", "--elliptic_curves"),
    *("--certinfo", "--mozilla_config=intermediate"),
)


class Scanned(NamedTuple):
    proxy: RunningProxy
    ca: str

    @property
    def host(self) -> str:
        return f"localhost:{self.proxy.port}"


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory, module_park: ProcessPark) -> Iterator[Scanned]:
    """Everything as it is without a word about it."""
    authority = Authority(tmp_path_factory.mktemp("scanned"))
    # Nobody fetches the list: that it is named is what the scanner looks for.
    one = authority.issue("localhost", crl="http://crl.test/list")
    other = authority.issue("localhost", file="rsa", use_rsa=True, crl="http://crl.test/list")
    port = free_port()
    tls = f"{{endpoint: 'tcp:{port}:interface={LOOPBACK}', tls: {{certificates: [{entry(one)}, {entry(other)}]}}}}"
    proxy = start(module_park, f"listen: {tls}\nroutes: [{{path: /, respond: 204}}]\n", port)
    yield Scanned(proxy, authority.ca)
    proxy.process.stop()
    proxy.process.assert_no_traceback()


Findings = dict[str, tuple[str, str]]


def findings(process: RunningProcess, out: Path) -> Findings:
    """What a scan has found: by name, how bad it is and in words."""
    process.wait_for_exit(120)
    return {one["id"]: (one["severity"], one["finding"]) for one in json.loads(out.read_text())}


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_testssl(listener: Scanned, tmp_path: Path, park: ProcessPark) -> None:
    program = require_program("testssl", "testssl.sh")

    def begin(number: int, scan: tuple[str, ...]) -> tuple[RunningProcess, Path]:
        out = tmp_path / f"{number}.json"
        options = ["--quiet", "--color", "0", "--warnings", "off", "--ip", LOOPBACK, "--add-ca", listener.ca]
        return park.start(program, *options, *scan, "--jsonfile", out, listener.host), out

    found: Findings = {}
    scans = [begin(number, scan) for number, scan in enumerate(_SCANS)]
    for number, scan in enumerate(_SCANS):
        told = findings(*scans[number])
        unknown = {name for name, (severity, _) in told.items() if severity == "WARN"} - _NOT_THE_LISTENER
        if unknown:  # the machine was too busy: once more, alone
            told = findings(*begin(len(_SCANS) + number, scan))
        found |= told
    missing = {name for name in _GRADES if name not in found}
    assert not missing, "\n".join(process.tail() for process, _ in scans)
    for name, words in _GRADES.items():
        severity, finding = found[name]
        assert words in (None, finding), (name, finding)
        assert words is not None or severity == "OK", (name, severity, finding)
    bad = {name: what for name, what in found.items() if what[0] not in _HARMLESS and name not in _NOT_THE_LISTENER}
    assert bad == {}


def sslyze(host: str, out: Path, *options: str) -> tuple[dict[str, Any], str]:
    """What it has found, and what it says about Mozilla's recommendations."""
    own = ROOT / ".tools" / "sslyze" / "bin" / "sslyze"
    program = str(own) if own.exists() else require_program("sslyze", "sslyze: no, `make test` does, with .ci/sslyze")
    argv = [program, *options, f"--json_out={out}", host]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    results = json.loads(out.read_text())["server_scan_results"]
    assert results and results[0]["scan_result"] is not None, done.stdout + done.stderr
    return results[0]["scan_result"], done.stdout


def test_sslyze(listener: Scanned, tmp_path: Path) -> None:
    scan, told = sslyze(listener.host, tmp_path / "found.json", *_PROBES, "--certinfo_ca_file", listener.ca)

    def result(name: str) -> dict[str, Any]:
        taken: dict[str, Any] = scan[name]["result"]
        return taken

    for old in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
        assert result(f"{old}_cipher_suites")["accepted_cipher_suites"] == []
    assert len(result("tls_1_2_cipher_suites")["accepted_cipher_suites"]) == 6
    assert len(result("tls_1_3_cipher_suites")["accepted_cipher_suites"]) == 3
    assert result("tls_compression")["supports_compression"] is False
    assert result("tls_1_3_early_data")["supports_early_data"] is False
    assert result("tls_fallback_scsv")["supports_fallback_scsv"] is True
    assert result("heartbleed")["is_vulnerable_to_heartbleed"] is False
    assert result("openssl_ccs_injection")["is_vulnerable_to_ccs_injection"] is False
    assert result("session_renegotiation")["is_vulnerable_to_client_renegotiation_dos"] is False
    assert result("session_renegotiation")["supports_secure_renegotiation"] is True
    assert result("session_resumption")["tls_ticket_resumption_result"] == "FULLY_SUPPORTED"
    assert result("robot")["robot_result"] == "NOT_VULNERABLE_RSA_NOT_SUPPORTED"
    assert result("tls_extended_master_secret")["supports_ems_extension"] is True
    deployments = result("certificate_info")["certificate_deployments"]
    kinds = {one["received_certificate_chain"][0]["public_key"]["algorithm"] for one in deployments}
    assert len(deployments) == len(kinds) == 2
    for one in deployments:
        assert one["received_chain_has_valid_order"]
        assert any(path["was_validation_successful"] for path in one["path_validation_results"])
    # More groups than Mozilla lists, none of them weak: OpenSSL's defaults.
    assert _complaints(told) == {"tls_curves"}
    names = {curve["name"] for curve in result("elliptic_curves")["supported_curves"]}
    assert names == {"X25519", "X448", "secp256r1", "secp384r1", "secp521r1"}


def _complaints(told: str) -> set[str]:
    """In what it differs from Mozilla's recommendations."""
    below = told.partition("COMPLIANCE AGAINST TLS CONFIGURATION")[2]
    return {line.strip()[2:].partition(":")[0] for line in below.splitlines() if line.strip().startswith("* ")}
