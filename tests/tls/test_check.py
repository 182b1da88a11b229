"""What `check` says about files for TLS: where, and what to do."""

import time
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from proxy.alarm import Alarm
from proxy.config import load_text
from proxy.config.problem import Problem
from proxy.tls.certificates import Pair
from proxy.tls.check import check_files, warning_codes
from proxy.tls.contexts import CertificateFiles
from proxy.tls.listening import tls_server
from proxy.tls.pairs import Pairs
from tests.support.authority import Authority, Issued
from tests.support.ocsp import with_issuer
from tests.support.odd import ODD, odd
from tests.support.proxy import ROOT

ROUTES = "routes: [{path: /, respond: 204}]\n"


def said(text: str) -> list[str]:
    """Severity, line, column and words of each problem."""
    loaded = load_text(text, "proxy.yaml", {})
    assert loaded.errors == ()
    found = check_files(loaded, time.time())
    assert {problem.code for problem in found} <= set(warning_codes())
    return [f"{one.line}:{one.column} {one.severity} {one.code}: {one.message}" for one in found]


def listening(*lines: str) -> str:
    items = "".join(f"        - {line}\n" for line in lines)
    return f"listen:\n  - endpoint: tcp:8443\n    tls:\n      certificates:\n{items}{ROUTES}"


def written(issued: Issued, more: str = "") -> str:
    return f"{{cert: {issued.cert}, key: {issued.key}{more}}}"


def test_nothing_is_wrong(authority: Authority) -> None:
    one = authority.issue("a.test")
    staff = f", client: {{verify: required, ca: {authority.ca}, crl: {authority.revoke()}}}"
    assert said(listening(written(one, staff), written(authority.issue("b.test")))) == []
    assert said("listen: {endpoint: tcp:8443, tls: internal}\n" + ROUTES) == []
    assert said("listen: tcp:8080\n" + ROUTES) == []


def test_files_that_are_not_there_or_do_not_fit(authority: Authority) -> None:
    one, other = authority.issue("a.test"), authority.issue("b.test")
    found = said(
        listening(
            f"{{cert: /missing.crt, key: {one.key}}}",
            f"{{cert: {one.cert}, key: /missing.key}}",
            f"{{cert: {one.cert}, key: {other.key}}}",
            written(one, ", client: {ca: /missing.pem, crl: /missing.crl}"),
        )
    )
    column = len("        - {cert: ") + 1
    key_column = len(f"        - {{cert: {one.cert}, key: ") + 1
    assert found[0] == f"5:{column} error certificate: /missing.crt: No such file or directory"
    assert found[1] == f"6:{key_column} error certificate: /missing.key: No such file or directory"
    assert found[2].startswith(f"7:{key_column} error certificate: {other.key}: this is not the key")
    assert [line.split(": ", 1)[1] for line in found[3:]] == [
        "/missing.pem: No such file or directory",
        "/missing.crl: No such file or directory",
    ]


@pytest.mark.parametrize(
    ("issue", "words"),
    [
        ({"days": -0.5}, "certificate-expired"),
        ({"days": 5}, "certificate-expires"),
        ({"since": 2}, "certificate-early"),
    ],
)
def test_dates(authority: Authority, issue: dict[str, float], words: str) -> None:
    [found] = said(listening(written(authority.issue("a.test", **issue))))  # type: ignore[arg-type] # dates only
    assert f" warning {words}: " in found


def test_a_key_that_others_can_read_or_write(authority: Authority) -> None:
    one = authority.issue("a.test")
    Path(one.key).chmod(0o644)
    [found] = said(listening(written(one)))
    assert f"warning key-readable: every user of this machine can read {one.key}" in found
    Path(one.key).chmod(0o660)
    [found] = said(listening(written(one)))
    assert "warning key-readable: the group " in found
    assert found.endswith(f" can write to {one.key}")


def test_a_chain_in_the_wrong_order(authority: Authority) -> None:
    one, other = authority.issue("a.test"), authority.issue("b.test")
    Path(one.cert).write_bytes(Path(one.cert).read_bytes() + Path(other.cert).read_bytes())
    [found] = said(listening(written(one)))
    assert "warning certificate-chain" in found


def test_names_that_a_certificate_is_not_for(authority: Authority) -> None:
    one = authority.issue("*.a.test")
    [found] = said(listening(written(one, ", names: [x.a.test, b.test]")))
    assert found.endswith(f"warning certificate-name: {one.cert} is not for b.test: clients will refuse it")


def test_two_certificates_for_a_name(authority: Authority) -> None:
    first, second = authority.issue("a.test"), authority.issue("a.test", file="second")
    other_kind = authority.issue("a.test", file="rsa", use_rsa=True)
    assert said(listening(written(first), written(other_kind))) == []
    [found] = said(listening(written(first), written(second)))
    assert "6:11 warning certificate-twice: a.test has an ECDSA certificate already" in found
    staff = f", client: {{ca: {authority.ca}}}"
    [found] = said(listening(written(first), written(other_kind, staff)))
    assert "6:11 error certificate-twice: a.test has two certificates that ask clients for different things" in found


def test_authorities_and_lists_that_have_expired(authority: Authority) -> None:
    old = authority.issue("old.test", days=-0.1)
    crl = authority.revoke(days=-0.5)
    more = f", client: {{verify: optional, ca: {old.cert}, crl: {crl}}}"
    found = said(listening(written(authority.issue("a.test"), more)))
    assert [line.split(": ", 1)[1] for line in found] == [
        f"every authority in {old.cert} has expired: every client with a certificate is refused",
        f"the revocation list {crl} has expired: every client with a certificate is refused",
    ]


