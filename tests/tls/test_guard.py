"""A host that needs a certificate is reached by its own handshake only."""

import pytest
from OpenSSL import SSL

from proxy.errors import MISDIRECTED, ProxyError
from proxy.tls.contexts import ClientPolicy
from proxy.tls.guard import Credentials, Guard, host_name
from proxy.tls.table import NameTable


class Host:
    def __init__(self, client: ClientPolicy | None = None) -> None:
        self.client = client
        self.context: SSL.Context | None = None


ASKS, MAY = ClientPolicy(True, "ca.pem"), ClientPolicy(False, "ca.pem")
OPEN, SECRET, CURIOUS = Host(), Host(ASKS), Host(MAY)


def hosts(default: Host = OPEN, **more: Host) -> NameTable[Host]:
    table = NameTable(default, strict=False)
    for name, host in {"a": OPEN, "secret": SECRET, "curious": CURIOUS, **more}.items():
        table.add([f"{name}.example"], host)
    return table


def may(authority: bytes, server_name: str | None, listener: NameTable[Host], *others: NameTable[Host]) -> bool:
    credentials = None
    if server_name is not None:
        host = listener.find(server_name)
        assert host is not None
        credentials = Credentials(server_name, host, listener)
    try:
        Guard([listener, *others]).check(authority, credentials)
    except ProxyError as error:
        assert error.reason is MISDIRECTED
        return False
    return True


@pytest.mark.parametrize(
    ("authority", "server_name", "allowed"),
    [
        (b"a.example", "a.example", True),
        (b"other.example", "a.example", True),
        (b"", "a.example", True),
        (b"a.example:8443", "a.example", True),
        (b"secret.example", "secret.example", True),
        (b"Secret.Example.:443", "secret.example", True),
        (b"secret.example", "a.example", False),
        (b"secret.example", "other.example", False),
        (b"secret.example", "", False),
        (b"SECRET.example.", "a.example", False),
        (b"a.example", "secret.example", False),
        (b"other.example", "secret.example", False),
        (b"", "secret.example", False),
        (b"curious.example", "a.example", False),
        (b"a.example", "curious.example", False),
        (b"curious.example", "curious.example", True),
    ],
)
def test_on_a_listener_with_tls(authority: bytes, server_name: str, allowed: bool) -> None:
    assert may(authority, server_name, hosts()) is allowed


def test_where_the_default_asks_unknown_names_are_its_own() -> None:
    listener = hosts(default=SECRET)
    assert may(b"whatever.example", "", listener)
    assert may(b"a.example", "a.example", listener)
    assert not may(b"whatever.example", "a.example", listener)
    assert may(b"whatever.example", "whatever.example", listener)
    assert not may(b"elsewhere.example", "whatever.example", listener)


def test_a_listener_without_tls_does_not_lead_there_either() -> None:
    assert may(b"a.example", None, hosts())
    assert may(b"curious.example", None, hosts())
    assert not may(b"secret.example:8080", None, hosts())


def test_each_listener_has_its_own_word_about_the_names_that_it_knows() -> None:
    inside: NameTable[Host] = NameTable(OPEN)
    inside.add(["secret.example"], OPEN)
    assert may(b"secret.example", "secret.example", inside, hosts())
    elsewhere: NameTable[Host] = NameTable(OPEN, strict=False)
    assert not may(b"secret.example", "a.example", elsewhere, hosts())


def test_what_a_wildcard_asks_holds_for_all_below_it() -> None:
    listener = hosts()
    listener.add(["*.wild.example"], SECRET)
    listener.add(["*.open.wild.example"], OPEN)
    for name in (b"b.wild.example", b"a.b.wild.example", b"a.b.c.wild.example:443"):
        assert not may(name, "a.example", listener)
        assert not may(name, None, listener)
    assert may(b"b.wild.example", "b.wild.example", listener)
    assert not may(b"a.b.wild.example", "b.wild.example", listener)
    assert not may(b"a.b.wild.example", "a.b.wild.example", listener)  # the default's handshake asks for nothing
    assert may(b"x.open.wild.example", "a.example", listener)
    assert may(b"wild.example", "a.example", listener)


@pytest.mark.parametrize(
    ("then", "now", "allowed"),
    [
        (None, None, True),
        (None, ASKS, False),
        (None, MAY, False),
        (MAY, ASKS, False),
        (ASKS, MAY, False),
        (ASKS, ASKS._replace(ca="other.pem"), False),
        (ASKS, ASKS._replace(crl="revoked.crl"), False),
        (ASKS, ASKS, True),
        (MAY, MAY, True),
        (ASKS, None, True),
    ],
)
@pytest.mark.parametrize("server_name", ["secret.example", ""])
def test_a_connection_is_not_older_than_what_is_asked(
    then: ClientPolicy | None, now: ClientPolicy | None, allowed: bool, server_name: str
) -> None:
    before, after = Host(then), Host(now)
    listener = NameTable(after)  # as a reload has left it
    listener.add(["secret.example"], after)
    try:
        Guard([listener]).check(b"secret.example", Credentials(server_name, before, listener))
    except ProxyError as error:
        assert error.reason is MISDIRECTED
        assert not allowed
    else:
        assert allowed


def test_a_name_that_a_renewed_certificate_lacks_is_not_open() -> None:
    listener: NameTable[Host] = NameTable(OPEN)
    guard = Guard([listener], {"secret.example": ASKS})
    for name in (b"secret.example", b"secret.example.."):
        with pytest.raises(ProxyError):
            guard.check(name, None)
    guard.check(b"a.example", None)


@pytest.mark.parametrize(
    ("authority", "name"),
    [(b"A.Example:80", "a.example"), (b"a.example.", "a.example"), (b"[2001:DB8::1]:80", "2001:db8::1"), (b"", "")],
)
def test_the_name_of_an_authority(authority: bytes, name: str) -> None:
    assert host_name(authority) == name
