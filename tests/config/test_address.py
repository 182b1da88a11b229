"""Addresses of servers."""

import pytest
from pydantic_core import PydanticCustomError

from proxy.config.address import Address, looks_like_address, parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1:9001", Address("tcp", "127.0.0.1", 9001, "", "http://127.0.0.1:9001")),
        ("http://app", Address("tcp", "app", 80, "", "http://app:80")),
        ("http://App.Example.com:80/", Address("tcp", "app.example.com", 80, "", "http://app.example.com:80")),
        ("http://[::1]:8080", Address("tcp", "::1", 8080, "", "http://[::1]:8080")),
        ("http://my_service:5000", Address("tcp", "my_service", 5000, "", "http://my_service:5000")),
        ("unix:/run/app.sock", Address("unix", "", 0, "/run/app.sock", "unix:/run/app.sock")),
        ("unix:///run/app.sock", Address("unix", "", 0, "/run/app.sock", "unix:/run/app.sock")),
        ("http+unix:/run/app.sock", Address("unix", "", 0, "/run/app.sock", "unix:/run/app.sock")),
        ("https+unix:/run/app.sock", Address("unix", "", 0, "/run/app.sock", "https+unix:/run/app.sock", True)),
        ("https+unix:///run/app.sock", Address("unix", "", 0, "/run/app.sock", "https+unix:/run/app.sock", True)),
        ("srv://_http._tcp.api.test.", Address("srv", "_http._tcp.api.test", 0, "", "srv://_http._tcp.api.test.")),
        ("http+srv://api.test", Address("srv", "api.test", 0, "", "srv://api.test")),
        ("https+srv://_h._tcp.a.test", Address("srv", "_h._tcp.a.test", 0, "", "https+srv://_h._tcp.a.test", True)),
        ("demo:2", Address("demo", "", 2, "", "demo:2")),
        ("https://app.internal", Address("tcp", "app.internal", 443, "", "https://app.internal:443", True)),
        ("https://[::1]:8443", Address("tcp", "::1", 8443, "", "https://[::1]:8443", True)),
    ],
)
def test_addresses(text: str, expected: Address) -> None:
    assert parse_address(text) == expected
    assert parse_address(expected.text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "app", "app:80", "ftp://app", "ws://app", "http://", "http://:80", "http://app:0", "http://app:99999",
        "http://app:x", "http://app/path", "http://app?x", "http://app#x", "http://u@app", "http://256.0.0.1",
        "http://a b", "http://-a", "http://[::g]", "unix:", "unix:x", "demo:", "demo:0", "demo:x", 9001, None, True,
        "https+unix:x", "https+srv://", "srv+https://a",
    ],
)  # fmt: skip
def test_what_is_no_address(text: object) -> None:
    with pytest.raises(PydanticCustomError):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "authority"),
    [
        ("http://app:80", b"app"),
        ("http://app:81", b"app:81"),
        ("http://[::1]:81", b"[::1]:81"),
        ("unix:/x", b"localhost"),
        ("demo:1", b"localhost"),
    ],
)
def test_the_authority_is_what_host_says(text: str, authority: bytes) -> None:
    assert parse_address(text).authority == authority


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://app.internal:8443", "app.internal"),
        ("https://app.internal.", "app.internal"),
        ("https://[::1]", "::1"),
        ("https+srv://_https._tcp.api.internal", "api.internal"),
        ("https+srv://web.service.test", "web.service.test"),
        ("https+unix:/x", "localhost"),
    ],
)
def test_who_a_server_has_to_be(text: str, name: str) -> None:
    assert parse_address(text).server_name == name


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("srv+https://_https._tcp.a", "write https+srv://_https._tcp.a"),
        ("unix+https:///run/x", "write https+unix:/run/x"),
        ("wss://a", "write https://a"),
        ("ws://a", "write http://a"),
        ("https+unix:x", "write for example https+unix:/run/app.sock"),
        ("https+srv://a:1", "the ports come with the answer: remove this one"),
    ],
)
def test_what_to_write_instead(text: str, hint: str) -> None:
    with pytest.raises(PydanticCustomError) as error:
        parse_address(text)
    assert error.value.context is not None
    assert error.value.context["hint"] == hint


def test_names_and_addresses_cannot_be_confused() -> None:
    assert not looks_like_address("api.v1_x-2")
    assert all(map(looks_like_address, ["http://x", "unix:/x", "demo:1", "a:1", "a/b"]))
    assert str(parse_address("demo:1")) == "demo:1"
