"""What is allowed in an upstream and most likely a mistake."""

import pytest

from proxy.config import load_text

ROUTES = "routes: [{upstream: api}]\n"
TWO = "servers: [http://10.0.0.1, http://10.0.0.2]"


def codes(upstream: str, more: str = "") -> list[str]:
    found = load_text(f"{more}upstreams: {{api: {{{upstream}}}}}\n{ROUTES}", "x.yaml", {"KEY": "k" * 32})
    assert not found.errors
    return [problem.code for problem in found.problems]


@pytest.mark.parametrize(
    ("upstream", "code"),
    [
        ("servers: [{url: http://a, weight: 0}]", "weights-zero"),
        ("servers: [{url: http://a, backup: true}, {url: http://b, priority: 3}]", "no-effect"),
        (f"{TWO}, health: {{path: /, interval: 2s, timeout: 2s}}", "slow-probe"),
        ("servers: unix:/run/a.sock, health: {path: /, port: 81}", "no-effect"),
        (f"{TWO}, sticky: srv", "sticky-key"),
        (f"{TWO}, sticky: {{cookie: srv, key: aaaaaaaaaaaaaaaaaaaaaaaa}}", "plain-secret"),
        (f"{TWO}, slow_start: 10s, balance: {{hash: client}}", "no-effect"),
        (f"{TWO}, slow_start: 10s, balance: first_available", "no-effect"),
        ("servers: http://10.0.0.1, retries: {hedge_after: 1s}", "no-effect"),
        (f"{TWO}, connections: 4, idle_connections: 8", "contradiction"),
        ("servers: [http://10.0.0.1, https://api.internal]", "client-host"),
        ("servers: https+srv://_https._tcp.api.internal", "client-host"),
    ],
)
def test_one_doubt(upstream: str, code: str) -> None:
    assert codes(upstream) == [code]


@pytest.mark.parametrize(
    "upstream",
    [
        TWO,
        f"{TWO}, sticky: {{cookie: srv, key: '${{KEY}}'}}",
        "servers: http://api.internal, retries: {hedge_after: 1s}",
        "servers: [{url: http://a}, {url: http://b, backup: true}]",
        "servers: https://api.internal, host: keep",
        "servers: https://api.internal, host: upstream",
        "servers: [https://10.0.0.1, https+unix:/run/api.sock]",
    ],
)
def test_no_doubt(upstream: str) -> None:
    assert codes(upstream) == []


def test_what_stands_in_the_defaults_is_said_once_and_there() -> None:
    text = (
        "defaults: {upstream: {sticky: srv}}\n"
        f"upstreams: {{a: {{{TWO}}}, b: {{{TWO}}}}}\n"
        "routes: [{upstream: a, path: /a}, {upstream: b}]\n"
    )
    [problem] = load_text(text, "x.yaml", {}).problems
    assert (problem.code, problem.line) == ("sticky-key", 1)


def test_a_server_that_a_route_names_itself_has_no_place_for_more() -> None:
    [problem] = load_text("routes:\n  - {upstream: https://api.internal}\n", "x.yaml", {}).problems
    assert (problem.code, problem.line, problem.column) == ("client-host", 2, 16)
    assert problem.hint.startswith("give it a name in `upstreams`; there write `host: upstream`")
    said = load_text("defaults: {upstream: {host: keep}}\nroutes: [{upstream: https://a.test}]\n", "x.yaml", {})
    assert not said.problems


def test_a_branch_twice() -> None:
    text = f"upstreams: {{api: {{{TWO}}}}}\nroutes: [{{split: [api, api]}}]\n"
    assert [problem.code for problem in load_text(text, "x.yaml", {}).problems] == ["duplicate-branch"]
