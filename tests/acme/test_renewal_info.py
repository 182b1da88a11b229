"""When the authority wants to see us again."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from proxy import limits
from proxy.acme.renewal_info import ask, name_of
from proxy.acme.schedule import Window
from proxy.acme.session import Session
from proxy.acme.words import Answer, Ask, RefusedError
from tests.acme.directory import BEGIN, URL, Directory, Time, done
from tests.support.authority import Authority

# The example of RFC 9773 section 4.1.
KEY_ID, SERIAL = bytes.fromhex("69885B6B87464041E1B37B847BA0AE2CDE01C8D4"), 0x87654321
NAME = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


def test_a_certificate_is_named_by_issuer_and_number(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    found = name_of(authority.issue("a.test").certificate)
    issuer, _, number = found.partition(".")
    assert issuer
    assert number
    assert name_of(authority.issue("b.test", self_signed=True).certificate) == ""


def test_the_name_in_the_example_of_the_rfc(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    key, now = authority.key, datetime.now(UTC)
    builder = x509.CertificateBuilder(authority.name, authority.name, key.public_key(), SERIAL, now, now)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier(KEY_ID, None, None), False)
    assert name_of(builder.sign(key, SHA256())) == NAME


def test_an_authority_without_it_is_asked_again_some_day(tmp_path: Path) -> None:
    time = Time()
    session = Session(URL, None, Directory(tmp_path, time).fetch, time.pause, time.now)
    assert done(ask(session, "a.b")) == (None, "", limits.ACME_INFO_SECONDS)


def test_a_window(tmp_path: Path) -> None:
    time = Time()
    directory = Directory(tmp_path, time)
    directory.window = (BEGIN + 10, BEGIN + 20)
    found = done(ask(Session(URL, None, directory.fetch, time.pause, time.now), "a.b"))
    assert found == (Window(BEGIN + 10, BEGIN + 20), "", 3600.0)
    assert directory.asked == ["/dir", "/info/a.b"]


@pytest.mark.parametrize(
    "window",
    [None, {}, {"start": "2026-01-01T00:00:00Z"}, {"start": "x", "end": "y"},
     {"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"},
     {"start": "2026-01-01T00:00:00", "end": "2026-01-02T00:00:00"}],
)  # fmt: skip
def test_what_is_no_window_is_told(window: Any) -> None:
    time = Time()
    urls = {name: f"https://ca.test/{name}" for name in ("newNonce", "newAccount", "newOrder", "renewalInfo")}

    async def fetch(asked: Ask) -> Answer:
        value = urls if asked.url == URL else {"suggestedWindow": window}
        return Answer(200, {}, json.dumps(value).encode())

    with pytest.raises(RefusedError, match="suggestedWindow"):
        done(ask(Session(URL, None, fetch, time.pause, time.now), "a.b"))


def test_how_often_it_is_asked_has_limits() -> None:
    time = Time()
    urls = {name: f"https://ca.test/{name}" for name in ("newNonce", "newAccount", "newOrder", "renewalInfo")}
    window = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
    shortest, usual = limits.ACME_INFO_SHORTEST_SECONDS, limits.ACME_INFO_SECONDS
    for said, seconds in (("1", shortest), ("999999", 86400.0), ("", usual)):

        async def fetch(asked: Ask, said: str = said) -> Answer:
            value: Any = urls if asked.url == URL else {"suggestedWindow": window, "explanationURL": "https://ca.test/why"}
            return Answer(200, {"retry-after": said}, json.dumps(value).encode())

        found = done(ask(Session(URL, None, fetch, time.pause, time.now), "a.b"))
        assert (found.ask_again, found.explanation) == (seconds, "https://ca.test/why")
