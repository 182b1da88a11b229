"""The headers gate: remove, set, add, in this order, on both heads."""

from __future__ import annotations

from proxy.gates.headers import Edit, headers
from tests.gates.walk import exchange, through


def test_the_request_is_edited_on_its_way_in() -> None:
    request = exchange(b"/", (b"X-Old", b"1"), (b"x-set", b"a"), (b"X-Set", b"b"), (b"X-Add", b"1"))
    edit = Edit(frozenset({b"x-old"}), ((b"X-Set", b"c"),), ((b"X-Add", b"2"),))
    through(headers(edit, Edit()), request)
    fields = request.head.fields
    assert b"x-old" not in fields
    assert fields.all(b"x-set") == [b"c"]
    assert fields.all(b"x-add") == [b"1", b"2"]


def test_the_response_is_edited_on_its_way_out() -> None:
    edit = Edit(frozenset({b"server"}), ((b"X-Frame-Options", b"DENY"),))
    response = through(headers(Edit(), edit), exchange(), (b"Server", b"x"), (b"x-frame-options", b"ALLOW"))
    assert response.head.fields.pairs == ((b"X-Frame-Options", b"DENY"),)
