"""TLS as people write it."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from proxy.config.model import Listener
from proxy.config.tls import ListenerTls, UpstreamTls

FILES = {"cert": "a.crt", "key": "a.key"}


def listener(tls: object) -> ListenerTls:
    found = Listener.model_validate({"endpoint": "tcp:8443", "tls": tls}).tls
    assert found is not None
    return found


def test_one_certificate_is_a_list_of_one() -> None:
    tls = listener({"certificates": FILES})
    assert [one.cert for one in tls.certificates or ()] == ["a.crt"]
    assert (tls.policy, tls.min_version, tls.unknown_names, tls.hsts) == ("intermediate", None, "refuse", None)


def test_internal_is_a_word() -> None:
    assert listener("internal").issuer == "internal"


def test_files_are_looked_for_beside_the_configuration() -> None:
    client = {"verify": "optional", "ca": "ca.pem", "crl": "/abs/ca.crl"}
    tls = listener({"certificates": [{**FILES, "client": client}]}).beside(Path("/etc/proxy"))
    [one] = tls.certificates or ()
    assert (one.cert, one.key) == ("/etc/proxy/a.crt", "/etc/proxy/a.key")
    assert one.client is not None
    assert (one.client.ca, one.client.crl) == ("/etc/proxy/ca.pem", "/abs/ca.crl")
    upstream = UpstreamTls.model_validate({"ca": "ca.pem", **FILES}).beside(Path("/etc/proxy"))
    assert (upstream.ca, upstream.cert, upstream.key) == ("/etc/proxy/ca.pem", "/etc/proxy/a.crt", "/etc/proxy/a.key")


def test_names_are_as_tables_have_them() -> None:
    tls = listener({"certificates": {**FILES, "names": ["A.Example.", "*.B.example"]}})
    assert [one.names for one in tls.certificates or ()] == [("a.example", "*.b.example")]


def test_hsts_in_short_and_in_long() -> None:
    long = {"max_age": "1h", "subdomains": True}
    listed = {"max_age": "365d", "subdomains": True, "preload": True}
    for written, value in (
        ("365d", b"max-age=31536000"),
        ("63072000s", b"max-age=63072000"),
        ("730d", b"max-age=63072000"),
        ("3650d", b"max-age=315360000"),
        (long, b"max-age=3600; includeSubDomains"),
        (listed, b"max-age=31536000; includeSubDomains; preload"),
        (0, b"max-age=0"),
        ("0s", b"max-age=0"),
        ({"max_age": 0, "subdomains": True}, b"max-age=0; includeSubDomains"),
    ):
        hsts = listener({"certificates": FILES, "hsts": written}).hsts
        assert hsts is not None
        assert hsts.value == value


@pytest.mark.parametrize(("written", "port"), [("https", 443), ("https:8443", 8443)])
def test_a_redirect_of_a_whole_listener(written: str, port: int) -> None:
    assert Listener.model_validate({"endpoint": "tcp:80", "redirect": written}).redirect == port


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"redirect": "http"}, "is no redirect of a listener"),
        ({"redirect": "https:70000"}, "is no redirect of a listener"),
        ({"redirect": "https", "tls": "internal"}, "redirect to itself"),
        ({"tls": {}}, "is missing"),
        ({"tls": "external"}, "internal"),
        ({"tls": {"issuer": "internal", "certificates": FILES}}, "exclude each other"),
        ({"tls": {"certificates": []}}, "at least 1"),
        ({"tls": {"certificates": {**FILES, "names": "a b"}}}, "is not a host name"),
        ({"tls": {"certificates": {**FILES, "names": "*.*.example"}}}, "is not a host name"),
        ({"tls": {"certificates": {**FILES, "client": {}}}}, "needs `ca`"),
        ({"tls": {"certificates": FILES, "policy": "modern", "min_version": "1.2"}}, "TLS 1.3 only"),
        ({"tls": {"certificates": FILES, "min_version": "1.1"}}, "1.2"),
        ({"tls": {"certificates": FILES, "hsts": {"max_age": "365d", "preload": True}}}, "subdomains: true"),
        ({"tls": {"certificates": FILES, "hsts": {"max_age": "1d", "subdomains": True, "preload": True}}}, "365d"),
        ({"tls": {"certificates": FILES, "hsts": {"preload": True}}}, "max_age"),
        ({"tls": {"certificates": FILES, "hsts": "3651d"}}, "more than 10 years"),
        ({"tls": {"certificates": FILES, "hsts": 63072000}}, "has no unit"),
    ],
)
def test_what_is_wrong_with_a_listener(wish: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Listener.model_validate({"endpoint": "tcp:8443", **wish})


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"cert": "a.crt"}, "needs `key`"),
        ({"key": "a.key"}, "needs `cert`"),
        ({"verify": False, "ca": "ca.pem"}, "does nothing"),
        ({"verify": False, "san": "a.example"}, "does nothing"),
        ({"name": "a example"}, "is not a host name"),
    ],
)
def test_what_is_wrong_with_an_upstream(wish: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        UpstreamTls.model_validate(wish)
