"""What has fooled others, by its name: each advisory that speaks of HTTP/1.1 as a conversation with this proxy.

`docs/security.md` lists them all, with those that cannot apply, and names the tests.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from proxy.errors import REASONS
from tests.sockets.stage import OK, Stage, eventually, logged
from tests.support.origin import OriginConnection, answering
from tests.support.ports import LOOPBACK
from tests.support.proxy import RunningProxy

HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def proxy(serve: Callable[..., RunningProxy], stage: Stage) -> RunningProxy:
    return serve(
        f"""
        upstreams:
          stage: {{servers: ["http://{LOOPBACK}:{stage.port}"]}}
        routes:
          - {{path: /, upstream: stage, upgrade: [echo, websocket]}}
          - {{host: only.test, path: /only, respond: {{status: 403}}}}
          - {{path: /moved, redirect: {{to: https://new.test/, keep_path: true, keep_query: true}}}}
          - {{path: /rewrite, upstream: stage, gates: [{{rewrite: {{regex: "^/rewrite/(.*)", replace: "/in/\\\\1"}}}}]}}
        timeouts: {{request_head: 600ms, write_stall: 1s}}
        """
    )


def get(*lines: bytes, start: bytes = b"GET /t HTTP/1.1", body: bytes = b"") -> bytes:
    return b"\r\n".join((start, b"Host: a", *lines, b"", body))


def post(*lines: bytes, body: bytes) -> bytes:
    return get(*lines, start=b"POST /t HTTP/1.1", body=body)


def chunks(body: bytes) -> bytes:
    return post(CHUNKED, body=body)


REFUSED: dict[str, tuple[int, bytes]] = {
    # twisted.web
    "CVE-2019-12387 CR LF in the target": (400, get(start=b"GET /t\r\nX: y HTTP/1.1")),
    "CVE-2019-12387 space in the target": (400, get(start=b"GET /t t HTTP/1.1")),
    "CVE-2019-12387 CR in the method": (400, get(start=b"GE\rT /t HTTP/1.1")),
    "CVE-2020-10108 two lengths": (400, post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello")),
    "CVE-2020-10109 length, then chunked": (400, post(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n" + HIDDEN)),
    "CVE-2020-10109 chunked, then length": (400, post(CHUNKED, b"Content-Length: 5", body=b"0\r\n\r\n" + HIDDEN)),
    "CVE-2020-10109 identity": (501, post(b"Transfer-Encoding: identity", b"X: y", body=HIDDEN)),
    "CVE-2022-24801 plus sign": (400, post(b"Content-Length: +5", body=b"hello")),
    "CVE-2022-24801 hexadecimal chunk size": (400, chunks(b"0x5\r\nhello\r\n0\r\n\r\n")),
    "CVE-2022-24801 LF in a chunk extension": (400, chunks(b"5;x\ny\r\nhello\r\n0\r\n\r\n")),
    "CVE-2022-24801 other white space": (400, post(b"Content-Length: \x0b5", body=b"hello")),
    "twisted gh#12191 name that is no token": (400, get(b"X(Y): z")),
    "twisted gh#12228 NUL in a value": (400, get(b"X: y\0z")),
    "twisted gh#12235 space before the colon": (400, get(b"X : y")),
    "twisted gh#12754 bare LF in a value": (400, get(b"Foo: x\nContent-Length: 39", body=HIDDEN)),
    # proxies and servers
    "GHSA-3ccp-42pg-hgv6 CONNECT": (501, b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhello"),
    "CVE-2026-2835 coding in HTTP/1.0": (400, get(CHUNKED, start=b"POST /t HTTP/1.0", body=b"0\r\n\r\n" + HIDDEN)),
    "CVE-2026-2835 several codings": (400, post(CHUNKED, b"Transfer-Encoding: x", body=b"0\r\n\r\n")),
    "CVE-2026-66752 coding that is not exactly chunked": (501, post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n")),
    "CVE-2026-32239 negative length": (400, post(b"Content-Length: -1", body=HIDDEN)),
    "CVE-2026-32240 overflowing chunk size": (400, chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n")),
    "CVE-2025-55315 LF ends a chunk line": (400, chunks(b"5;x\nhello\r\n0\r\n\r\n")),
    "CVE-2025-43859 bytes after a chunk": (400, chunks(b"5\r\nhelloXX0\r\n\r\n")),
    "CVE-2025-22871 bare LF after a chunk size": (400, chunks(b"5\nhello\r\n0\r\n\r\n")),
    "CVE-2025-58056 CR in a chunk extension": (400, chunks(b"5;\rx\r\nhello\r\n0\r\n\r\n")),
    "CVE-2026-24880 bytes missing after a chunk": (400, chunks(b"5\r\nhello0\r\n\r\n")),
    "CVE-2023-39326 endless chunk extensions": (400, chunks(b"1;" + b"x" * 200_000 + b"\r\nh\r\n0\r\n\r\n")),
    "CVE-2024-22019 many chunk extensions": (400, chunks((b"1;" + b"x" * 200 + b"\r\nh\r\n") * 200)),
    "CVE-2023-47627 underscore in a length": (400, post(b"Content-Length: 0_5", body=b"hello")),
    "CVE-2024-52304 line end in a chunk size": (400, chunks(b"5\n\r\nhello\r\n0\r\n\r\n")),
    "CVE-2025-53643 trailers that are no fields": (400, chunks(b"5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n")),
    "CVE-2024-1135 coding that is not chunked at its end": (400, post(b"Transfer-Encoding: chunked,gzip", body=HIDDEN)),
    "CVE-2024-6827 unknown coding": (501, post(b"Transfer-Encoding: nested", body=HIDDEN)),
    "CVE-2021-29492 encoded slash and dots": (400, get(start=b"GET /x%2f..%2fonly HTTP/1.1")),
    "CVE-2021-32779 fragment": (400, get(start=b"GET /t#/../only HTTP/1.1")),
    "CVE-2019-18277 vertical tab before chunked": (400, post(b"Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n")),
    "CVE-2021-33193 space in the method": (400, get(start=b"GET / /t HTTP/1.1")),
    "CVE-2022-32213 malformed coding": (501, post(b"Transfer-Encoding: chunkedchunked", body=b"0\r\n\r\n")),
    "CVE-2022-32214 LF ends a field line": (400, get(b"X: y\nZ: w")),
    "CVE-2022-32215 coding over two lines": (400, post(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n")),
    "CVE-2021-40346 field name of 70 KiB": (431, get(b"X" * 70_000 + b": y")),
    "study: HTTP/1.1 without Host": (400, b"GET /t HTTP/1.1\r\n\r\n"),
    "study: two Host fields": (400, get(b"Host: b")),
    "study: DEL in the target": (400, get(start=b"GET /t\x7f HTTP/1.1")),
    "study: 8-bit byte in the target": (400, get(start=b"GET /t\xff HTTP/1.1")),
    "haproxy 2026-04-29 comma in Host": (400, b"GET /t HTTP/1.1\r\nHost: a,b\r\n\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("advisory", REFUSED)
def test_a_request_that_fooled_others_is_refused(proxy: RunningProxy, stage: Stage, advisory: str) -> None:
    status, raw = REFUSED[advisory]
    stage.play(answering(OK))
    with proxy.connect() as client:
        client.send(raw)
        answer = client.read_answer()
        assert answer.status == status, answer
        if b"client.request.path" not in answer.body:  # which is about a request that was read without doubt
            assert answer.field(b"connection") == b"close"
            assert client.is_closed()
    assert b"/smuggled" not in stage.received
    assert not re.search(rb"\r\n0\r\n\r\n|Content-Length: 5\r\n\r\nhello", stage.received), (
        "the origin has a whole request"
    )


class Passed(NamedTuple):
    """A request that goes on: what must be in what the server gets, and what must not."""

    raw: bytes
    has: tuple[bytes, ...] = ()
    lacks: tuple[bytes, ...] = ()


FORWARDED: dict[str, Passed] = {
    "CVE-2016-1000111 httpoxy": Passed(get(b"Proxy: http://evil"), lacks=(b"evil",)),
    "CVE-2026-29057 DELETE with chunks": Passed(
        get(CHUNKED, start=b"DELETE /t HTTP/1.1", body=b"5\r\nhello\r\n0\r\n\r\n"),
        (b"\r\nTransfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        (b"Content-Length",),
    ),
    "CVE-2026-29057 OPTIONS with chunks": Passed(
        get(CHUNKED, start=b"OPTIONS /t HTTP/1.1", body=b"5\r\nhello\r\n0\r\n\r\n"),
        (b"5\r\nhello\r\n0\r\n\r\n",),
        (b"Content-Length",),
    ),
    "CL.0 a body of GET is a body": Passed(
        get(b"Content-Length: %d" % len(HIDDEN), body=HIDDEN), (b"\r\nContent-Length: 35\r\n", b"\r\n\r\n" + HIDDEN)
    ),
    "TE.0 chunks of HEAD are a body": Passed(
        get(CHUNKED, start=b"HEAD /t HTTP/1.1", body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)),
        (b"\r\nTransfer-Encoding: chunked\r\n", b"23\r\n" + HIDDEN),
    ),
    "CVE-2025-55315 chunk extensions end here": Passed(
        chunks(b'5;x="y"\r\nhello\r\n0;z\r\n\r\n'), (b"\r\n5\r\nhello\r\n0\r\n\r\n",), (b";",)
    ),
    "CVE-2022-31813 Connection names what the proxy says": Passed(
        get(b"Connection: close, X-Forwarded-For, X-Real-IP, Host, Via, X-Request-ID"),
        (b"\r\nX-Forwarded-For: 127.0.0.1\r\n", b"\r\nX-Real-IP: 127.0.0.1\r\n", b"\r\nHost: a\r\n", b"\r\nVia: ",
         b"\r\nX-Request-ID: "),
    ),
    "CVE-2024-45410 Connection names X-Forwarded": Passed(
        get(b"Connection: X-Forwarded-Proto, X-Forwarded-Host"),
        (b"\r\nX-Forwarded-Proto: http\r\n", b"\r\nX-Forwarded-Host: a\r\n"),
    ),
    "CVE-2026-39858 aliases of X-Forwarded": Passed(
        get(b"X_Forwarded_For: evil", b"X-Forwarded_Proto: evil", b"X_Real_Ip: evil", b"X.Forwarded.For: evil"),
        lacks=(b"evil",),
    ),
    "CVE-2026-35051 X-Forwarded-Prefix of a stranger": Passed(get(b"X-Forwarded-Prefix: /evil"), lacks=(b"evil",)),
    "Connection: Host (2019)": Passed(get(b"Connection: Host"), (b"\r\nHost: a\r\n",)),
    "CVE-2026-58055 upgrade with a body": Passed(
        get(b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),
        (b"\r\nContent-Length: 35\r\n", b"\r\n\r\n" + HIDDEN),
        (b"Upgrade",),
    ),
    "CVE-2026-88008 h2c": Passed(
        get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
        lacks=(b"h2c", b"HTTP2-Settings", b"Upgrade"),
    ),
    "CVE-2023-25690 encoded line end through a rewrite": Passed(
        get(start=b"GET /rewrite/x%20HTTP/1.1%0d%0aX:%20y HTTP/1.1"),
        (b"GET /in/x%20HTTP/1.1%0D%0AX:%20y HTTP/1.1\r\n",),
        (b"\r\nX: y",),
    ),
    "CVE-2026-39825 odd query goes on as it came": Passed(
        get(start=b"GET /t?a=1;b=2&&a=%zz&=c&a[]=1 HTTP/1.1"), (b"GET /t?a=1;b=2&&a=%zz&=c&a[]=1 HTTP/1.1\r\n",)
    ),
    "CVE-2017-7529 ranges go on as they came": Passed(
        get(b"Range: bytes=-17208,-9223372036854758792"), (b"\r\nRange: bytes=-17208,-9223372036854758792\r\n",)
    ),
    "CVE-2011-3192 overlapping ranges go on as they came": Passed(
        get(b"Range: bytes=0-" + b",0-1" * 500), (b",0-1" * 500,)
    ),
    "CVE-2024-35296 invalid Accept-Encoding goes on as it came": Passed(
        get(b"Accept-Encoding: \xff;q=x,,"), (b"\r\nAccept-Encoding: \xff;q=x,,\r\n",)
    ),
}  # fmt: skip


@pytest.mark.parametrize("advisory", FORWARDED)
def test_a_request_that_fooled_others_goes_on_unharmed(proxy: RunningProxy, stage: Stage, advisory: str) -> None:
    raw, has, lacks = FORWARDED[advisory]

    def converse(connection: OriginConnection) -> None:
        connection.read_head()
        time.sleep(0.05)
        connection.socket.settimeout(0.05)
        try:
            connection.read_exactly(100_000)
        finally:
            connection.send(OK)

    def patient(connection: OriginConnection) -> None:
        try:
            converse(connection)
        except TimeoutError:
            return

    stage.play(patient)
    with proxy.connect() as client:
        client.send(raw)
        assert client.read_answer(raw.split()[0]).status == 200
    for piece in has:
        assert piece in stage.received
    for piece in lacks:
        assert piece.lower() not in stage.received.lower()
    assert len(stage.connections) == 1


BAD_RESPONSES: dict[str, bytes] = {
    "CVE-2023-38709 LF in a value": b"HTTP/1.1 200 OK\r\nX: y\nSet-Cookie: evil\r\nContent-Length: 0\r\n\r\n",
    "CVE-2024-24795 CR in a value": b"HTTP/1.1 200 OK\r\nX: y\rSet-Cookie: evil\r\nContent-Length: 0\r\n\r\n",
    "CVE-2026-34520 control characters in a head": b"HTTP/1.1 200 OK\r\nX: \x01\r\nContent-Length: 0\r\n\r\n",
    "CVE-2026-34520 NUL in a reason": b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n",
    "CVE-2024-34364 endless head": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "length and chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("advisory", BAD_RESPONSES)
def test_a_response_that_fooled_others_is_a_502(proxy: RunningProxy, stage: Stage, advisory: str) -> None:
    stage.play(answering(BAD_RESPONSES[advisory]))
    with proxy.connect() as client:
        answer = client.get(b"/response")
    assert answer.status == 502
    assert b"evil" not in answer.body


def test_cve_2024_34364_endless_trailers(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 20_000))
    with proxy.connect() as client:
        client.send(get(b"Connection: close", start=b"GET /trailers HTTP/1.1"))
        seen = client.read_until_close()
    # Cut, or told before its head was passed on; never ended as if it were whole.
    assert seen.startswith(b"HTTP/1.1 502 ") or not seen.endswith(b"0\r\n\r\n")
    assert logged(proxy, "/trailers")["reason"] == "upstream.response.invalid"


def test_cve_2022_21712_redirects_are_not_followed(proxy: RunningProxy, stage: Stage) -> None:
    """So no cookie and no credential ever goes to another server than the one it was sent to."""
    stage.play(answering(b"HTTP/1.1 302 Found\r\nLocation: http://other.test/\r\nContent-Length: 0\r\n\r\n"))
    with proxy.connect() as client:
        answer = client.get(b"/t", b"Cookie: secret", b"Authorization: secret")
    assert (answer.status, answer.field(b"location")) == (302, b"http://other.test/")
    assert stage.received.count(b"secret") == 2


@pytest.mark.parametrize("accept", [b"text/html", b"application/json", b"*/*"])
def test_cve_2022_39348_error_pages_show_nothing_of_the_request(
    proxy: RunningProxy, stage: Stage, accept: bytes
) -> None:
    stage.play(lambda connection: connection.read_head() and None)
    mark = b"evil"
    with proxy.connect() as client:
        answer = client.get(
            b"/%b?%b='" % (mark, mark),
            b"Host: %b" % mark,
            b"Accept: " + accept,
            b"X: <%b>" % mark,
            b"X-Request-ID: " + mark,
        )
    assert answer.status == 502
    assert mark not in answer.body
    assert mark not in b"".join(value for _, value in answer.fields)


def test_cve_2024_41810_redirects_have_no_body_to_inject_into(proxy: RunningProxy) -> None:
    with proxy.connect() as client:
        answer = client.get(b"/moved/x?y='%3Cscript%3E")
        assert (answer.status, answer.body) == (307, b"")
        assert answer.field(b"location") == b"https://new.test/moved/x?y='%3Cscript%3E"
        assert client.get(b"/moved/x%0d%0aX:y").field(b"x") is None


def test_cve_2023_46137_pipelined_answers_keep_their_order_when_the_first_is_slow(
    proxy: RunningProxy, stage: Stage
) -> None:
    def converse(connection: OriginConnection) -> None:
        while head := connection.read_head():
            time.sleep(0.2 if b"/slow" in head else 0)
            target = head.split()[1]
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target))

    stage.play(converse)
    with proxy.connect() as client:
        client.send(get(start=b"GET /slow HTTP/1.1") + get(start=b"GET /quick HTTP/1.1"))
        assert [client.read_answer().body for _ in range(2)] == [b"/slow", b"/quick"]


def test_cve_2024_41671_pipelined_answers_keep_their_order_when_a_client_leaves(
    proxy: RunningProxy, stage: Stage
) -> None:
    stage.play(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    with proxy.connect() as client:
        client.send(get(start=b"GET /leaving HTTP/1.1") * 50)
        assert client.read_answer().body == b"ok"
        client.reset()
    with proxy.connect() as client:
        assert client.get(b"/staying").body == b"ok"


def test_cve_2025_4366_an_unread_body_ends_the_connection(proxy: RunningProxy, stage: Stage) -> None:
    """Answered without reading the body: what is left of it must not become a request."""
    stage.play(answering(OK))
    with proxy.connect() as client:
        client.send(get(b"Content-Length: 1000", start=b"POST /moved HTTP/1.1"))
        answer = client.read_answer()
        assert (answer.status, answer.field(b"connection")) == (307, b"close")
        client.send(HIDDEN)
        assert client.is_closed()
    assert not stage.connections


def test_cve_2024_24791_a_final_status_instead_of_100_ends_the_servers_connection(
    proxy: RunningProxy, stage: Stage
) -> None:
    stage.play(answering(OK))
    with proxy.connect() as client:
        client.send(get(b"Expect: 100-continue", b"Content-Length: 5", start=b"POST /t HTTP/1.1"))
        assert client.read_answer().status == 200
    with proxy.connect() as client:
        assert client.get(b"/next").body == b"ok"
    assert len(stage.connections) == 2
    assert b"/next" in stage.connections[1].received


@pytest.mark.parametrize("expect", [b"100-continue", b"100-CONTINUE", b"y 100-continue", b"x"])
def test_0_cl_no_expectation_changes_where_a_body_ends(proxy: RunningProxy, stage: Stage, expect: bytes) -> None:
    stage.play(answering(OK))
    with proxy.connect() as client:
        client.send(get(b"Expect: " + expect, b"Content-Length: %d" % len(HIDDEN), body=HIDDEN))
        assert client.read_answer().status in (200, 417)
    assert not re.search(rb"(?<!\r\n\r\n)GET /smuggled", stage.received)


def test_cve_2026_27587_hosts_and_paths_have_one_spelling(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(answering(OK))
    with proxy.connect() as client:
        for host in (b"only.test", b"ONLY.test", b"only.test.", b"only.test:80", b"Only.Test.:8080"):
            for path in (b"/only", b"/%6fnly", b"/x/../only", b"//only", b"/./only/", b"/%6F%6E%6C%79/x"):
                assert client.get(path, b"Host: " + host).status == 403, (host, path)
        assert client.get(b"http://ONLY.test/only", b"Host: only.test").status == 403
    assert not stage.received


def test_cve_2007_6750_slow_heads_are_cut(proxy: RunningProxy) -> None:
    began = time.monotonic()
    clients = [proxy.connect() for _ in range(30)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
    for client in clients:
        assert client.read_answer().status == 408
        client.close()
    assert time.monotonic() - began < 3


def test_websocket_smuggling_2019_a_bad_handshake_opens_no_tunnel(proxy: RunningProxy, stage: Stage) -> None:
    """The server refuses the version; the proxy must not believe that a tunnel was opened."""
    stage.play(answering(b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n"))
    with proxy.connect() as client:
        client.send(get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 777"))
        assert client.read_answer().status == 426
        client.send(get(start=b"GET /only HTTP/1.1").replace(b"Host: a", b"Host: only.test"))
        assert client.read_answer().status == 403
    assert b"/only" not in stage.received


def test_ghsa_mfx4_hv73_q22v_bytes_behind_an_upgrade_wait_for_the_answer(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(answering(OK))
    with proxy.connect() as client:
        client.send(get(b"Connection: Upgrade", b"Upgrade: websocket") + HIDDEN.replace(b"Host: a", b"Host: only.test"))
        assert client.read_answer().status == 200
        assert client.read_answer().status == 200
    heads = stage.received.split(b"\r\n\r\n")
    eventually(lambda: len(heads) == 3)
    assert heads[1].startswith(b"GET /smuggled"), "an honest second request, with everything that the proxy says"
    assert b"X-Forwarded-For" in heads[1]


def test_head_desync_a_body_that_answers_head_answers_nobody_else(proxy: RunningProxy, stage: Stage) -> None:
    stage.play(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"))
    with proxy.connect() as client:
        assert client.request(b"HEAD", b"/t").status == 200
        assert client.request(b"HEAD", b"/t").status == 200
    assert len(stage.connections) == 2


def test_the_page_about_security_names_tests_that_exist() -> None:
    root = Path(__file__).resolve().parents[2]
    page = (root / "docs" / "security.md").read_text()
    written = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 20
    assert {name for name in named if f"def {name}(" not in written} == set()
    cases = {*REFUSED, *FORWARDED, *BAD_RESPONSES}
    quoted = {" ".join(name.split()) for name in re.findall(r'"([^"`|]{8,}?)"', page.partition("## Advisories")[2])}
    assert quoted - cases == set()
    assert {case for case in cases - quoted if re.match(r"CVE|GHSA|twisted|study", case)} == set()
    for file in re.findall(r"`((?:tests|proxy)/[\w/]+\.py)`", page):
        assert (root / file).exists(), file
    for reason in re.findall(r"`((?:client|upstream|limit|route)\.[\w.]+)`", page):
        assert reason in REASONS, reason
