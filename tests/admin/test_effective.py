"""The effective configuration: everything that is in force, as JSON, and no secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from proxy.admin.effective import effective, plain
from proxy.config import load, load_text
from proxy.config.veil import masked
from tests.support.proxy import ROOT

SAMPLES = sorted((ROOT / "config").glob("*.yaml"))

SECRETIVE = """
admin: {listen: unix:/run/x.sock, token: token-0123456789abcdef}
upstreams:
  api: {servers: http://127.0.0.1:9001, sticky: {cookie: s, key: sticky-0123456789abcdef}}
routes:
  - upstream: api
    headers: {X-Api-Key: header-0123456789abcdef, Accept: text/html}
    query: {token: {regex: '^query-0123456789abcdef$'}, page: '1'}
    gates: [{headers: {request: {set: {Authorization: gate-0123456789abcdef, X-Plain: plain}}}}]
  - {path: /b, respond: {body: "the ${file:key} inside"}}
"""


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_it_is_json_and_says_everything(path: Path) -> None:
    config = load(path, {}).require()
    shown = effective(config)
    assert json.loads(json.dumps(shown)) == shown
    assert set(shown) == set(type(config).model_fields)
    assert all(route["name"] for route in shown["routes"])


def test_no_secret_is_shown_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("file-0123456789abcdef\n")
    loaded = load_text(SECRETIVE, str(tmp_path / "x.yaml"), {})
    text = json.dumps(effective(loaded.require(), loaded.secrets))
    assert "0123456789abcdef" not in text
    assert text.count("***") == 6
    assert '"text/html"' in text and '"plain"' in text and '"cookie": "s"' in text


def test_names_of_things_are_no_secrets() -> None:
    text = "upstreams: {token: {servers: http://127.0.0.1:1}}\nroutes: [{upstream: token}]\n"
    shown = effective(load_text(text, "x.yaml", {}).require())
    assert shown["upstreams"]["token"]["servers"][0]["url"] == "http://127.0.0.1:1"


def test_beside_a_certificate_a_key_is_a_file() -> None:
    class Pair(BaseModel):
        cert: str = "site.crt"
        key: str = "site.key"

    class Signed(BaseModel):
        key: str = "hunter2"

    assert plain(Pair()) == {"cert": "site.crt", "key": "site.key"}
    assert plain(Signed()) == {"key": masked("hunter2")}


def test_values_are_written_as_people_write_them() -> None:
    text = """
trusted_proxies: 10.0.0.0/8
upstreams: {api: {servers: http://127.0.0.1:1, health: {path: /x, status: [200-299, 304], body: ^ok}}}
routes: [{path: {regex: ^/a}, upstream: api}]
tests: [{request: GET http://x/a, upstream: api}]
"""
    shown = effective(load_text(text, "x.yaml", {}).require())
    assert shown["trusted_proxies"] == ["10.0.0.0/8"]
    assert shown["upstreams"]["api"]["health"]["status"] == ["200-299", "304"]
    assert shown["upstreams"]["api"]["health"]["body"] == "^ok"
    assert shown["routes"][0]["path"] == [{"prefix": None, "exact": None, "regex": "^/a"}]
    assert shown["tests"][0]["request"]["line"] == "GET http://x/a"


@pytest.mark.parametrize("redirect", ["https", "https:8443"])
def test_a_redirect_of_a_listener_is_shown_as_it_is_written(redirect: str) -> None:
    text = f"listen: {{endpoint: tcp:80, redirect: '{redirect}'}}\nroutes: [{{respond: 204}}]\n"
    assert effective(load_text(text, "x.yaml", {}).require())["listen"][0]["redirect"] == redirect
