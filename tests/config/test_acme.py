"""Certificates by ACME as people write them."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from proxy.config.acme import DIRECTORIES, Acme


def wish(names: Any = "a.test", **more: Any) -> Acme:
    return Acme.model_validate({"names": names, **more})


def test_a_name_is_enough() -> None:
    found = wish("A.test.")
    assert found.names == (("a.test",),)
    assert found.directory == "https://acme-v02.api.letsencrypt.org/directory"
    assert (found.challenge, found.key_type, found.terms_agreed) == ("http-01", "ecdsa-p256", True)
    assert (found.email, found.storage, found.eab, found.ca) == (None, None, None, None)


def test_each_item_is_a_certificate() -> None:
    assert wish(["a.test", ["b.test", "c.test"], ["d.test"]]).names == (("a.test",), ("b.test", "c.test"), ("d.test",))


def test_directories_have_words() -> None:
    assert wish(directory="letsencrypt-staging").directory == DIRECTORIES["letsencrypt-staging"]
    assert wish(directory="https://ca.test/dir").directory == "https://ca.test/dir"


@pytest.mark.parametrize(
    ("more", "rehearsal"),
    [
        ({}, DIRECTORIES["letsencrypt-staging"]),
        ({"staging": False}, ""),
        ({"directory": "letsencrypt-staging"}, ""),
        ({"directory": "https://ca.test/dir"}, ""),
        ({"directory": "https://ca.test/dir", "staging": "https://ca.test/stage"}, "https://ca.test/stage"),
    ],
)
def test_where_it_is_rehearsed(more: dict[str, Any], rehearsal: str) -> None:
    assert wish(**more).rehearsal == rehearsal


def test_files_are_looked_for_beside_the_configuration() -> None:
    found = wish(ca="ca.pem", storage="acme").beside(Path("/etc/proxy"))
    assert (found.ca, found.storage) == ("/etc/proxy/ca.pem", "/etc/proxy/acme")
    assert wish().beside(Path("/etc/proxy")) == wish()


def test_an_address_with_or_without_a_scheme() -> None:
    assert wish(email="a@b.test").email == wish(email="mailto:a@b.test").email == "a@b.test"


def test_a_binding() -> None:
    eab = wish(eab={"key_id": 7, "hmac_key": "AbC-_w==\n"}).eab
    assert eab is not None
    assert (eab.key_id, eab.hmac_key) == ("7", "AbC-_w")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"names": []}, "at least 1"),
        ({"names": [[]]}, "at least 1"),
        ({"names": ["*.a.test"]}, "dns-01"),
        ({"names": ["10.0.0.1"]}, "is an address"),
        ({"names": ["a b"]}, "is not a host name"),
        ({"names": ["a.test", ["b.test", "A.test"]]}, "listed twice"),
        ({"names": [[f"n{number}.test" for number in range(101)]]}, "at most 100"),
        ({"directory": "http://ca.test/dir"}, "by https only"),
        ({"directory": "lets-encrypt"}, "is not a directory"),
        ({"directory": "https:///dir"}, "is not a directory"),
        ({"directory": 5}, "is not a directory"),
        ({"staging": True}, "is not a directory"),
        ({"email": "nobody"}, "is not an email address"),
        ({"challenge": "dns-01"}, "tls-alpn-01"),
        ({"key_type": "rsa-1024"}, "rsa-2048"),
        ({"eab": {"key_id": "a"}}, "hmac_key"),
    ],
)
def test_what_is_wrong(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Acme.model_validate({"names": "a.test", **more})


def test_a_secret_that_is_wrong_is_not_shown() -> None:
    with pytest.raises(ValidationError) as failed:
        wish(eab={"key_id": "a", "hmac_key": "not!base64"})
    assert [error["msg"] for error in failed.value.errors()] == ["this is not a key in base64url"]
