"""What is known about an exchange when it is over."""

from __future__ import annotations

from proxy.observe import ExchangeRecord


def test_a_record_begins_empty_and_shares_nothing() -> None:
    one, other = ExchangeRecord(1_700_000_000.0, 10.0), ExchangeRecord(1_700_000_000.0, 10.0)
    one.route, one.status, one.reason = "api", 502, "upstream.response.closed"
    assert (other.route, other.status, other.reason) == ("", 0, "")
    assert (other.sent_at, other.head_at, other.ended) == (0.0, 0.0, 0.0), "nothing has happened"


def test_it_took_from_its_first_byte_to_its_end() -> None:
    record = ExchangeRecord(1_700_000_000.0, 10.0)
    record.ended = 12.5
    assert record.seconds == 2.5


def test_the_story_is_in_the_repr() -> None:
    record = ExchangeRecord(0.0, 0.0)
    record.method, record.target, record.status = b"GET", b"/x", 200
    assert repr(record) == "<ExchangeRecord b'GET' b'/x' 200 ok>"
    record.status, record.reason = 502, "upstream.connect.refused"
    assert repr(record) == "<ExchangeRecord b'GET' b'/x' 502 upstream.connect.refused>"
