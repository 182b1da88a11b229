"""What ends at this hop, seen from both sides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import limits
from proxy.errors import REQUEST_INVALID, RESPONSE_INVALID, ProxyError
from proxy.message import Fields
from proxy.policy import hop
from proxy.policy.hop import TE_TRAILERS, NameFilter, canonical, end_to_end_request, end_to_end_response

HOST = (b"Host", b"a")


@pytest.mark.parametrize(
    "name",
    [
        b"Connection",
        b"Keep-Alive",
        b"Proxy-Connection",
        b"Proxy",
        b"PROXY",
        b"Proxy-Authorization",
        b"TE",
        b"Upgrade",
        b"HTTP2-Settings",
        b"Transfer-Encoding",
        b"Content-Length",
        b"Content_Length",
        b"Transfer_Encoding",
        b"Transfer.Encoding",
        b"X_Anything",
    ],
)
def test_these_names_never_reach_a_server(name: bytes) -> None:
    assert end_to_end_request(Fields([HOST, (name, b"1"), (b"X-A", b"2")])) == [HOST, (b"X-A", b"2")]


def test_order_spelling_and_duplicates_are_kept() -> None:
    pairs = [HOST, (b"x-B", b"1"), (b"X-A", b"2"), (b"X-b", b"3"), (b"Trailer", b"X-T")]
    assert end_to_end_request(Fields(pairs)) == pairs


@pytest.mark.parametrize(
    "options", [[b"x-hOP"], [b",, X-Hop ,\t"], [b"close", b"X-Hop"], [b"keep-alive, x-hop, upgrade"]]
)
def test_what_connection_names_is_removed(options: list[bytes]) -> None:
    fields = Fields([HOST, *((b"Connection", option) for option in options), (b"X-Hop", b"1"), (b"X-A", b"2")])
    assert end_to_end_request(fields) == [HOST, (b"X-A", b"2")]
    assert end_to_end_response(fields) == [HOST, (b"X-A", b"2")]


@pytest.mark.parametrize(
    "name", [b"Host", b"Via", b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Anything", b"X-Real-IP"]
)
def test_connection_cannot_name_who_a_request_is_for_or_from(name: bytes) -> None:
    fields = Fields([(b"Connection", b"close, " + name.lower()), (name, b"1")])
    assert end_to_end_request(fields) == [(name, b"1")]


def test_trailers_are_still_asked_for_where_they_were_nominated() -> None:
    asked = Fields([(b"TE", b"gzip;q=0.5, trailers"), (b"Connection", b"TE")])
    assert end_to_end_request(asked) == [TE_TRAILERS]
    assert end_to_end_request(Fields([(b"TE", b"trailers")])) == []
    assert end_to_end_request(Fields([(b"TE", b"gzip"), (b"Connection", b"TE")])) == []


def test_too_many_connection_options_are_refused() -> None:
    many = b", ".join(b"x%d" % n for n in range(limits.CONNECTION_OPTIONS))
    assert end_to_end_request(Fields([(b"Connection", many)])) == []
    with pytest.raises(ProxyError) as caught:
        end_to_end_request(Fields([(b"Connection", many), (b"Connection", b"y")]))
    assert caught.value.reason is REQUEST_INVALID
    with pytest.raises(ProxyError) as caught:
        end_to_end_response(Fields([(b"Connection", many + b", y")]))
    assert caught.value.reason is RESPONSE_INVALID


def test_the_length_of_a_response_survives_where_it_is_asked_for() -> None:
    fields = Fields([(b"Connection", b"Content-Length"), (b"Content-Length", b"5"), (b"Transfer-Encoding", b"x")])
    assert end_to_end_response(fields, keep_length=True) == [(b"Content-Length", b"5")]
    assert end_to_end_response(fields) == []


def test_a_response_keeps_what_only_looks_like_ours() -> None:
    pairs = [(b"X_Under", b"1"), (b"Proxy-Status", b"far; error=dns_error"), (b"Set-Cookie", b"a=b")]
    assert end_to_end_response(Fields([*pairs, (b"Proxy-Authenticate", b"Basic")])) == pairs


def test_a_name_filter_forgets_before_it_fills_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hop, "SHAPES_REMEMBERED", 8)
    judged: list[bytes] = []
    names = NameFilter(lambda name: judged.append(name) or name != b"bad")
    for n in range(100):
        assert names.kept(Fields([(b"x%d" % n, b"1"), (b"bad", b"2")])) == [(b"x%d" % n, b"1")]
        assert names.kept(Fields([(b"bad", b"2")])) == []
        assert len(names) <= 8
    assert judged.count(b"bad") < 130  # 100 times beside a new name, and not 100 times alone


def test_a_name_filter_remembers_nothing_of_what_is_too_long() -> None:
    names = NameFilter(lambda name: True)
    assert len(names.kept(Fields([(b"x" * 500, b"1")] * 3))) == 3
    assert not names


NAMES = st.sampled_from([b"X-A", b"x-b", b"X_C", b"Host", b"Keep-Alive", b"TE", b"Content-Length", b"Via", b"Cookie"])
OPTIONS = st.lists(st.sampled_from([b"x-a", b"X-B", b"close", b"host", b"via", b"te", b"cookie", b""]), max_size=6)


@given(st.lists(st.tuples(NAMES, st.sampled_from([b"1", b"2"]))), st.lists(OPTIONS, max_size=3))
def test_what_is_left_was_there_in_that_order_and_was_not_named(
    pairs: list[tuple[bytes, bytes]], lines: list[list[bytes]]
) -> None:
    fields = Fields([*pairs, *((b"Connection", b", ".join(line)) for line in lines)])
    kept = end_to_end_request(fields)
    named = {option.lower() for line in lines for option in line} - {b"host", b"via"}
    expected = [
        (name, value)
        for name, value in pairs
        if name.lower() not in named and canonical(name) not in {b"keep-alive", b"te", b"content-length", b"x-c"}
    ]
    assert kept == expected


@given(st.binary())
def test_canonical_names_are_what_a_cgi_program_sees(name: bytes) -> None:
    plain = canonical(name)
    assert len(plain) == len(name)
    assert canonical(plain) == plain
    assert canonical(name.replace(b"-", b"_").upper()) == canonical(name.lower())
