"""Warnings: each is given where it should be, and not beside it. Their words are in the golden files."""

import pytest

from proxy.config import load_text

UPSTREAM = "upstreams: {api: {servers: http://a}}\n"
REST = "routes:\n  - {respond: 204}\n"


def codes(text: str) -> list[str]:
    loaded = load_text(text, "x.yaml", {"KEY": "k"})
    assert loaded.errors == ()
    return [problem.code for problem in loaded.problems]


def gated(gates: str, path: str = "/v1") -> str:
    return UPSTREAM + f"routes:\n  - {{path: {path}, upstream: api, gates: [{gates}]}}\n"


def with_regex(key: str, pattern: str) -> str:
    return f"routes:\n  - {{{key}: {{regex: '{pattern}'}}, respond: 204}}\n"


@pytest.mark.parametrize(
    ("code", "faulty", "fine"),
    [
        ("unused-upstream", UPSTREAM + REST, UPSTREAM + "routes: [{upstream: api}]\n"),
        (
            "unused-gates",
            "gates: {a: [{add_prefix: /a}]}\n" + REST,
            "gates: {a: [{add_prefix: /a}], b: [a]}\n" + gated("b"),
        ),
        (
            "weights-zero",
            "upstreams: {api: {servers: [{url: http://a, weight: 0}]}}\nroutes: [{upstream: api}]\n",
            "upstreams: {api: {servers: [{url: http://a, weight: 0}, http://b]}}\nroutes: [{upstream: api}]\n",
        ),
        ("regex-backtracking", with_regex("path", "^/(a+)+$"), with_regex("path", "^/(a+)$")),
        ("regex-unanchored", with_regex("path", "/a"), with_regex("path", "^/a")),
        ("regex-unanchored", with_regex("host", "^a"), with_regex("host", "^a$")),
        (
            "no-effect",
            "routes: [{respond: 204, upgrade: false}]\n",
            UPSTREAM + "routes: [{upstream: api, upgrade: false}]\n",
        ),
        ("trusts-everyone", "trusted_proxies: 0.0.0.0/0\n" + REST, "trusted_proxies: 0.0.0.0/1\n" + REST),
        ("contradiction", "timeouts: {tunnel_idle: 1s}\n" + REST, "timeouts: {tunnel_idle: 0}\n" + REST),
        (
            "contradiction",
            UPSTREAM + "routes: [{upstream: api, timeouts: {response_head: 1s}}]\n",
            UPSTREAM + "routes: [{upstream: api, timeouts: {response_head: 1s, connect: 1s}}]\n",
        ),
        ("missing-directory", "routes: [{static: ./nowhere}]\n", "routes: [{static: /}]\n"),
    ],
)
def test_a_warning_and_its_absence(code: str, faulty: str, fine: str) -> None:
    assert codes(faulty) == [code]
    assert codes(fine) == []
