"""Names that lead nowhere, and names that are given twice: found even beside other faults."""

import pytest

from proxy.config import load_text


def codes(text: str) -> list[str]:
    return [problem.code for problem in load_text(text, "x.yaml", {}).errors]


UPSTREAM = "upstreams: {api: {servers: http://a}}\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("routes: [{upstream: api}]\n", "unknown-upstream"),
        (UPSTREAM + "routes: [{upstream: apo}]\n", "unknown-upstream"),
        ("routes: [{upstream: 'http://a', gates: [x]}]\n", "unknown-gate"),
        ("gates: {a: [b]}\nroutes: [{respond: 204}]\n", "unknown-gate"),
        ("gates: {a: [a]}\nroutes: [{respond: 204}]\n", "gate-loop"),
        ("routes: [{name: a, respond: 204}, {name: a, path: /a, respond: 204}]\n", "duplicate-route"),
        ("routes: [{upstream: demo:1}]\n", "unknown-server"),
        ("demo: 1\nroutes: [{upstream: demo:2}]\n", "unknown-server"),
        ("demo: {servers: 1}\nupstreams: {a: {servers: [{url: demo:2}]}}\nroutes: [{upstream: a}]\n", "unknown-server"),
        ("tests: [{request: GET http://h/, route: a}]\nroutes: [{respond: 204}]\n", "unknown-route"),
        ("tests: [{request: GET http://h/, upstream: a}]\nroutes: [{respond: 204}]\n", "unknown-upstream"),
        ("listen: [tcp:1, tcp:1]\nroutes: [{respond: 204}]\n", "duplicate-listener"),
    ],
)
def test_one_fault(text: str, code: str) -> None:
    assert codes(text) == [code]


def test_other_faults_do_not_hide_it() -> None:
    assert set(codes(UPSTREAM + "nonsense: 1\nroutes: [{upstream: apo, pth: /x}]\n")) == {
        "unknown-key",
        "unknown-upstream",
    }


@pytest.mark.parametrize(
    "text", ["routes: 1\n", "routes: [1]\n", "upstreams: []\nroutes: [{upstream: [a]}]\n", "tests: {}\ndemo: x\n"]
)
def test_shapes_that_are_wrong_are_somebody_elses(text: str) -> None:
    assert not {"unknown-upstream", "unknown-gate"} & set(codes(text))


def test_ports_that_the_system_chooses_are_not_the_same() -> None:
    assert codes("listen: [tcp:0, tcp:0]\nroutes: [{respond: 204}]\n") == []
