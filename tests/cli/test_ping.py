"""`ping` and `version`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from proxy import cli


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path[1:]))
        self.send_header("Location", "/500")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answering) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (307, 0), (404, 0), (500, 1), (503, 1)])
def test_any_answer_below_500_is_a_sign_of_life(server: str, status: int, code: int) -> None:
    assert cli.main(["ping", "--url", f"{server}/{status}"]) == code


def test_no_answer_is_none(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ping", "--url", f"http://127.0.0.1:{port}/"]) == 1
    assert "refused" in capsys.readouterr().err
    assert cli.main(["ping", "--url", "nonsense"]) == 1


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["version"]) == 0
    assert capsys.readouterr().out.startswith("reverseproxy ")
