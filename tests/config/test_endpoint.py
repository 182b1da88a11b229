"""Endpoint descriptions: ours must understand what Twisted's parser does, and refuse what it refuses."""

import pytest
from pydantic_core import PydanticCustomError
from twisted.internet.endpoints import serverFromString
from twisted.internet.testing import MemoryReactor

from proxy.config.endpoint import parse_endpoint

GOOD = [
    "tcp:8080",
    "tcp:port=8080",
    "tcp:8080:interface=127.0.0.1",
    "tcp:8080:interface=127.0.0.1:backlog=1024",
    "tcp:0",
    r"tcp6:8080:interface=\:\:1",
    "unix:/run/x.sock",
    "unix:/run/x.sock:mode=660",
    "unix:address=/run/x.sock:lockfile=0",
    "systemd:INET:index=0",
    "systemd:domain=INET6:name=web",
]
BAD = [
    "", "8080", ":8080", "tpc:8080", "tcp", "tcp:", "tcp:http", "tcp:-1", "tcp:70000", "tcp:8080:interfac=x",
    "tcp:8080:port=80", "tcp:1:2:3:4", "tcp:80:backlog=many", "unix", "unix:/x:mode=rw", "systemd:INET", "systemd:X:0",
    "systemd:INET:index=0:name=x", "ssl:443", "haproxy:tcp:80", "127.0.0.1:80", "/run/x.sock", "http://localhost:80/",
]  # fmt: skip


@pytest.mark.parametrize("description", GOOD)
def test_good_descriptions_pass_and_twisted_takes_them(description: str) -> None:
    assert parse_endpoint(description) == description
    if not description.startswith("systemd"):  # that one looks for descriptors that a test does not have
        serverFromString(MemoryReactor(), description)  # type: ignore[no-untyped-call]  # Twisted has no types here


@pytest.mark.parametrize("description", BAD)
def test_bad_descriptions_do_not(description: str) -> None:
    with pytest.raises(PydanticCustomError):
        parse_endpoint(description)


@pytest.mark.parametrize("value", [8080, None, True, [], {}])
def test_other_things_are_no_descriptions(value: object) -> None:
    with pytest.raises(PydanticCustomError):
        parse_endpoint(value)


@pytest.mark.parametrize(
    ("description", "hint"),
    [
        (8080, "write tcp:8080"),
        (":8080", "write tcp:8080"),
        ("127.0.0.1:80", "write tcp:80:interface=127.0.0.1"),
        ("/run/x.sock", "write unix:/run/x.sock"),
        ("tpc:80", "did you mean `tcp:`?"),
    ],
)
def test_what_was_probably_meant(description: object, hint: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        parse_endpoint(description)
    assert caught.value.context is not None
    assert caught.value.context["hint"] == hint