def test_authorities_and_lists_that_expire_soon(authority: Authority) -> None:
    soon = authority.issue("old.test", days=5, since=-80)
    crl = authority.revoke(days=0.2)
    client = f", client: {{verify: optional, ca: {soon.cert}, crl: {crl}}}"
    found = said(listening(written(authority.issue("a.test"), client)))
    assert [line.partition(" ")[2].partition(" by ")[0] for line in found] == [
        f"warning certificate-expires: every authority in {soon.cert} will have expired",
        f"warning certificate-expires: the revocation list {crl} will have expired",
    ]
    assert all(line.endswith(": then every client with a certificate is refused") for line in found)
    found = said(
        f"""
upstreams: {{a: {{servers: https://a.test, tls: {{ca: {soon.cert}, crl: {crl}}}}}}}
routes: [{{path: /, upstream: a}}]
"""
    )
    assert [line.rpartition(": ")[2] for line in found] == ["then every server is refused"] * 2


def test_upstreams(authority: Authority) -> None:
    one = authority.issue("a.test")
    found = said(
        f"""
defaults: {{upstream: {{tls: {{verify: false}}}}}}
upstreams:
  a: {{servers: https://a.test}}
  b: {{servers: https://b.test}}
  c:
    servers: https://c.test
    tls: {{ca: /missing.pem, crl: {one.cert}, cert: {one.cert}, key: {one.key}}}
routes: [{{path: /, split: [a, b, c]}}]
"""
    )
    assert [line.partition(" ")[2][:40] for line in found] == [
        "warning tls-unverified: the servers are ",
        "error certificate: /missing.pem: No such",
        f"error certificate: {one.cert}"[:40],
    ]
    assert [line.partition(":")[0] for line in found] == ["2", "8", "8"]


def test_a_certificate_that_nobody_can_ask_for(authority: Authority) -> None:
    one = authority.issue(uris=["spiffe://a.test/b"])
    wanted = f"5:18 warning certificate-nameless: {one.cert} holds no host name: nobody who asks for one gets it"
    assert said(listening(written(one))) == [wanted]
    assert "nameless" not in str(said(listening(written(one, ", names: a.test"))))
    assert said(listening(written(authority.issue(common_name="old.test", file="old")))) == []


def test_every_code_is_explained() -> None:
    page = (ROOT / "docs" / "tls.md").read_text()
    assert {code for code in warning_codes() if f"`{code}`" not in page} == set()


def test_responses_that_cannot_be_stapled(authority: Authority) -> None:
    url = "http://ocsp.test/"
    alone = authority.issue("a.test", ocsp=url)
    assert said(listening(written(alone))) == [
        f"5:18 warning staple: {alone.cert} gets no OCSP responses: its file lacks the certificate of its issuer"
    ]
    assert said(listening(written(alone)).replace("certificates:", "staple: off\n      certificates:")) == []
    must = authority.issue("b.test", ocsp=url, must_staple=True)
    needs = f"clients may refuse {must.cert}: it needs an OCSP response, and "
    assert said(listening(written(must))) == [
        f"5:18 warning must-staple: {needs}its file lacks the certificate of its issuer"
    ]
    with_issuer(authority, must)
    assert said(listening(written(must))) == []
    assert said(listening(written(must)).replace("certificates:", "staple: off\n      certificates:")) == [
        f"6:18 warning must-staple: {needs}`staple: off` forbids that"
    ]
    nobody = authority.issue("c.test", must_staple=True)
    assert said(listening(written(nobody))) == [
        f"5:18 warning must-staple: clients may refuse {nobody.cert}: it needs an OCSP response, and it names nobody"
        " who gives one"
    ]


@pytest.mark.parametrize("what", ODD)
def test_certificates_that_make_no_sense(authority: Authority, what: str) -> None:
    one = odd(authority, what)
    [found] = said(listening(written(one)))
    assert found.startswith(f"5:18 error certificate: {one.cert}: a certificate in it cannot be read: ")


def test_a_responder_that_cannot_be_asked(authority: Authority) -> None:
    one = authority.issue("a.test", ocsp="http://[::1/x")
    gets_none = f"{one.cert} gets no OCSP responses: the responder that it names cannot be asked, 'http://[::1/x'"
    assert said(listening(written(one))) == [f"5:18 warning staple: {gets_none}"]
    assert said(listening(written(one)).replace("certificates:", "staple: off\n      certificates:")) == []


def test_what_is_read_here_need_not_be_read_again(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    load = CertificateFiles.load

    def noted(files: CertificateFiles) -> Pair:
        read.append(files.cert)
        return load(files)

    monkeypatch.setattr(CertificateFiles, "load", noted)
    one, other = authority.issue("a.test"), authority.issue("b.test")
    loaded, pairs = load_text(listening(written(one), written(other)), "proxy.yaml", {}), Pairs()
    assert check_files(loaded, time.time(), pairs) == []
    config = loaded.require()
    clock = Clock()
    server = tls_server(config, config.listen[0], Alarm(clock, clock.seconds), pairs=pairs)
    assert server is not None
    assert server.keyring.known("b.test") is server.keyring.hosts[1]
    assert read == [one.cert, other.cert]


def test_a_thousand_doubtful_certificates_are_not_compared_with_each_other(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither they nor what is said about them."""
    compared = 0

    def equal(one: object, other: object) -> bool:
        nonlocal compared
        compared += 1
        return one is other

    monkeypatch.setattr(Problem, "__eq__", equal)
    one = authority.issue("a.test")
    found = said(listening(*(written(one, f", names: h{number}.test") for number in range(300))))
    assert len(found) == 300
    assert compared < 300
