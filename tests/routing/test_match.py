"""What a route may ask of a request beyond its host and path."""

from ipaddress import ip_network

import pytest

from proxy.config.routes import ValueMatch
from proxy.message import Fields
from proxy.routing.match import ClientNetworks, HeaderValue, Methods, QueryValue, Request, canonical_host


def request(
    method: bytes = b"GET", query: bytes = b"", client: str = "10.1.2.3", *fields: tuple[bytes, bytes]
) -> Request:
    return Request(b"example.com", b"/", method, Fields(fields), query, client)


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        (b"example.com", b"example.com"),
        (b"Example.COM:8080", b"example.com"),
        (b"example.com.", b"example.com"),
        (b"example.com.:80", b"example.com"),
        (b"127.0.0.1:80", b"127.0.0.1"),
        (b"[::1]:80", b"[::1]"),
        (b"[::1]", b"[::1]"),
        (b"", b""),
        (b":80", b""),
    ],
)
def test_hosts_have_one_spelling(authority: bytes, host: bytes) -> None:
    assert canonical_host(authority) == host


def as_it_is(name: bytes | str, value: str) -> str:
    return value


def test_methods_are_exact_and_get_takes_head() -> None:
    condition = Methods(["GET", "PURGE"])
    assert [condition.accepts(request(method)) for method in (b"GET", b"HEAD", b"PURGE", b"get", b"POST")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert not Methods(["POST"]).accepts(request(b"HEAD"))
    assert condition.unmet(as_it_is) == "the method is not GET or PURGE"


@pytest.mark.parametrize(
    ("wanted", "accepted"),
    [
        ("a", [False, True, False, True]),
        ({"regex": "^a"}, [False, True, True, True]),
        ({"present": True}, [False, True, True, True]),
        ({"present": False}, [True, False, False, False]),
    ],
)
def test_header_values(wanted: object, accepted: list[bool]) -> None:
    condition = HeaderValue(b"X-Tag", ValueMatch.model_validate(wanted))
    values: list[list[bytes]] = [[], [b"a"], [b"ab"], [b"b", b"a"]]
    found = [condition.accepts(request(b"GET", b"", "", *((b"x-TAG", value) for value in some))) for some in values]
    assert found == accepted


@pytest.mark.parametrize(
    ("query", "accepted"),
    [
        (b"", False),
        (b"a=1", True),
        (b"b=1", False),
        (b"b=1&a=1", True),
        (b"a=2&a=1", True),
        (b"a=%31", True),
        (b"%61=1", True),
        (b"a=1&=&&=x&a", True),
        (b"a=", False),
        (b"&".join([b"x=1"] * 2000) + b"&a=1", False),
    ],
)
def test_query_values(query: bytes, accepted: bool) -> None:
    assert QueryValue("a", ValueMatch.model_validate("1")).accepts(request(query=query)) is accepted


def test_a_query_parameter_without_value_is_there() -> None:
    present = QueryValue("a", ValueMatch.model_validate({"present": True}))
    assert present.accepts(request(query=b"a"))
    assert present.accepts(request(query=b"a="))
    assert not present.accepts(request(query=b"ab"))


@pytest.mark.parametrize(
    ("client", "accepted"),
    [
        ("10.1.2.3", True),
        ("11.0.0.1", False),
        ("fd00::1", True),
        ("::ffff:10.0.0.1", True),
        ("", False),
        ("/run/x", False),
    ],
)
def test_client_networks(client: str, accepted: bool) -> None:
    condition = ClientNetworks([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])
    assert condition.accepts(request(client=client)) is accepted


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (HeaderValue(b"X", ValueMatch.model_validate("a")), "the header X is not 'a'"),
        (HeaderValue(b"X", ValueMatch.model_validate({"regex": "a"})), "the header X does not match 'a'"),
        (QueryValue("q", ValueMatch.model_validate({"present": True})), "the query parameter q is missing"),
        (QueryValue("q", ValueMatch.model_validate({"present": False})), "the query parameter q is there"),
        (ClientNetworks([ip_network("10.0.0.0/8")]), "the client is not in 10.0.0.0/8"),
    ],
)
def test_each_says_why_not(condition: HeaderValue | QueryValue | ClientNetworks, words: str) -> None:
    assert condition.unmet(as_it_is) == words


def test_conditions_cover_those_that_ask_the_same() -> None:
    one, two = (HeaderValue(name, ValueMatch.model_validate({"regex": "a"})) for name in (b"X-Y", b"x-y"))
    assert one.covers(two)
    assert not one.covers(QueryValue("x-y", ValueMatch.model_validate({"regex": "a"})))
    assert Methods(["GET", "HEAD"]).covers(Methods(["GET"]))
    assert not Methods(["POST"]).covers(one)
