"""Where a control site is, and what is said where none is."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from proxy import cli
from proxy.cli.control import Control, Where
from proxy.cli.terminal import Stop
from proxy.config import load_text


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("unix:/run/x.sock", Where("/run/x.sock")),
        ("unix:/run/x.sock:mode=600", Where("/run/x.sock")),
        (r"unix:/odd\:name:mode=600", Where("/odd:name")),
        ("unix:address=/run/x.sock", Where("/run/x.sock")),
        ("tcp:127.0.0.1:9180", Where(host="127.0.0.1", port=9180)),
        ("tcp:9180:interface=127.0.0.1", Where(host="127.0.0.1", port=9180)),
        ("tcp:port=9180:interface=localhost", Where(host="localhost", port=9180)),
        (r"tcp6:9180:interface=\:\:1", Where(host="::1", port=9180)),
        ("http://127.0.0.1:9180/", Where(host="127.0.0.1", port=9180)),
        ("http://[::1]:9180", Where(host="::1", port=9180)),
    ],
)
def test_where_it_is(text: str, where: Where) -> None:
    assert Where.of(text) == where


@pytest.mark.parametrize("text", ["", "nonsense", "unix:", "tcp:", "tcp:x", "https://127.0.0.1/"])
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(Stop) as caught:
        Where.of(text)
    assert caught.value.code == 2


def test_a_configuration_without_a_site_says_how_to_have_one() -> None:
    config = load_text("routes: [{respond: 204}]\n", "x.yaml", {}).require()
    with pytest.raises(Stop, match="admin: true"):
        Control.find(None, config)
    assert Control.find("unix:/x", config) is not None


def test_without_any_hint_the_usual_place_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.config.admin.default_endpoint", lambda: "")
    with pytest.raises(Stop, match="which proxy"):
        Control.find(None)
    monkeypatch.setattr("proxy.config.admin.default_endpoint", lambda: "unix:/no/such.sock:mode=600")
    with pytest.raises(Stop, match=r"unix:/no/such\.sock: No such file"):
        Control.find(None).get("/status")


def test_nobody_is_there(port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--admin", f"tcp:127.0.0.1:{port}"]) == 1
    assert "Connection refused" in capsys.readouterr().err
    assert cli.main(["reload", "--admin", f"unix:{tmp_path / 'x'}"]) == 1


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_web_site_is_no_control_site(capsys: pytest.CaptureFixture[str]) -> None:
    with HTTPServer(("127.0.0.1", 0), Page) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            assert cli.main(["status", "--admin", f"tcp:127.0.0.1:{listening.server_port}"]) == 1
        finally:
            listening.shutdown()
            thread.join()
    assert "not a control site" in capsys.readouterr().err
