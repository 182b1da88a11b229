"""The control site as whoever asks it sees it: who may read, who may change, and what is refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from proxy.admin.control import Refused, control_site
from tests.support.ends import End

TOKEN = b"0123456789abcdef"


class Proxy:
    """Something to control."""

    def __init__(self) -> None:
        self.slow: Deferred[Any] = Deferred()
        self.asked: list[Any] = []

    def status(self) -> Any:
        return {"state": "serving"}

    async def config(self) -> Any:
        return orjson.Fragment(b'{"listen":[]}')

    async def explain(self, question: Any) -> Any:
        self.asked.append(question)
        raise Refused(400, {"error": "no question"})

    async def plan(self, new: Any) -> Any:
        self.asked.append(new)
        return {"changes": []}

    async def reload(self) -> Any:
        return await self.slow

    def drain(self, asked: Any) -> Any:
        return {}

    def reopen(self) -> Any:
        return {}

    async def renew(self, wish: Any) -> Any:
        self.asked.append(wish)
        return {"certificates": []}


class Street:
    def __init__(self, *, unix: bool = False, token: bytes | None = TOKEN) -> None:
        self.clock = Clock()
        self.proxy = Proxy()
        self.site = control_site(self.proxy, self.clock, unix=unix, token=token)
        self.end = End(self.clock, IPv4Address("TCP", "127.0.0.1", 50000))

    def ask(self, line: str, *fields: str, body: bytes = b"", host: str = "localhost:9180") -> tuple[int, Any]:
        """The status and the value of the answer."""
        self.says(line, *fields, body=body, host=host)
        return self.hears()

    def says(self, line: str, *fields: str, body: bytes = b"", host: str = "localhost:9180") -> None:
        address = IPv4Address("TCP", "127.0.0.1", 50000)
        self.end = End(self.clock, address)
        self.end.joins(self.site.buildProtocol(address))
        lines = [f"{line} HTTP/1.1", f"Host: {host}", *fields]
        if body:
            lines += [f"Content-Length: {len(body)}"]
        self.end.says("\r\n".join([*lines, "", ""]).encode() + body)

    def hears(self) -> tuple[int, Any]:
        self.clock.advance(0)
        head, _, raw = self.end.takes_raw().partition(b"\r\n\r\n")
        assert b"\r\nCache-Control: no-store" in head
        if b"chunked" in head:
            raw = raw.partition(b"\r\n")[2].rpartition(b"\r\n0\r\n")[0]
        return int(head.split()[1]), orjson.loads(raw)


JSON = "Content-Type: application/json"
BEARER = f"Authorization: Bearer {TOKEN.decode()}"


def test_everybody_who_gets_here_may_read() -> None:
    street = Street()
    assert street.ask("GET /status") == (200, {"state": "serving"})
    assert street.ask("GET /config") == (200, {"listen": []})
    assert street.ask("POST /plan", JSON, body=b'{"listen":[]}') == (200, {"changes": []})
    assert street.proxy.asked == [{"listen": []}]


def test_a_refusal_has_a_status_and_a_reason() -> None:
    assert Street().ask("POST /explain", JSON, body=b"1") == (400, {"error": "no question"})


@pytest.mark.parametrize("page", ["reload", "reopen", "drain", "acme/renew"])
@pytest.mark.parametrize(
    ("unix", "token", "fields", "status"),
    [
        (False, TOKEN, (BEARER,), 200),
        (False, TOKEN, (), 401),
        (False, TOKEN, ("Authorization: Bearer wrong",), 401),
        (False, None, ("Authorization: Bearer ",), 401),
        (True, None, (), 200),
    ],
)
def test_changing_needs_the_socket_or_the_token(
    page: str, unix: bool, token: bytes | None, fields: tuple[str, ...], status: int
) -> None:
    street = Street(unix=unix, token=token)
    street.proxy.slow.callback({})
    assert street.ask(f"POST /{page}", JSON, *fields, body=b"{}")[0] == status


def test_an_answer_may_take_its_time_and_may_be_a_refusal() -> None:
    street = Street(unix=True)
    street.says("POST /reload", JSON, body=b"{}")
    street.end.hears_nothing()
    street.proxy.slow.errback(Refused(409, {"problems": []}))
    assert street.hears() == (409, {"problems": []})


def test_whoever_does_not_wait_for_it_does_no_harm() -> None:
    street = Street(unix=True)
    street.says("POST /reload", JSON, body=b"{}")
    street.end.leaves()
    street.proxy.slow.callback({})
    street.end.hears_nothing()


def test_a_failure_is_told_without_its_insides() -> None:
    street = Street(unix=True)
    street.says("POST /reload", JSON, body=b"{}")
    street.proxy.slow.errback(RuntimeError("secret"))
    status, said = street.hears()
    assert status == 500
    assert "secret" not in str(said)


@pytest.mark.parametrize(
    ("line", "fields", "body", "status"),
    [
        ("GET /reload", (BEARER,), b"", 405),
        ("POST /status", (JSON,), b"{}", 405),
        ("POST /plan", (), b"{}", 415),
        ("POST /plan", ("Content-Type: application/x-www-form-urlencoded",), b"a=b", 415),
        ("POST /plan", (JSON,), b"{", 400),
    ],
)
def test_what_is_no_question(line: str, fields: tuple[str, ...], body: bytes, status: int) -> None:
    assert Street().ask(line, *fields, body=body)[0] == status


@pytest.mark.parametrize("line", ["GET /", "GET /status/x", "GET /status/x/y", "POST /acme", "GET /acme/x/y", "GET /x"])
def test_where_nothing_is_the_answer_is_json_as_well(line: str) -> None:
    assert Street().ask(line, JSON) == (404, {"error": "there is no such page"})
    assert Street().ask(line, JSON, host="evil.example")[0] == 421


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:9180", 200),
        ("[::1]:9180", 200),
        ("[::1]", 200),
        ("127.0.0.2:9180", 200),
        ("localhost.:9180", 200),
        ("LOCALHOST.", 200),
        ("127.0.0.1.", 200),
        ("192.0.2.1:9180", 421),
        ("", 421),
        ("evil.example", 421),
        ("localhost.evil.example:9180", 421),
    ],
)
def test_a_name_that_leads_here_is_not_ours(host: str, status: int) -> None:
    """A page of evil.example whose name is changed to 127.0.0.1 while it is open would reach us."""
    assert Street().ask("GET /status", host=host)[0] == status
