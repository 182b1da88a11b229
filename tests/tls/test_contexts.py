"""What goes into a context, and what is said where it cannot."""


import pytest
from OpenSSL import SSL

from proxy.tls.certificates import CertificateError
from proxy.tls.contexts import (
    CertificateFiles,
    ClientPolicy,
    Verdict,
    client_context,
    note_verdict,
    said,
    server_context,
)
from proxy.tls.policies import policy
from tests.support.authority import Authority

POLICY = policy("intermediate")


def files(authority: Authority) -> CertificateFiles:
    one = authority.issue("a.test")
    return CertificateFiles(one.cert, one.key)


def test_who_is_asked_and_who_is_not(authority: Authority) -> None:
    def mode(client: ClientPolicy | None) -> int:
        return server_context([files(authority)], POLICY, client, [b"http/1.1"]).get_verify_mode()

    assert mode(None) == SSL.VERIFY_NONE
    assert mode(ClientPolicy(False, authority.ca)) == SSL.VERIFY_PEER
    assert mode(ClientPolicy(True, authority.ca)) == SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT


def test_sessions_are_kept_only_where_nobody_is_verified(authority: Authority) -> None:
    def cache(client: ClientPolicy | None) -> int:
        return server_context([files(authority)], POLICY, client, [b"http/1.1"]).get_session_cache_mode()

    assert cache(None) == SSL.SESS_CACHE_SERVER
    assert cache(ClientPolicy(True, authority.ca)) == SSL.SESS_CACHE_OFF


def test_what_openssl_refuses_is_said_with_the_file(authority: Authority) -> None:
    one, other = files(authority), authority.issue("b.test")
    with pytest.raises(CertificateError, match="OpenSSL refuses it: key values mismatch"):
        server_context([one._replace(key=other.key)], POLICY, None, [b"http/1.1"])
    with pytest.raises(CertificateError, match="no certificate in PEM form"):
        server_context([one], POLICY, ClientPolicy(True, one.key), [b"http/1.1"])


def test_a_context_for_servers_verifies_them_unless_told_otherwise(authority: Authority) -> None:
    assert client_context("", "", "", "", True, POLICY).get_verify_mode() == SSL.VERIFY_PEER
    assert client_context(authority.ca, authority.revoke(), "", "", True, POLICY).get_verify_mode() == SSL.VERIFY_PEER
    assert client_context("", authority.revoke(), "", "", True, POLICY).get_verify_mode() == SSL.VERIFY_PEER
    assert client_context("", "", "", "", False, POLICY).get_verify_mode() == SSL.VERIFY_NONE
    one, other = files(authority), authority.issue("b.test")
    with pytest.raises(CertificateError, match="not the key"):
        client_context("", "", one.cert, other.key, True, POLICY)


def test_a_verdict_keeps_the_first_fault() -> None:
    class Connection:
        def __init__(self) -> None:
            self.verdict = Verdict()

        def get_app_data(self) -> Verdict:
            return self.verdict

    connection = Connection()
    assert note_verdict(connection, None, 0, 0, 1)  # type: ignore[arg-type] # all that is asked of it
    assert connection.verdict.code == 0
    assert not note_verdict(connection, None, 10, 1, 0)  # type: ignore[arg-type] # as above
    assert not note_verdict(connection, None, 20, 0, 0)  # type: ignore[arg-type] # as above
    assert connection.verdict.words == "it has expired (1 above it)"
    connection.verdict.code, connection.verdict.depth = 999, 0
    assert connection.verdict.words == "OpenSSL's verification error 999"


def test_what_openssl_says_without_the_names_of_its_functions() -> None:
    assert said(SSL.Error([("SSL routines", "", "no shared cipher"), ("SSL routines", "", "no shared cipher")])) == (
        "no shared cipher"
    )
    assert said(SSL.SysCallError(-1, "Unexpected EOF")) == "(-1, 'Unexpected EOF')"
    assert said(SSL.Error()) == "Error"
