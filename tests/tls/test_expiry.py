"""What is told about the certificates in use."""

from datetime import UTC, datetime, timedelta
from typing import Any

from twisted.internet.task import Clock

from proxy import limits
from proxy.alarm import Alarm
from proxy.tls.client import ClientPlan, ClientTls
from proxy.tls.contexts import CertificateFiles, ClientPolicy
from proxy.tls.expiry import certificates, upstream_certificates
from proxy.tls.keyring import HostPlan, Keyring
from proxy.tls.ocsp import OcspError
from proxy.tls.policies import policy
from tests.support.authority import Authority
from tests.support.ocsp import answer
from tests.tls.test_stapling import NOW, Scene, asking


def told(scene: Scene) -> list[dict[str, Any]]:
    return certificates(scene.keyring, NOW.timestamp())


def test_each_certificate_is_told(authority: Authority) -> None:
    curve, rsa = authority.issue("a.test", "b.test", file="ec"), authority.issue("a.test", file="rsa", use_rsa=True)
    gone = authority.issue("gone.test", days=-1, since=-9)
    first, second, third = told(Scene((curve, rsa), (gone,)))
    until = curve.certificate.not_valid_after_utc
    assert first == {
        "file": curve.cert,
        "names": ["a.test", "b.test"],
        "key": "ECDSA",
        "not_after": f"{until:%Y-%m-%dT%H:%M:%SZ}",
        "seconds_left": (until - NOW).total_seconds(),
        "staple": {"state": "none", "seconds_left": None, "error": ""},
    }
    assert (second["file"], second["key"]) == (rsa.cert, "RSA")
    assert third["seconds_left"] == (gone.certificate.not_valid_after_utc - NOW).total_seconds() < 0


def test_how_it_stands_with_responses(authority: Authority) -> None:
    one, other = asking(authority), asking(authority, "b.test")
    scene = Scene((one,), (other,))
    assert [entry["staple"]["state"] for entry in told(scene)] == ["waiting", "waiting"]
    until = datetime.fromtimestamp(NOW.timestamp(), UTC) + timedelta(hours=1)
    scene.desk.asked[0].callback(answer(authority, one.certificate, NOW, until))
    scene.desk.asked[1].errback(OcspError("HTTP 503"))
    assert [entry["staple"] for entry in told(scene)] == [
        {"state": "good", "seconds_left": 3600, "error": ""},
        {"state": "failing", "seconds_left": None, "error": "HTTP 503"},
    ]
    assert told(Scene((one,), staple=False))[0]["staple"]["state"] == "off"


def test_so_is_what_clients_are_judged_by(authority: Authority) -> None:
    one = authority.issue("a.test")
    asks = ClientPolicy(True, authority.ca, authority.revoke(days=20))
    clock = Clock()
    ring = Keyring(
        [HostPlan((CertificateFiles(one.cert, one.key),), (), asks)],
        policy("intermediate"),
        (b"http/1.1",),
        Alarm(clock, clock.seconds),
    )
    found = certificates(ring, NOW.timestamp())
    assert [(entry["key"], entry["file"]) for entry in found] == [
        ("ECDSA", one.cert),
        ("CA", authority.ca),
        ("CRL", asks.crl),
    ]
    assert found[2]["names"] == ["a.test"]
    assert 19 * 86400 < found[2]["seconds_left"] < 21 * 86400


def test_names_that_were_given_count(authority: Authority) -> None:
    one = authority.issue("*.a.test")
    scene = Scene((one,))
    scene.keyring.hosts[0].plan = HostPlan((CertificateFiles(one.cert, one.key),), ("x.a.test",))
    assert told(scene)[0]["names"] == ["x.a.test"]


def test_renewed_files_of_upstreams_are_told_although_nobody_connects(authority: Authority) -> None:
    clock = Clock()
    lists = authority.revoke(days=2)
    tls = ClientTls(ClientPlan(authority.ca, lists), clock.seconds, NOW.timestamp)
    assert [one["key"] for one in upstream_certificates([("a", tls)], NOW.timestamp())] == ["CA", "CRL"]
    renewed = authority.revoke(days=20)
    assert renewed == lists
    clock.advance(limits.CERTIFICATE_LOOK_SECONDS)
    [_, told] = upstream_certificates([("a", tls), ("b", tls)], NOW.timestamp())
    assert told["upstreams"] == ["a", "b"]
    assert told["seconds_left"] > 19 * 86400
