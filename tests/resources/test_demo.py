"""The demo pages: what a first visitor sees."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from proxy.resources.demo import ROUTE_FIELD, demo_site
from proxy.resources.foreign import Mounted
from tests.support.playbook import playing


def visited(*lines: bytes, number: int = 1, target: bytes = b"/") -> bytes:
    """The page of demo server `number`."""
    reactor: Any = Clock()
    page = demo_site(number, reactor).resource
    with playing(target=Mounted(page)) as play:
        client = play.client()
        client.says(b"\r\n".join((b"GET %b HTTP/1.1" % target, b"Host: a", *lines, b"", b"")))
        return client.takes()


def test_a_terminal_gets_text_that_names_the_server_and_what_it_received() -> None:
    page = visited(b"X-Hello: there", number=2, target=b"/x?y")
    assert b"Content-Type: text/plain" in page
    assert b"X-Served-By: demo-2\r\n" in page
    assert b"Answered by demo-2, request number 1." in page
    assert b"GET /x?y\n" in page
    assert b"X-Hello: there\n" in page


def test_a_browser_gets_a_page() -> None:
    page = visited(b"Accept: text/html", ROUTE_FIELD + b": welcome")
    assert b"Content-Type: text/html" in page
    assert b"<code>welcome</code>" in page


def test_nothing_that_a_visitor_sends_becomes_markup() -> None:
    page = visited(b"Accept: text/html", b"X-A: <script>", ROUTE_FIELD + b": <b>", target=b"/%3Ci%3E")
    assert b"<script>" not in page
    assert b"&lt;script&gt;" in page
    assert b"<b>" not in page
