"""The words for what goes wrong: each is whole, and the page about them says the same."""

from __future__ import annotations

import pickle
import re

import pytest

from proxy import errors
from proxy.errors import CONNECT_REFUSED, REASONS, ROUTE_NONE, ProxyError, Reason, Retry
from tests.support.reasons import PAGE, page

# RFC 9209 section 2.3.
KINDS = re.compile(
    r"dns_(timeout|error)|destination_(not_found|unavailable|ip_prohibited|ip_unroutable)"
    r"|connection_(refused|terminated|timeout|read_timeout|write_timeout|limit_reached)"
    r"|tls_(protocol_error|certificate_error|alert_received)|http_request_(error|denied)"
    r"|http_response_(incomplete|header_(section_)?size|body_size|trailer_(section_)?size|transfer_coding|content_coding)"
    r"|http_(response_timeout|upgrade_failed|protocol_error)|proxy_internal_(response|error)"
    r"|proxy_(configuration_error|loop_detected)"
)


@pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS)
def test_a_reason_is_whole(reason: Reason) -> None:
    assert re.fullmatch(r"[a-z]+(\.[a-z_]+)+", reason.code)
    assert reason.status == 0 or 200 <= reason.status <= 599
    assert KINDS.fullmatch(reason.kind)
    assert re.fullmatch(r"[A-Z].*\.", reason.words), "a sentence"
    assert reason.words.isascii()


def test_no_two_reasons_have_one_code() -> None:
    made = [value for value in vars(errors).values() if isinstance(value, Reason)]
    assert len(made) == len(REASONS)


def test_the_page_about_reasons_is_what_the_table_says() -> None:
    assert PAGE.read_text("utf-8") == page(), "write it anew: python -m tests.support.reasons"


def test_an_error_tells_the_log_what_happened_and_else_what_its_reason_means() -> None:
    assert str(ProxyError(CONNECT_REFUSED, "10.0.0.1:80")) == "upstream.connect.refused: 10.0.0.1:80"
    assert str(ProxyError(ROUTE_NONE)) == "route.none: No route matches this host and path."


def test_an_error_is_not_tried_again_unless_it_says_so() -> None:
    assert ProxyError(ROUTE_NONE).retry is Retry.NEVER


def test_only_what_a_server_did_speaks_against_it() -> None:
    against = {reason.code for reason in REASONS.values() if ProxyError(reason).of_server}
    assert against == {
        *("upstream.connect.refused", "upstream.connect.timeout", "upstream.connect.failed"),
        *("upstream.tls.untrusted", "upstream.tls.name", "upstream.tls.expired", "upstream.tls.revoked"),
        *("upstream.tls.handshake", "upstream.response.timeout", "upstream.response.idle"),
        *("upstream.response.closed", "upstream.response.truncated", "upstream.response.invalid"),
        *("upstream.response.head_too_large", "upstream.response.upgrade"),
    }


def test_an_error_travels_whole() -> None:
    # A worker process, or a pickled failure in a log, must not turn it into something else.
    error = pickle.loads(pickle.dumps(ProxyError(CONNECT_REFUSED, "x", Retry.UNSENT)))
    assert (error.reason, error.detail, error.retry) == (CONNECT_REFUSED, "x", Retry.UNSENT)
