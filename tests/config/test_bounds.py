"""Deadlines and limits, and who may change them."""

import pytest
from pydantic import ValidationError

from proxy import limits
from proxy.config.bounds import Limits, RouteLimits, RouteTimeouts, Timeouts, UpstreamTimeouts


def test_the_defaults_are_those_of_the_page_of_limits() -> None:
    assert Timeouts().response_head == limits.RESPONSE_HEAD_SECONDS
    assert Limits().body == limits.REQUEST_BODY_BYTES
    assert RouteLimits().body is None


def test_what_is_set_comes_first_and_zero_is_set() -> None:
    general = Timeouts.model_validate({"connect": "2s", "response_head": "20s"})
    upstream = UpstreamTimeouts.model_validate({"response_head": "30s"})
    route = RouteTimeouts.model_validate({"response_idle": 0})
    merged = general.overlaid(upstream).overlaid(route)
    assert (merged.connect, merged.response_head, merged.response_idle) == (2.0, 30.0, 0.0)
    assert merged.tunnel_idle == limits.TUNNEL_IDLE_SECONDS
    assert general.overlaid(RouteTimeouts()) is general


@pytest.mark.parametrize("who", ["general", "upstream", "route"])
def test_streams_have_no_deadline_unless_somebody_says_so(who: str) -> None:
    said = {name: {"response_idle": "20s"} if name == who else {} for name in ("general", "upstream", "route")}
    general = Timeouts.model_validate(said["general"])
    upstream, route = UpstreamTimeouts.model_validate(said["upstream"]), RouteTimeouts.model_validate(said["route"])
    assert general.overlaid(upstream).overlaid(route).stream_idle == 20.0
    assert Timeouts().overlaid(RouteTimeouts.model_validate({"connect": "1s"})).stream_idle == 0.0


def test_what_routes_and_upstreams_may_set_exists() -> None:
    assert set(RouteTimeouts.model_fields) < set(Timeouts.model_fields)
    assert set(UpstreamTimeouts.model_fields) < set(Timeouts.model_fields)
    assert set(RouteLimits.model_fields) < set(Limits.model_fields)


@pytest.mark.parametrize("faulty", [{"head": "1KiB", "line": "2KiB"}, {"head": "2MiB"}, {"line": "1B"}, {"fields": 0}])
def test_limits_that_cannot_be(faulty: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Limits.model_validate(faulty)
