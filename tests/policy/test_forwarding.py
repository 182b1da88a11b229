"""What an upstream is told, and what a client cannot make us say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import INTERNAL, REQUEST_LOOP, ProxyError
from proxy.message import Fields, RequestHead
from proxy.policy import forwarding
from proxy.policy.forwarding import Forwarder, ForwardingPolicy
from proxy.policy.trust import UNKNOWN, TrustedNetworks

STRANGER, FRONT = "192.0.2.1", "10.0.0.1"
PLAIN = ForwardingPolicy()
BEHIND = ForwardingPolicy(TrustedNetworks(["10.0.0.0/8"]), pseudonym=b"us-1")


def head(*pairs: tuple[bytes, bytes], host: bytes = b"example.com", minor: int = 1) -> RequestHead:
    return RequestHead(b"GET", b"/", host, minor, Fields([(b"Host", host), *pairs]))


def told(policy: ForwardingPolicy, request: RequestHead, peer: str = STRANGER, scheme: bytes = b"http") -> Fields:
    return policy.receive(request, peer, scheme).fields


def wire(policy: ForwardingPolicy, request: RequestHead, peer: str = STRANGER) -> bytes:
    received = policy.receive(request, peer, b"http")
    return policy.block(request._replace(fields=received.fields), received.request_id or b"id-1")


def test_a_plain_request_as_it_leaves() -> None:
    request = head((b"User-Agent", b"curl"), (b"Connection", b"keep-alive"), (b"X-A", b"1"), host=b"example.com:8080")
    assert wire(PLAIN, request).split(b"\r\n") == [
        b"Host: example.com:8080",
        b"User-Agent: curl",
        b"X-A: 1",
        b"X-Forwarded-For: 192.0.2.1",
        b"X-Real-IP: 192.0.2.1",
        b"X-Forwarded-Proto: http",
        b"X-Forwarded-Host: example.com:8080",
        b"X-Forwarded-Port: 8080",
        b"X-Request-ID: id-1",
        b"",
    ]


@pytest.mark.parametrize(
    "name",
    [
        b"X-Forwarded-For",
        b"x-forwarded-proto",
        b"X-Forwarded-Host",
        b"X-Forwarded-Port",
        b"X-Forwarded-Prefix",
        b"X-Forwarded-User",
        b"X-Forwarded-Client-Cert",
        b"X_Forwarded_For",
        b"X-Forwarded_Host",
        b"X.Forwarded.For",
        b"X-Forwarded",
        b"Forwarded",
        b"X-Real-IP",
        b"X_Real_IP",
        b"X-Request-Id",
        b"True-Client-IP",
        b"CF-Connecting-IP",
    ],
)
@pytest.mark.parametrize("underscores", [False, True])
@pytest.mark.parametrize("nominated", [False, True])
def test_what_a_stranger_claims_is_gone(name: bytes, underscores: bool, nominated: bool) -> None:
    policy = ForwardingPolicy(TrustedNetworks(["10.0.0.0/8"]), forwarded=True, underscores=underscores)
    options = [(b"Connection", name)] if nominated else []
    sent = wire(policy, head((name, b"6.6.6.6"), *options))
    assert b"6.6.6.6" not in sent
    assert b"X-Forwarded-For: 192.0.2.1\r\n" in sent
    assert b"X-Forwarded-Proto: http\r\n" in sent
    assert b"X-Request-ID: id-1\r\n" in sent


def test_underscores_pass_where_that_is_asked_for() -> None:
    request = head((b"X_Custom", b"1"), (b"Content_Length", b"5"))
    assert b"X_Custom" not in wire(PLAIN, request)
    lenient = wire(ForwardingPolicy(underscores=True), request)
    assert b"X_Custom: 1\r\n" in lenient
    assert b"Content_Length" not in lenient


def test_a_trusted_peer_speaks_for_the_client() -> None:
    request = head(
        (b"X-Forwarded-For", b"6.6.6.6, 203.0.113.7"),
        (b"X-Forwarded-Proto", b"https"),
        (b"X-Forwarded-Host", b"shop.example"),
        (b"X-Forwarded-Prefix", b"/shop"),
        (b"X-Real-IP", b"6.6.6.6"),
        (b"X-Request-ID", b"abc-1"),
        (b"Connection", b"X-Forwarded-For, X-Forwarded-Prefix"),
    )
    received = BEHIND.receive(request, FRONT, b"http")
    assert (received.client, received.scheme, received.request_id) == ("203.0.113.7", b"https", b"abc-1")
    fields = received.fields
    assert fields.all(b"x-forwarded-for") == [b"203.0.113.7, 10.0.0.1"]
    assert fields.all(b"x-real-ip") == [b"203.0.113.7"]
    assert fields.all(b"x-forwarded-proto") == [b"https"]
    assert fields.all(b"x-forwarded-host") == [b"shop.example"]
    assert fields.all(b"x-forwarded-port") == [b"443"]
    assert fields.all(b"x-forwarded-prefix") == [b"/shop"]
    assert BEHIND.client_address(FRONT, request.fields) == "203.0.113.7"
    assert BEHIND.client_address(STRANGER, request.fields) == STRANGER


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"X-Forwarded-Proto", b"javascript"),
        (b"X-Forwarded-Host", b"a b"),
        (b"X-Forwarded-Host", b'a"b'),
        (b"X-Forwarded-Port", b"80a"),
        (b"X-Request-ID", b"<script>"),
        (b"X-Request-ID", b"x" * 129),
    ],
)
def test_nonsense_of_a_trusted_peer_is_not_repeated(name: bytes, value: bytes) -> None:
    received = BEHIND.receive(head((name, value)), FRONT, b"http")
    assert value not in [sent for _, sent in received.fields]
    assert received.request_id == b""
    assert received.scheme == b"http"


def test_the_nearest_proxys_scheme_counts() -> None:
    assert BEHIND.receive(head((b"X-Forwarded-Proto", b"https, http")), FRONT, b"https").scheme == b"http"


def test_forwarded_says_the_same_in_the_words_of_rfc_7239() -> None:
    policy = ForwardingPolicy(TrustedNetworks(["10.0.0.0/8"], unix=True), forwarded=True)
    request = head((b"X-Forwarded-For", b"2001:db8::7"), (b"Forwarded", b"for=6.6.6.6"))
    assert told(policy, request, FRONT).all(b"forwarded") == [
        b'for="[2001:db8::7]";proto=http;host="example.com", for=10.0.0.1'
    ]
    assert told(policy, request, "").get(b"forwarded") == (
        b'for="[2001:db8::7]";proto=http;host="example.com", for=unknown'
    )
    assert b"forwarded" not in told(PLAIN, request)


@pytest.mark.parametrize(
    ("host", "scheme", "port"),
    [
        (b"a", b"http", b"80"),
        (b"a", b"https", b"443"),
        (b"a:8443", b"https", b"8443"),
        (b"[2001:db8::1]", b"http", b"80"),
        (b"[2001:db8::1]:81", b"http", b"81"),
        (b"", b"http", b"80"),
    ],
)
def test_the_port_is_the_one_that_the_client_used(host: bytes, scheme: bytes, port: bytes) -> None:
    assert told(PLAIN, head(host=host), scheme=scheme).get(b"x-forwarded-port") == port


def test_a_client_without_address_is_unknown() -> None:
    received = PLAIN.receive(head(), "/run/x.sock", b"http")
    assert received.client == UNKNOWN
    assert received.fields.get(b"x-forwarded-for") == b"unknown"


def test_via_is_added_behind_the_others() -> None:
    fields = told(BEHIND, head((b"Via", b"1.0 fred, 1.1 us-12"), minor=0))
    assert fields.all(b"via") == [b"1.0 fred, 1.1 us-12", b"1.0 us-1"]
    assert b"via" not in told(PLAIN, head())


@pytest.mark.parametrize("line", [b"1.1 us-1", b"1.0 fred, 1.1 us-1 (comment)", b"1.1 a,1.1\tus-1"])
@pytest.mark.parametrize("options", [[], [(b"Connection", b"Via")]])
def test_a_request_that_comes_round_again_is_stopped(line: bytes, options: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(ProxyError) as caught:
        BEHIND.receive(head((b"Via", line), *options), STRANGER, b"http")
    assert caught.value.reason is REQUEST_LOOP


def test_upgrade_and_trailers_are_nominated_anew() -> None:
    request = head((b"Connection", b"Upgrade, TE"), (b"Upgrade", b"h2c, websocket"), (b"TE", b"trailers"))
    received = PLAIN.receive(request, STRANGER, b"http")
    assert received.fields.all(b"upgrade") == [b"websocket"]
    clean = request._replace(fields=received.fields)
    assert b"pgrade" not in PLAIN.block(clean, b"1")
    lines = PLAIN.block(clean, b"1", upgrade=b"websocket").split(b"\r\n")
    assert lines.count(b"TE: trailers") == lines.count(b"Connection: TE") == 1
    assert lines.count(b"Upgrade: websocket") == lines.count(b"Connection: upgrade") == 1


def test_an_expectation_of_http_1_0_is_ignored() -> None:
    expecting = (b"Expect", b"100-continue")
    assert b"expect" in told(PLAIN, head(expecting))
    assert b"expect" not in told(PLAIN, head(expecting, minor=0))


def test_host_is_kept_or_replaced_and_stands_first_exactly_once() -> None:
    request = head((b"X-A", b"1"), (b"Host", b"other"))
    clean = request._replace(fields=told(PLAIN, request))
    for host, expected in ((b"", b"Host: example.com"), (b"app:81", b"Host: app:81")):
        lines = PLAIN.block(clean, b"1", host).split(b"\r\n")
        assert lines[0] == expected
        assert [line for line in lines if line.lower().startswith(b"host:")] == [expected]
        assert b"X-Forwarded-Host: example.com" in lines


def test_gates_have_the_last_word_on_what_we_say() -> None:
    fields = (
        told(PLAIN, head()).without([b"x-real-ip"]).replaced(b"Host", b"inner").added((b"X-Forwarded-Prefix", b"/a"))
    )
    lines = PLAIN.block(head()._replace(fields=fields), b"1").split(b"\r\n")
    assert lines[0] == b"Host: inner"
    assert b"X-Forwarded-Prefix: /a" in lines
    assert not any(line.startswith(b"X-Real-IP") for line in lines)


def test_a_gate_cannot_frame_the_message() -> None:
    fields = Fields([(b"Content-Length", b"5"), (b"transfer-encoding", b"x"), (b"Connection", b"a"), (b"X-A", b"1")])
    assert PLAIN.block(head()._replace(fields=fields), b"1") == b"Host: example.com\r\nX-A: 1\r\nX-Request-ID: 1\r\n"


@pytest.mark.parametrize("bad", [b"a\r\nX: y", b"a\nb", b"a\rb", b"a\0b"])
def test_a_line_end_in_a_field_is_never_written(bad: bytes) -> None:
    for pair in ((b"X-A", bad), (bad, b"1")):
        with pytest.raises(ProxyError) as caught:
            PLAIN.block(head()._replace(fields=Fields([pair])), b"1")
        assert caught.value.reason is INTERNAL


def test_the_request_id_can_be_left_alone() -> None:
    policy = ForwardingPolicy(request_id=b"")
    request = head((b"X-Request-ID", b"theirs"))
    received = policy.receive(request, STRANGER, b"http")
    assert b"X-Request-ID: theirs\r\n" in policy.block(request._replace(fields=received.fields), b"ours")


def test_a_repeated_field_block_is_judged_once() -> None:
    forwarder = Forwarder(BEHIND, STRANGER, b"http")
    first = head((b"X-A", b"1"))
    received = forwarder.receive(first)
    assert forwarder.receive(first._replace(target=b"/other", method=b"PUT")) is received
    again = forwarder.receive(head((b"X-A", b"1")))
    assert again is not received
    assert again.fields == received.fields
    forwarder.receive(first)
    assert forwarder.receive(first._replace(host=b"else.example")).fields.get(b"host") == b"else.example"
    forwarder.receive(first)
    assert forwarder.receive(first._replace(minor=0)).fields.get(b"via") == b"1.0 us-1"


TOKENS = st.from_regex(rb"[A-Za-z_.-]{1,12}", fullmatch=True)
OURS = st.sampled_from([b"X-Forwarded-For", b"X_FORWARDED_PROTO", b"x-real-ip", b"Connection", b"Upgrade", b"TE"])
VALUES = st.from_regex(rb"[!-~]([ -~]{0,10}[!-~])?", fullmatch=True)


@given(st.lists(st.tuples(st.one_of(TOKENS, OURS), VALUES), max_size=12))
def test_whatever_a_stranger_sends_our_word_stands_once(pairs: list[tuple[bytes, bytes]]) -> None:
    request = head(*pairs)
    received = PLAIN.receive(request, STRANGER, b"http")
    assert received.client == STRANGER
    assert received.scheme == b"http"
    lines = PLAIN.block(request._replace(fields=received.fields), b"id-1").split(b"\r\n")
    names = [line.partition(b":")[0].lower() for line in lines[:-1]]
    for name in (b"host", b"x-forwarded-for", b"x-real-ip", b"x-forwarded-proto", b"x-request-id"):
        assert names.count(name) == 1
    assert b"X-Forwarded-For: 192.0.2.1" in lines
    assert not any(b"_" in name for name in names)


def test_a_verified_certificate_is_told_and_a_claimed_one_is_not() -> None:
    claimed = head((b"X-Forwarded-Client-Cert", b"Hash=claimed"), (b"x_forwarded_client_cert", b"Hash=claimed"))
    ours = b'Hash=00;Subject="CN=a"'
    assert b"x-forwarded-client-cert" not in told(PLAIN, claimed)
    assert PLAIN.receive(claimed, STRANGER, b"https", ours).fields.all(b"x-forwarded-client-cert") == [ours]
    behind = BEHIND.receive(claimed, FRONT, b"https", ours).fields.all(b"x-forwarded-client-cert")
    assert behind == [b"Hash=claimed", ours]


def test_a_connection_remembers_its_certificate() -> None:
    forwarder = Forwarder(PLAIN, STRANGER, b"https", b"Hash=00")
    for _ in range(2):
        assert forwarder.receive(head()).fields.get(b"x-forwarded-client-cert") == b"Hash=00"


def test_what_is_said_of_many_clients_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "_WORDS_REMEMBERED", 8)
    policy = ForwardingPolicy()
    for number in range(100):
        host = b"h%d.test" % number
        received = policy.receive(RequestHead(b"GET", b"/", host, 1, Fields([(b"Host", host)])), "192.0.2.1", b"http")
        assert received.fields.get(b"x-forwarded-host") == host
        assert len(policy._words) <= 8
    long = b"h" * 2000
    policy.receive(RequestHead(b"GET", b"/", long, 1, Fields([(b"Host", long)])), "192.0.2.1", b"http")
    assert not any(long in key for key in policy._words)
