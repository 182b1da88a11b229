"""`graph`: the shop, drawn three times."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.cli.graph import as_mermaid, as_text, graph_of
from proxy.cli.svg import as_svg
from proxy.cli.terminal import Ink
from proxy.config import load_text
from tests.cli.golden import check, said


@pytest.mark.parametrize(("form", "name"), [("text", "text.txt"), ("mermaid", "shop.mmd"), ("svg", "shop.svg")])
def test_the_shop(form: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    check(f"graph/{name}", said(["graph", "shop.yaml", "--format", form], capsys).removesuffix("exit code 0\n"))


def drawn(text: str) -> str:
    return as_text(graph_of(load_text(text, "x.yaml", {})), Ink(False))


def test_routes_stand_in_the_order_in_which_they_count() -> None:
    text = drawn("routes:\n  - {name: b, respond: 204}\n  - {name: a, host: a.example, respond: 204}\n")
    assert text.index("a  a.example") < text.index("b  any host")


def test_a_pool_is_drawn_once() -> None:
    text = drawn(
        "upstreams: {api: {servers: [http://127.0.0.1:1, http://127.0.0.1:2]}}\n"
        "routes:\n  - {path: /a, upstream: api}\n  - {path: /b, upstream: api}\n"
    )
    assert text.count("http://127.0.0.1:1") == 1 and text.count("shown above") == 1


def test_no_text_breaks_out_of_a_label() -> None:
    text = 'routes:\n  - {name: a, path: {regex: \'^/"<b>#\'}, respond: 204}\n'
    said = as_mermaid(graph_of(load_text(text, "x.yaml", {})))
    assert "^/#quot;#lt;b#gt;#35;" in said


def test_no_secret_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "sec").write_text("hunter2-file")
    text = "routes:\n  - {path: '/${file:sec}', redirect: 'https://user:hunter2@x/?token=hunter2'}\n"
    graph = graph_of(load_text(text, str(tmp_path / "x.yaml"), {}))
    for text in (as_text(graph, Ink(False)), as_mermaid(graph), as_svg(graph)):
        assert "hunter2" not in text and "https://*** (" in text


LISTENING = """\
listen: [{endpoint: "tcp:80", redirect: https}, {endpoint: "tcp:443", tls: internal}]
upstreams: {spare: {servers: [http://127.0.0.1:1, http://127.0.0.1:2]}}
routes: [{name: a, respond: 204}]
"""


def test_a_listener_that_redirects_leads_to_no_route() -> None:
    assert drawn(LISTENING).startswith("listen tcp:80  redirects to https\nlisten tcp:443  TLS\n")
    graph = graph_of(load_text(LISTENING, "x.yaml", {}))
    text = as_mermaid(graph)
    assert 'l0(["tcp:80<br>redirects to https"])' in text and 'l1(["tcp:443<br>TLS"])' in text
    assert "l1 --> r0" in text and "l0 -->" not in text
    picture = as_svg(graph)
    assert "redirects to https" in picture and ">TLS<" in picture
    assert picture.count('class="edge"') == 1 + 1 + 2, "to the route, to its answer, to two servers"


def test_an_upstream_without_a_route_is_drawn_apart() -> None:
    assert drawn(LISTENING).endswith(
        "\n\nno route leads to\n└─ upstream spare  round_robin\n   ├─ http://127.0.0.1:1\n   └─ http://127.0.0.1:2"
    )
    graph = graph_of(load_text(LISTENING, "x.yaml", {}))
    assert "style u0 stroke-dasharray" in as_mermaid(graph)
    assert 'class="upstream unused"' in as_svg(graph)
