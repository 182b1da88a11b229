"""Targets that answer by themselves."""

from __future__ import annotations

import pytest

from proxy.message import BytesBody
from proxy.policy.redirect import Redirect
from proxy.resources.answers import RedirectTo, Respond
from tests.gates.walk import ended, exchange
from tests.support.playbook import GET, playing


def test_the_same_response_each_time() -> None:
    respond = Respond(404, b"gone fishing", ((b"X-A", b"1"),))
    for _ in range(2):
        response = ended(respond(exchange()))
        assert (response.head.status, response.head.reason) == (404, b"Not Found")
        assert response.head.fields.pairs == ((b"X-A", b"1"), (b"Content-Type", b"text/plain; charset=utf-8"))
        assert isinstance(response.body, BytesBody)
        assert response.body.data == b"gone fishing"


def test_a_type_that_is_given_is_kept_and_nothing_needs_none() -> None:
    html = Respond(200, b"<p>", ((b"content-TYPE", b"text/html"),))
    assert ended(html(exchange())).head.fields.all(b"content-type") == [b"text/html"]
    assert b"content-type" not in ended(Respond(204)(exchange())).head.fields


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_keeps_what_it_is_told_to_keep(status: int) -> None:
    kept = RedirectTo(Redirect(b"https://example.com/new", status, True, True))
    response = ended(kept(exchange(b"/a/b?c=d")))
    assert response.head.status == status
    assert response.head.fields.pairs == ((b"Location", b"https://example.com/new/a/b?c=d"),)
    bare = RedirectTo(Redirect(b"https://example.com/new", status, False, False))
    assert ended(bare(exchange(b"/a/b?c=d"))).head.fields.get(b"location") == b"https://example.com/new"


def test_answers_go_out_through_the_channel_and_keep_its_connection() -> None:
    with playing(target=Respond(200, b"hello")) as play:
        client = play.client()
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\n"
        client.says(GET + b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
        client.hears(answer + b"hello" + answer + answer + b"hello")
        play.no_server()
