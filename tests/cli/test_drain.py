"""`drain` and `undrain`, against a site of which only the answers are there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy import cli
from proxy.cli.control import Control
from proxy.cli.terminal import Stop


class Site:
    """Remembers what it was sent. One exchange is under way at the server, for three looks."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.left = 1
        self.looks = 0
        self.gone_after = 2
        self.replaced = False

    def server(self, in_flight: int) -> dict[str, Any]:
        return {"name": "s1", "address": "s1", "state": "draining", "in_flight": in_flight, "why": "by hand"}

    def post(self, path: str, value: Any) -> Any:
        assert path == "/drain"
        self.sent.append(value)
        if value is None:
            return {"state": "draining", "connections": 3}
        return {"upstream": value["upstream"], "servers": [self.server(1)], "left": self.left}

    def get(self, path: str) -> Any:
        assert path == "/status"
        self.looks += 1
        if self.looks > self.gone_after and self.sent == [None]:
            raise Stop("nobody is there")
        others = [{**self.server(9), "name": "s2"}]
        pool = {"name": "api", "servers": [self.server(int(self.looks < 3)), *others]}
        return {"upstreams": [pool, {"name": "api", "servers": others}] if self.replaced else [pool]}


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site()
    monkeypatch.setattr(Control, "of_file", lambda asked, file: site)
    monkeypatch.setattr("proxy.cli.drain._LOOK_SECONDS", 0.001)
    return site


def test_a_server_is_named(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["drain", "api", "s1"]) == 0
    assert cli.main(["undrain", "api"]) == 0
    assert site.sent == [
        {"upstream": "api", "server": "s1", "drained": True},
        {"upstream": "api", "server": None, "drained": False},
    ]
    assert site.looks == 0
    assert capsys.readouterr().out.startswith("  draining  s1")


@pytest.mark.parametrize("replaced", [False, True])
def test_it_may_wait_for_that_server_alone(site: Site, capsys: pytest.CaptureFixture[str], replaced: bool) -> None:
    site.replaced = replaced
    assert cli.main(["drain", "api", "s1", "--wait", "10", "--json"]) == 0
    assert site.looks == 3
    assert json.loads(capsys.readouterr().out)["servers"] == [site.server(0)]


def test_it_does_not_wait_for_ever(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["drain", "api", "s1", "--wait", "0"]) == 1
    assert capsys.readouterr().err == "exchanges are still under way after 0 s; they end as they began\n"


def test_the_last_server_is_no_secret(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.left = 0
    assert cli.main(["drain", "api"]) == 0
    assert capsys.readouterr().err == "upstream api has no server left: its requests are answered with 503\n"


def test_the_whole_proxy(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["drain"]) == 0
    assert capsys.readouterr().out == "draining: nothing new is accepted; 3 connections are open\n"
    assert cli.main(["drain", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["connections"] == 3


def test_the_whole_proxy_until_it_is_gone(site: Site) -> None:
    assert cli.main(["drain", "--wait", "10"]) == 0
    assert site.looks == 3
    site.gone_after = 1_000_000
    assert cli.main(["drain", "--wait", "0"]) == 1
